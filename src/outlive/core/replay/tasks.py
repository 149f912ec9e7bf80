"""What the events of workflow tasks say, and the one that says that a reset began."""

from __future__ import annotations

from dataclasses import replace

from temporalio.api.enums.v1 import EventType, TaskQueueKind, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import (
    WorkflowTaskCompletedEventAttributes,
    WorkflowTaskFailedEventAttributes,
    WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes,
    WorkflowTaskTimedOutEventAttributes,
)
from temporalio.api.workflow.v1 import ResetPoints

from outlive.core import runs, tracking, workflow_task
from outlive.core.proto import ns_of
from outlive.core.replay import others
from outlive.core.replay.base import Handlers
from outlive.core.state import State, TaskKind, TaskState

E = EventType
RESET = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW


def _scheduled(state: State, event_id: int, at: int, event: WorkflowTaskScheduledEventAttributes) -> None:
    info = state.info
    info.first_task_at = 0
    info.task_state = TaskState.SCHEDULED
    info.task_kind = TaskKind.NORMAL
    info.task_attempt = event.attempt
    info.task_scheduled_event_id = event_id
    info.task_request_id = info.task_identity = ""
    info.task_scheduled_time = info.task_original_scheduled_time = at
    info.task_timeout = ns_of(event.start_to_close_timeout)
    info.task_sticky = event.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
    info.sticky_queue = event.task_queue.name if info.task_sticky else ""


def _started(state: State, event_id: int, at: int, event: WorkflowTaskStartedEventAttributes) -> None:
    info = state.info
    info.task_state = TaskState.STARTED
    info.task_started_event_id = event_id
    info.task_started_time = at
    info.task_request_id = event.request_id
    info.task_identity = event.identity
    info.task_suggest = sum(1 << reason for reason in event.suggest_continue_as_new_reasons)
    info.task_history_size = event.history_size_bytes


def _completed(state: State, event_id: int, at: int, event: WorkflowTaskCompletedEventAttributes) -> None:
    workflow_task.clear(state)
    state.info.task_attempt = 1
    tracking.task_completed(state, at, event_id, event)


def failed(state: State, event_id: int, at: int, event: WorkflowTaskFailedEventAttributes) -> None:
    """The task failed; or a reset begins with its failure."""
    if event.cause == RESET:
        _reset(state, at, event)
    else:
        _ended(state, counts=True)


def _timed_out(state: State, event_id: int, at: int, event: WorkflowTaskTimedOutEventAttributes) -> None:
    _ended(state, counts=event.timeout_type != TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START)


def _ended(state: State, *, counts: bool) -> None:
    """The attempt came to nothing. It does not count if the run was sticky; then it is not any more."""
    info = state.info
    counts = counts and not info.sticky_queue
    workflow_task.clear(state)
    workflow_task.clear_sticky(state)
    info.task_attempt = info.task_attempt + 1 if counts else 1


def _reset(state: State, at: int, event: WorkflowTaskFailedEventAttributes) -> None:
    """A reset began here: all that came before is of the base run, and time starts anew."""
    info = state.info
    others.settle_requests(state, event.base_run_id)
    _take_over_reset_points(state, event.new_run_id)
    runs.restarted(state, event.new_run_id, at)
    info.reset_at = at
    workflow_task.clear(state)
    workflow_task.clear_sticky(state)
    info.task_attempt = 1
    for row in list(state.activities):
        state.activities.put(row.scheduled_event_id, replace(row, scheduled_time=at, attempt_scheduled_time=at))


def _take_over_reset_points(state: State, run_id: str) -> None:
    """The points of the base run are the new run's own now: it has the same events."""
    if state.info.reset_points is None:
        return
    points = ResetPoints.FromString(state.info.reset_points)
    for point in points.points:
        if point.run_id == state.start.run_id:
            point.run_id = run_id
    state.info.reset_points = points.SerializeToString()


HANDLERS: Handlers = {
    E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: _scheduled,
    E.EVENT_TYPE_WORKFLOW_TASK_STARTED: _started,
    E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: _completed,
    E.EVENT_TYPE_WORKFLOW_TASK_FAILED: failed,
    E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: _timed_out,
}
