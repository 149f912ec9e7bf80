"""The new run of a reset: the base run's events up to a point, and what came after it once more.

    base run   1 ... scheduled, started | completed, ...
    new run    1 ... scheduled, started | failed (RESET_WORKFLOW), what is applied again, scheduled

Rules (all of them live in this file)
- The point is a workflow task that was scheduled or started by then and had not ended: the new run writes
  that it failed, and a new one is scheduled.
- The time limits of the new run count from the reset. Its timers fire when those of the base run would
  have. Its activities that had not ended are scheduled again, whatever became of them in the base run.
- What it carries (first run, parent, chain's start, request of the start) is what the base run carried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure, ResetWorkflowFailureInfo
from temporalio.api.history.v1 import HistoryEvent, WorkflowTaskFailedEventAttributes

from outlive.core import time_skipping, workflow_task
from outlive.core.effects import outstanding
from outlive.core.replay import replay, tasks
from outlive.core.state import Start, State, TaskState
from outlive.core.transition import Context, Transition
from outlive.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class Reset:
    """What is asked for, as far as the new run's own history tells it."""

    event_id: int  # of the first event of the base run that the new run does not have
    reason: str
    request_id: str


def check_point(event_id: int, last_event_id: int) -> None:
    """Raises InvalidArgument for a point outside of the history."""
    if not 1 < event_id <= last_event_id:
        raise InvalidArgument("Workflow task finish ID must be > 1 && <= workflow last event ID.")


class Prefix:
    """The base run's events before the point, taken in as they are read."""

    def __init__(self, base: Start) -> None:
        self.state = State(start=base)

    def add(self, events: Iterable[HistoryEvent]) -> None:
        """Take in the next events, in order."""
        for event in events:
            replay.apply(self.state, event)
            self.state.unsaved.append(event)


def begin(prefix: Prefix, reset: Reset, run_id: str, now: int, context: Context) -> Transition:
    """Begin the new run. Raises InvalidArgument if no workflow task was pending at the point.

    `now` is the server's time: the run's own is ahead of it by what had been skipped up to the point.
    The transition is left open for what is applied again; call `finish` of this module on it.
    """
    state, info = prefix.state, prefix.state.info
    base_run_id = state.start.run_id
    state.start = replace(state.start, key=context.new_key())
    if info.task_state == TaskState.NONE:
        raise InvalidArgument(
            "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: "
            f"{reset.event_id}"
        )
    t = Transition(state, now + info.skipped, context, _reader(state))
    if info.task_state == TaskState.SCHEDULED:
        workflow_task.start(t, request_id=context.new_id(), identity=context.identity)
    failed = WorkflowTaskFailedEventAttributes(
        scheduled_event_id=info.task_scheduled_event_id,
        started_event_id=info.task_started_event_id,
        cause=tasks.RESET,
        failure=Failure(message=reset.reason, reset_workflow_failure_info=ResetWorkflowFailureInfo()),
        identity=context.identity,
        base_run_id=base_run_id,
        new_run_id=run_id,
    )
    event_id = t.add(EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED, failed)
    tasks.failed(state, event_id, t.now, failed)
    info.reset_request_id = reset.request_id
    replay.finish(state)
    return t


def _reader(state: State) -> Callable[[int], HistoryEvent]:
    """Reads an event of a run of which nothing has been saved."""
    return lambda event_id: state.unsaved[event_id - 1]


def finish(t: Transition) -> None:
    """All is applied: have a worker look at the run, and take up what it owes."""
    workflow_task.schedule(t)
    time_skipping.finish(t)
    t.effects[:] = outstanding(t.state)
