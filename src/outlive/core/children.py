"""What becomes of the children and external requests of a workflow, as its own history tells it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    EventType,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
)
from temporalio.api.history.v1 import (
    ChildWorkflowExecutionCanceledEventAttributes,
    ChildWorkflowExecutionCompletedEventAttributes,
    ChildWorkflowExecutionFailedEventAttributes,
    ChildWorkflowExecutionStartedEventAttributes,
    ChildWorkflowExecutionTerminatedEventAttributes,
    ChildWorkflowExecutionTimedOutEventAttributes,
    ExternalWorkflowExecutionCancelRequestedEventAttributes,
    ExternalWorkflowExecutionSignaledEventAttributes,
    HistoryEvent,
    RequestCancelExternalWorkflowExecutionFailedEventAttributes,
    SignalExternalWorkflowExecutionFailedEventAttributes,
    StartChildWorkflowExecutionFailedEventAttributes,
)

from outlive.core import workflow_task
from outlive.core.state import BUFFERED, Child
from outlive.core.transition import Transition

E = EventType


def started(t: Transition, initiated_event_id: int, run_id: str) -> bool:
    """The child runs. False if the parent does not wait for that (any more)."""
    child = t.state.children.get(initiated_event_id)
    if child is None or child.started_event_id or not t.state.open:
        return False
    initiated = t.read_event(initiated_event_id).start_child_workflow_execution_initiated_event_attributes
    t.state.children.put(initiated_event_id, replace(child, run_id=run_id, started_event_id=BUFFERED))
    t.add(
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
        ChildWorkflowExecutionStartedEventAttributes(
            namespace=child.namespace,
            namespace_id=child.namespace_id,
            initiated_event_id=initiated_event_id,
            workflow_execution=WorkflowExecution(workflow_id=child.workflow_id, run_id=run_id),
            workflow_type=WorkflowType(name=child.workflow_type),
            header=initiated.header if initiated.HasField("header") else None,
        ),
    )
    workflow_task.schedule(t)
    return True


def start_failed(
    t: Transition, initiated_event_id: int, cause: StartChildWorkflowExecutionFailedCause.ValueType
) -> bool:
    """The child could not be started."""
    child = t.state.children.get(initiated_event_id)
    if child is None or child.started_event_id or not t.state.open:
        return False
    initiated = t.read_event(initiated_event_id).start_child_workflow_execution_initiated_event_attributes
    t.state.children.pop(initiated_event_id)
    t.add(
        E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
        StartChildWorkflowExecutionFailedEventAttributes(
            namespace=child.namespace,
            namespace_id=child.namespace_id,
            workflow_id=child.workflow_id,
            workflow_type=WorkflowType(name=child.workflow_type),
            cause=cause,
            control=initiated.control,
            initiated_event_id=initiated_event_id,
        ),
    )
    workflow_task.schedule(t)
    return True


def closed(t: Transition, initiated_event_id: int, run_id: str, close_event: HistoryEvent) -> bool:
    """The child's chain has ended with this event. False if the parent does not wait for that (any more)."""
    child = t.state.children.get(initiated_event_id)
    if child is None or not child.started_event_id or not t.state.open:
        return False
    t.state.children.pop(initiated_event_id)
    kind, attributes = _closing(child, run_id, close_event)
    t.add(kind, attributes)
    workflow_task.schedule(t)
    return True


def _closing(child: Child, run_id: str, close_event: HistoryEvent) -> tuple[EventType.ValueType, object]:
    """The parent's event for the child's close event."""
    common: dict[str, Any] = {
        "namespace": child.namespace,
        "namespace_id": child.namespace_id,
        "workflow_execution": WorkflowExecution(workflow_id=child.workflow_id, run_id=run_id),
        "workflow_type": WorkflowType(name=child.workflow_type),
        "initiated_event_id": child.initiated_event_id,
        "started_event_id": child.started_event_id,
    }
    kind = close_event.event_type
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        result = close_event.workflow_execution_completed_event_attributes
        return E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED, ChildWorkflowExecutionCompletedEventAttributes(
            result=result.result if result.HasField("result") else None, **common
        )
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        failed = close_event.workflow_execution_failed_event_attributes
        return E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED, ChildWorkflowExecutionFailedEventAttributes(
            failure=failed.failure, retry_state=failed.retry_state, **common
        )
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
        canceled = close_event.workflow_execution_canceled_event_attributes
        return E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED, ChildWorkflowExecutionCanceledEventAttributes(
            details=canceled.details if canceled.HasField("details") else None, **common
        )
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
        timed_out = close_event.workflow_execution_timed_out_event_attributes
        return E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT, ChildWorkflowExecutionTimedOutEventAttributes(
            retry_state=timed_out.retry_state, **common
        )
    return E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED, ChildWorkflowExecutionTerminatedEventAttributes(**common)


def signal_sent(
    t: Transition,
    initiated_event_id: int,
    failed: SignalExternalWorkflowExecutionFailedCause.ValueType | None,
) -> bool:
    """The signal to another workflow was delivered, or could not be."""
    if not t.state.open or t.state.signals.pop(initiated_event_id) is None:
        return False
    initiated = t.read_event(initiated_event_id).signal_external_workflow_execution_initiated_event_attributes
    if failed is None:
        t.add(
            E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
            ExternalWorkflowExecutionSignaledEventAttributes(
                initiated_event_id=initiated_event_id,
                namespace=initiated.namespace,
                namespace_id=initiated.namespace_id,
                workflow_execution=initiated.workflow_execution,
                control=initiated.control,
            ),
        )
    else:
        t.add(
            E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
            SignalExternalWorkflowExecutionFailedEventAttributes(
                cause=failed,
                namespace=initiated.namespace,
                namespace_id=initiated.namespace_id,
                workflow_execution=initiated.workflow_execution,
                initiated_event_id=initiated_event_id,
                control=initiated.control,
            ),
        )
    workflow_task.schedule(t)
    return True


def cancel_sent(
    t: Transition,
    initiated_event_id: int,
    failed: CancelExternalWorkflowExecutionFailedCause.ValueType | None,
) -> bool:
    """The cancel request to another workflow was delivered, or could not be."""
    if not t.state.open or t.state.cancels.pop(initiated_event_id) is None:
        return False
    initiated = t.read_event(initiated_event_id).request_cancel_external_workflow_execution_initiated_event_attributes
    if failed is None:
        t.add(
            E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
            ExternalWorkflowExecutionCancelRequestedEventAttributes(
                initiated_event_id=initiated_event_id,
                namespace=initiated.namespace,
                namespace_id=initiated.namespace_id,
                workflow_execution=initiated.workflow_execution,
            ),
        )
    else:
        t.add(
            E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
            RequestCancelExternalWorkflowExecutionFailedEventAttributes(
                cause=failed,
                namespace=initiated.namespace,
                namespace_id=initiated.namespace_id,
                workflow_execution=initiated.workflow_execution,
                initiated_event_id=initiated_event_id,
                control=initiated.control,
            ),
        )
    workflow_task.schedule(t)
    return True


def policy_applied(t: Transition, initiated_event_id: int) -> None:
    """The parent close policy has been carried out for a child of this closed run."""
    t.state.children.pop(initiated_event_id)
