"""Pausing a workflow and letting it go on.

Rules (all of them live in this file)
- A paused run is open: it records signals, timers, answers of activities. Its workers get no task of it, neither
  workflow tasks nor new attempts of activities; queries and updates are refused.
- A workflow task that no worker has taken is failed by the pause, and does not count as an attempt. One that a
  worker has may be completed; the activities that it schedules wait.
- Unpausing has a workflow task looked at what came meanwhile, and offers the activities that wait.
- The request that paused a run may be repeated; another one is refused while it is paused.
"""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import (
    WorkflowExecutionPausedEventAttributes,
    WorkflowExecutionUnpausedEventAttributes,
    WorkflowTaskFailedEventAttributes,
)

from outlive.core import activities, pause_info, workflow_task
from outlive.core.requests import require_open
from outlive.core.state import PAUSED, RUNNING, ActivityState, State, TaskKind, TaskState
from outlive.core.transition import Transition
from outlive.errors import FailedPrecondition

E = EventType
_BEFORE_START = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_PAUSE_REQUESTED_BEFORE_TASK_STARTED


def pause(t: Transition, identity: str, reason: str, request_id: str) -> None:
    """PauseWorkflowExecution. Raises FailedPrecondition for a run that another request has paused."""
    state, info = t.state, t.state.info
    require_open(state)
    if info.status == PAUSED:
        if request_id and request_id == info.pause_request_id:
            return
        raise FailedPrecondition("workflow is already paused.")
    _fail_waiting_task(t)
    event = WorkflowExecutionPausedEventAttributes(identity=identity, reason=reason, request_id=request_id)
    t.add(E.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED, event, worker_may_ignore=True)
    paused(state, t.now, event)


def paused(state: State, at: int, event: WorkflowExecutionPausedEventAttributes) -> None:
    """What the Paused event says, when it happens and when it is replayed."""
    info = state.info
    info.status = PAUSED
    info.paused_at, info.pause_identity = at, event.identity
    info.pause_reason, info.pause_request_id = event.reason, event.request_id
    pause_info.note(state)
    state.visibility_changed = True


def _fail_waiting_task(t: Transition) -> None:
    """A task that waits for a worker waits no longer; what it was for is looked at after the pause."""
    info = t.state.info
    if info.task_state != TaskState.SCHEDULED:
        return
    if info.task_kind == TaskKind.NORMAL:
        t.add(
            E.EVENT_TYPE_WORKFLOW_TASK_FAILED,
            WorkflowTaskFailedEventAttributes(
                scheduled_event_id=info.task_scheduled_event_id, cause=_BEFORE_START, identity=t.context.identity
            ),
        )
    workflow_task.clear(t.state)
    info.task_attempt = 1


def unpause(t: Transition, identity: str, reason: str, request_id: str) -> None:
    """UnpauseWorkflowExecution. Raises FailedPrecondition for a run that is not paused."""
    state, info = t.state, t.state.info
    require_open(state)
    if info.status != PAUSED:
        raise FailedPrecondition("workflow is not paused.")
    event = WorkflowExecutionUnpausedEventAttributes(identity=identity, reason=reason, request_id=request_id)
    t.add(E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED, event, worker_may_ignore=True)
    unpaused(state)
    workflow_task.schedule(t)
    for row in list(state.activities):
        if row.state == ActivityState.SCHEDULED:
            activities.offer(t, row)


def unpaused(state: State) -> None:
    """What the Unpaused event says, when it happens and when it is replayed."""
    info = state.info
    info.status = RUNNING
    info.paused_at, info.pause_identity, info.pause_reason, info.pause_request_id = 0, "", "", ""
    pause_info.note(state)
    state.visibility_changed = True
