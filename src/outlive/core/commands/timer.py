"""StartTimer and CancelTimer, and the firing of timers."""

from __future__ import annotations

from temporalio.api.command.v1 import CancelTimerCommandAttributes, StartTimerCommandAttributes
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    HistoryEvent,
    TimerCanceledEventAttributes,
    TimerFiredEventAttributes,
    TimerStartedEventAttributes,
)

from outlive.core import workflow_task
from outlive.core.commands.base import BadCommand, Cause, CommandTask, negative, too_long
from outlive.core.proto import ns_of
from outlive.core.state import DeadlineKind, Timer
from outlive.core.transition import Transition

E = EventType
BAD_START = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES
BAD_CANCEL = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES
DUPLICATE = Cause.WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID


def start(task: CommandTask, command: StartTimerCommandAttributes) -> None:
    """Write TimerStarted and arm it."""
    t, timer_id = task.t, command.timer_id
    if not timer_id:
        raise BadCommand(BAD_START, "TimerId is not set on StartTimerCommand.")
    if too_long(timer_id):
        raise BadCommand(BAD_START, _length("StartTimerCommand", timer_id))
    if negative(command.start_to_fire_timeout):
        raise BadCommand(
            BAD_START,
            f"An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId={timer_id}",
        )
    if timer_id in t.state.timers:
        raise BadCommand(
            DUPLICATE, f"invalid history builder state for action: add-timer-started-event, TimerID: {timer_id}"
        )
    event = TimerStartedEventAttributes(
        timer_id=timer_id,
        start_to_fire_timeout=command.start_to_fire_timeout,
        workflow_task_completed_event_id=task.completed_event_id,
    )
    event_id = t.add(E.EVENT_TYPE_TIMER_STARTED, event, user_metadata=task.user_metadata)
    timer = row_of(event, event_id, t.now)
    t.state.timers.put(timer_id, timer)
    t.state.arm(timer.fires_at, DeadlineKind.TIMER, timer_id)


def row_of(event: TimerStartedEventAttributes, event_id: int, now: int) -> Timer:
    """The timer that a Started event begins."""
    return Timer(event.timer_id, event_id, now + ns_of(event.start_to_fire_timeout))


def cancel(task: CommandTask, command: CancelTimerCommandAttributes) -> None:
    """Write TimerCanceled. A timer that fired while the worker was busy is taken back."""
    t, timer_id = task.t, command.timer_id
    if not timer_id:
        raise BadCommand(BAD_CANCEL, "TimerId is not set on CancelTimerCommand.")
    if too_long(timer_id):
        raise BadCommand(BAD_CANCEL, _length("CancelTimerCommand", timer_id))
    timer = t.state.timers.pop(timer_id)
    started_event_id = timer.started_event_id if timer is not None else _take_back_fired(t, timer_id)
    if not started_event_id:
        raise BadCommand(
            BAD_CANCEL, f"invalid history builder state for action: add-timer-canceled-event, TimerID: {timer_id}"
        )
    t.add(
        E.EVENT_TYPE_TIMER_CANCELED,
        TimerCanceledEventAttributes(
            timer_id=timer_id,
            started_event_id=started_event_id,
            workflow_task_completed_event_id=task.completed_event_id,
            identity=task.identity,
        ),
        user_metadata=task.user_metadata,
    )


def _length(command: str, timer_id: str) -> str:
    return f"TimerId on {command} exceeds length limit. TimerId={timer_id} Length={len(timer_id.encode())} Limit=1000"


def _take_back_fired(t: Transition, timer_id: str) -> int:
    """Remove the buffered TimerFired of the timer; returns its TimerStarted id, or 0."""
    kept: list[HistoryEvent] = []
    found = 0
    for event in t.state.buffered:
        if event.event_type == E.EVENT_TYPE_TIMER_FIRED and event.timer_fired_event_attributes.timer_id == timer_id:
            found = event.timer_fired_event_attributes.started_event_id
        else:
            kept.append(event)
    if found:
        t.state.buffered = kept
        t.state.buffer_changed = True
    return found


def fire(t: Transition, timer_id: str) -> None:
    """A deadline of the timer came up."""
    timer = t.state.timers.get(timer_id)
    if timer is None:
        return
    if timer.fires_at > t.now:
        t.state.arm(timer.fires_at, DeadlineKind.TIMER, timer_id)
        return
    t.state.timers.pop(timer_id)
    t.add(
        E.EVENT_TYPE_TIMER_FIRED,
        TimerFiredEventAttributes(timer_id=timer_id, started_event_id=timer.started_event_id),
    )
    workflow_task.schedule(t)
