"""Whether and how a run starts: id policies, and the first event for a client's or a parent's request."""

from __future__ import annotations

import enum

from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.enums.v1 import (
    ContinueAsNewInitiator,
    TaskQueueKind,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.history.v1 import (
    StartChildWorkflowExecutionInitiatedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from outlive.core import versioning
from outlive.core.close import cron_backoff
from outlive.core.proto import copy_fields, duration, ns_of, timestamp
from outlive.core.queue_routing import Routes
from outlive.core.state import State
from outlive.errors import WorkflowAlreadyStarted

Reuse = WorkflowIdReusePolicy
Conflict = WorkflowIdConflictPolicy
S = WorkflowExecutionStatus
_CARRIED = (
    "input",
    "workflow_execution_timeout",
    "workflow_run_timeout",
    "retry_policy",
    "memo",
    "search_attributes",
    "header",
)

_UNCLEAN = frozenset(
    {
        S.WORKFLOW_EXECUTION_STATUS_FAILED,
        S.WORKFLOW_EXECUTION_STATUS_CANCELED,
        S.WORKFLOW_EXECUTION_STATUS_TERMINATED,
        S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
    }
)


class Admission(enum.Enum):
    """What a start request for a workflow id does."""

    NEW = 1
    TERMINATE_THEN_NEW = 2
    USE_EXISTING = 3


def admit(
    last: State | None, reuse: WorkflowIdReusePolicy.ValueType, conflict: WorkflowIdConflictPolicy.ValueType
) -> Admission:
    """Apply the id policies to the last run of the id. Raises WorkflowAlreadyStarted."""
    if last is None:
        return Admission.NEW
    if last.open:
        if reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
            return Admission.TERMINATE_THEN_NEW
        if conflict == Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING:
            return Admission.TERMINATE_THEN_NEW
        if conflict == Conflict.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING:
            return Admission.USE_EXISTING
        raise _already(last, "Workflow execution is already running.", "")
    if reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
        rule = " Workflow Id reuse policy: reject duplicate workflow Id."
        raise _already(last, "Workflow execution already finished.", rule)
    if reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY and last.info.status not in _UNCLEAN:
        rule = " Workflow Id reuse policy: allow duplicate workflow Id if last run failed."
        raise _already(last, "Workflow execution already finished successfully.", rule)
    return Admission.NEW


def _already(last: State, text: str, rule: str) -> WorkflowAlreadyStarted:
    start = last.start
    return WorkflowAlreadyStarted(
        f"{text} WorkflowId: {start.workflow_id}, RunId: {start.run_id}.{rule}",
        start_request_id=start.create_request_id,
        run_id=start.run_id,
        first_run_id=start.first_run_id,
    )


def by_client(
    request: StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest, run_id: str, now: int
) -> WorkflowExecutionStartedEventAttributes:
    """The first event for a request whose defaults have been filled in."""
    event = WorkflowExecutionStartedEventAttributes(
        workflow_id=request.workflow_id,
        workflow_type=request.workflow_type,
        task_queue=TaskQueue(name=request.task_queue.name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        workflow_task_timeout=request.workflow_task_timeout,
        identity=request.identity,
        cron_schedule=request.cron_schedule,
    )
    copy_fields(
        request,
        event,
        (*_CARRIED, "priority", "time_skipping_config"),
    )
    if request.HasField("versioning_override"):
        event.versioning_override.CopyFrom(versioning.modern(request.versioning_override))
    if isinstance(request, StartWorkflowExecutionRequest):
        copy_fields(request, event, ("continued_failure", "last_completion_result"))
        event.completion_callbacks.extend(request.completion_callbacks)
    _first_of_chain(event, run_id, now, ns_of(request.workflow_start_delay))
    return event


def by_parent(
    parent: State,
    initiated_event_id: int,
    initiated: StartChildWorkflowExecutionInitiatedEventAttributes,
    run_id: str,
    now: int,
    routes: Routes,
) -> WorkflowExecutionStartedEventAttributes:
    """The first event of a child."""
    start = parent.start
    event = WorkflowExecutionStartedEventAttributes(
        workflow_id=initiated.workflow_id,
        workflow_type=initiated.workflow_type,
        task_queue=TaskQueue(name=initiated.task_queue.name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        cron_schedule=initiated.cron_schedule,
        parent_workflow_namespace=start.namespace,
        parent_workflow_namespace_id=start.namespace_id,
        parent_workflow_execution=WorkflowExecution(workflow_id=start.workflow_id, run_id=start.run_id),
        parent_initiated_event_id=initiated_event_id,
        root_workflow_execution=WorkflowExecution(workflow_id=start.root_workflow_id, run_id=start.root_run_id),
    )
    copy_fields(
        initiated,
        event,
        (*_CARRIED, "workflow_task_timeout", "time_skipping_config", "time_skipping_state_propagation"),
    )
    versioning.child(parent, initiated, event, routes)
    priority = Priority.FromString(parent.priority or b"")
    priority.MergeFrom(initiated.priority)
    if priority.ByteSize():
        event.priority.CopyFrom(priority)
    _first_of_chain(event, run_id, now, 0)
    return event


def _first_of_chain(event: WorkflowExecutionStartedEventAttributes, run_id: str, now: int, delay: int) -> None:
    """What the first run of a chain starts from."""
    event.original_execution_run_id = run_id
    event.first_execution_run_id = run_id
    event.attempt = 1
    if event.cron_schedule:
        event.initiator = ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
        delay = cron_backoff(event.cron_schedule, now, now) or 0
    event.first_workflow_task_backoff.CopyFrom(duration(delay))
    timeout = ns_of(event.workflow_execution_timeout)
    if timeout:
        event.workflow_execution_expiration_time.CopyFrom(timestamp(now + delay + timeout))
