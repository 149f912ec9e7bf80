"""What a transition asks the engine to do once it is durable.

An effect that hands out work or touches another execution can be derived again from the state (a
scheduled task, a child that was initiated and not started, an unsent signal): after a restart the engine
looks through the runs that have any (`pending`) and goes on. So effects need no storage of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from temporalio.api.enums.v1 import ParentClosePolicy

from outlive.core import callback_infos
from outlive.core.state import ActivityState, State, TaskKind, TaskState


@dataclass(frozen=True, slots=True)
class DispatchWorkflowTask:
    """Offer the pending workflow task to its queue."""

    scheduled_event_id: int
    attempt: int
    queue: str
    sticky: bool  # `queue` is a sticky queue: if nobody polls that, it goes to the run's own


@dataclass(frozen=True, slots=True)
class DispatchActivity:
    """Offer an activity's next attempt to its queue."""

    scheduled_event_id: int
    stamp: int
    queue: str
    priority: bytes | None


@dataclass(frozen=True, slots=True)
class StartChild:
    """Start the child of an Initiated event."""

    initiated_event_id: int


@dataclass(frozen=True, slots=True)
class SendSignal:
    """Deliver the signal of an Initiated event."""

    initiated_event_id: int


@dataclass(frozen=True, slots=True)
class SendCancel:
    """Deliver the cancel request of an Initiated event."""

    initiated_event_id: int


@dataclass(frozen=True, slots=True)
class NotifyParent:
    """Tell the parent that this run, the last of its chain, has closed."""


@dataclass(frozen=True, slots=True)
class ClosePolicy:
    """Apply the parent close policy to a child that still runs."""

    initiated_event_id: int


@dataclass(frozen=True, slots=True)
class DeliverCallback:
    """Call the callback of that number: the run has ended."""

    number: int


@dataclass(frozen=True, slots=True)
class NewRun:
    """The chain goes on with this run; it commits together with the one that closed."""

    state: State
    effects: tuple[Effect, ...]  # of the new run's own first transition


@dataclass(frozen=True, slots=True)
class Closed:
    """The run has closed: waiting queries, updates and polls get their answers."""


Effect: TypeAlias = (
    DispatchWorkflowTask
    | DispatchActivity
    | StartChild
    | SendSignal
    | SendCancel
    | NotifyParent
    | ClosePolicy
    | DeliverCallback
    | NewRun
    | Closed
)


def dispatch_task(state: State) -> DispatchWorkflowTask:
    """The offer of the workflow task that is scheduled."""
    info = state.info
    sticky = info.task_sticky and bool(info.sticky_queue)
    queue = info.sticky_queue if sticky else state.start.task_queue
    return DispatchWorkflowTask(info.task_scheduled_event_id, info.task_attempt, queue, sticky)


def outstanding(state: State) -> Iterator[Effect]:
    """The effects that the state still owes: what a restart has to do again."""
    if state.open:
        if state.info.task_state == TaskState.SCHEDULED and state.info.task_kind != TaskKind.SPECULATIVE:
            yield dispatch_task(state)
        for row in state.activities:
            if row.state == ActivityState.SCHEDULED and not row.paused_at:
                yield DispatchActivity(row.scheduled_event_id, row.stamp, row.task_queue, row.priority)
        for child in state.children:
            if not child.started_event_id:
                yield StartChild(child.initiated_event_id)
        for signal in state.signals:
            yield SendSignal(signal.initiated_event_id)
        for cancel in state.cancels:
            yield SendCancel(cancel.initiated_event_id)
        return
    if state.child_of_another and not state.info.parent_notified:
        yield NotifyParent()
    for child in state.children:
        if policy_applies(child.parent_close_policy) and child.run_id:
            yield ClosePolicy(child.initiated_event_id)
    for number in callback_infos.to_deliver(state):
        yield DeliverCallback(number)


def policy_applies(policy: int) -> bool:
    """Whether a parent close policy does something to the child."""
    return policy in (
        ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE,
        ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL,
    )


def has_outstanding(state: State) -> bool:
    """Whether a restart has anything to do for this run, without building it."""
    return next(outstanding(state), None) is not None


def in_progress(state: State) -> bool:
    """Whether a worker is owed something of the execution, or has its workflow task, or the engine has something
    to do for it. What is left when it is not so waits for time, or for activities that run.
    """
    return has_outstanding(state) or (state.open and state.info.task_state != TaskState.NONE)


def running_activities(state: State) -> int:
    """How many activities workers have."""
    if not state.open:
        return 0
    return sum(1 for row in state.activities if row.state == ActivityState.STARTED)
