"""What a run's first and last events say, and those that change what it carries."""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus
from temporalio.api.history.v1 import (
    UpsertWorkflowSearchAttributesEventAttributes,
    WorkflowExecutionStartedEventAttributes,
    WorkflowExecutionTimeSkippingTransitionedEventAttributes,
    WorkflowPropertiesModifiedEventAttributes,
)

from outlive.core import runs, time_skipping
from outlive.core.commands import properties
from outlive.core.effects import policy_applies
from outlive.core.replay.base import Handler, Handlers
from outlive.core.state import State

E = EventType
S = WorkflowExecutionStatus

STATUS_AFTER: dict[EventType.ValueType, WorkflowExecutionStatus.ValueType] = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: S.WORKFLOW_EXECUTION_STATUS_COMPLETED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: S.WORKFLOW_EXECUTION_STATUS_FAILED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: S.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: S.WORKFLOW_EXECUTION_STATUS_CANCELED,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: S.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW,
}


def _started(state: State, event_id: int, at: int, event: WorkflowExecutionStartedEventAttributes) -> None:
    runs.started(state, event, at)


def _closed(status: WorkflowExecutionStatus.ValueType) -> Handler:
    def closed(state: State, event_id: int, at: int, event: Any) -> None:
        info = state.info
        info.status = status
        info.close_time = at
        info.first_task_at = 0
        info.successor_run_id = getattr(event, "new_execution_run_id", "")
        for child in list(state.children):
            if not policy_applies(child.parent_close_policy) or not child.run_id:
                state.children.pop(child.initiated_event_id)

    return closed


def _upserted(state: State, event_id: int, at: int, event: UpsertWorkflowSearchAttributesEventAttributes) -> None:
    properties.set_search_attributes(state, event.search_attributes)


def _modified(state: State, event_id: int, at: int, event: WorkflowPropertiesModifiedEventAttributes) -> None:
    properties.set_memo(state, event.upserted_memo)


def _skipped(
    state: State, event_id: int, at: int, event: WorkflowExecutionTimeSkippingTransitionedEventAttributes
) -> None:
    time_skipping.transitioned(state, at, event)


HANDLERS: Handlers = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED: _started,
    E.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: _upserted,
    E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: _modified,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED: _skipped,
    **{kind: _closed(status) for kind, status in STATUS_AFTER.items()},
}
