"""The Scheduled and Started events of a workflow task, which may be written late or never."""

from __future__ import annotations

from typing import TYPE_CHECKING

from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.enums.v1 import EventType, SuggestContinueAsNewReason, TaskQueueKind
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes,
)
from temporalio.api.taskqueue.v1 import TaskQueue

from outlive.core import versioning
from outlive.core.proto import duration, timestamp
from outlive.core.state import State, TaskKind, TaskState

if TYPE_CHECKING:
    from outlive.core.transition import Transition

E = EventType


def scheduled_attributes(state: State) -> WorkflowTaskScheduledEventAttributes:
    info = state.info
    if info.task_sticky:
        queue = TaskQueue(
            name=info.sticky_queue,
            kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY,
            normal_name=state.start.task_queue,
        )
    else:
        queue = TaskQueue(name=state.start.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)
    return WorkflowTaskScheduledEventAttributes(
        task_queue=queue, start_to_close_timeout=duration(info.task_timeout), attempt=info.task_attempt
    )


def started_attributes(state: State) -> WorkflowTaskStartedEventAttributes:
    info = state.info
    reasons = []
    if info.task_suggest:
        reasons = [v for v in SuggestContinueAsNewReason.values() if v and info.task_suggest >> v & 1]
    return WorkflowTaskStartedEventAttributes(
        scheduled_event_id=info.task_scheduled_event_id,
        identity=info.task_identity,
        worker_version=WorkerVersionStamp.FromString(info.task_build) if info.task_build is not None else None,
        request_id=info.task_request_id,
        history_size_bytes=info.task_history_size,
        suggest_continue_as_new=bool(reasons),
        suggest_continue_as_new_reasons=reasons,
        target_worker_deployment_version_changed=versioning.target_changed(state),
    )


def write_scheduled(t: Transition, at: int) -> None:
    """Write the Scheduled event as of `at`; its id becomes the task's."""
    t.state.info.task_scheduled_event_id = t.state.info.next_event_id
    t.append(E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, scheduled_attributes(t.state), at)


def write_started(t: Transition) -> None:
    """Write the Started event as of the task's start; its id becomes the task's."""
    info = t.state.info
    attributes = started_attributes(t.state)
    info.task_started_event_id = t.append(E.EVENT_TYPE_WORKFLOW_TASK_STARTED, attributes, info.task_started_time)


def write_pending(t: Transition) -> None:
    """Write what a transient or speculative task has kept back. It is a normal one from then on."""
    info = t.state.info
    if info.task_kind == TaskKind.NORMAL or info.task_state == TaskState.NONE:
        return
    info.task_kind = TaskKind.NORMAL
    write_scheduled(t, info.task_scheduled_time)
    if info.task_state == TaskState.STARTED:
        write_started(t)


def unwritten(state: State) -> list[HistoryEvent]:
    """The events of a transient or speculative task as a worker or reader is shown them."""
    info = state.info
    if info.task_state == TaskState.NONE or info.task_kind == TaskKind.NORMAL:
        return []
    if info.task_state == TaskState.SCHEDULED and info.task_scheduled_event_id != info.next_event_id:
        return []  # something was written since: the task will be written as a first attempt when it starts
    scheduled = HistoryEvent(
        event_id=info.task_scheduled_event_id,
        event_time=timestamp(info.task_scheduled_time),
        event_type=E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        workflow_task_scheduled_event_attributes=scheduled_attributes(state),
    )
    if info.task_state == TaskState.SCHEDULED:
        return [scheduled]
    started = HistoryEvent(
        event_id=info.task_started_event_id,
        event_time=timestamp(info.task_started_time),
        event_type=E.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        workflow_task_started_event_attributes=started_attributes(state),
    )
    return [scheduled, started]
