"""Commands that reach other workflows: start a child, signal or cancel another workflow."""

from __future__ import annotations

import re

from temporalio.api.command.v1 import (
    RequestCancelExternalWorkflowExecutionCommandAttributes,
    SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
)
from temporalio.api.common.v1 import SearchAttributes, WorkflowExecution
from temporalio.api.enums.v1 import EventType, ParentClosePolicy, WorkflowIdReusePolicy
from temporalio.api.history.v1 import (
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    SignalExternalWorkflowExecutionInitiatedEventAttributes,
    StartChildWorkflowExecutionInitiatedEventAttributes,
)

from outlive.core import search_attributes, time_skipping
from outlive.core.commands.base import (
    BadCommand,
    Cause,
    CommandTask,
    capped,
    checked_policy,
    negative,
    normal_queue,
    priority_problem,
    queue_problem,
    queue_text,
    too_long,
)
from outlive.core.cron import parse_cron
from outlive.core.effects import SendCancel, SendSignal, StartChild
from outlive.core.proto import duration
from outlive.core.state import Child, Outgoing
from outlive.errors import InvalidArgument
from outlive.limits import WORKFLOW_TASK_TIMEOUT_DEFAULT, WORKFLOW_TASK_TIMEOUT_MAX

E = EventType
BAD_CHILD = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES
BAD_ATTRIBUTES = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
BAD_SIGNAL = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES
BAD_CANCEL = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CHILD = "StartChildWorkflowExecutionCommand"


def _limit(count: int, most: int, what: str, cause: Cause.ValueType) -> None:
    if count >= most:
        raise BadCommand(cause, f"the number of pending {what}, {count}, has reached the per-workflow limit of {most}")


def _namespace_id(task: CommandTask, namespace: str, cause: Cause.ValueType) -> tuple[str, str]:
    """Name and id of the namespace that a command names; only the workflow's own is allowed."""
    start = task.t.state.start
    if not namespace or namespace == start.namespace:
        return start.namespace, start.namespace_id
    task.t.context.namespace_id_of(namespace)
    raise BadCommand(cause, "cross namespace commands are not allowed")


# -- children ------------------------------------------------------------------------------------------------


def start_child(task: CommandTask, command: StartChildWorkflowExecutionCommandAttributes) -> None:
    """Write StartChildWorkflowExecutionInitiated; the child starts after the commit."""
    t, state = task.t, task.t.state
    namespace, namespace_id = _namespace_id(task, command.namespace, BAD_CHILD)
    _check_child(command, namespace)
    _limit(
        len(state.children),
        t.limits.pending_children_max,
        "child workflow executions",
        Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED,
    )
    if command.input.ByteSize() >= t.limits.payload_size_max:
        raise BadCommand(
            BAD_CHILD, "StartChildWorkflowExecutionCommandAttributes. Input exceeds size limit.", terminates=True
        )
    if command.memo.ByteSize() >= t.limits.memo_size_max:
        raise BadCommand(
            BAD_CHILD, "StartChildWorkflowExecutionCommandAttributes.Memo exceeds size limit.", terminates=True
        )
    event = _child_event(task, command, namespace, namespace_id)
    event_id = t.add(E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED, event, user_metadata=task.user_metadata)
    state.children.put(event_id, child_of(event, event_id, request_of(state.start.run_id, event_id)))
    t.effect(StartChild(event_id))


def child_of(event: StartChildWorkflowExecutionInitiatedEventAttributes, event_id: int, request_id: str) -> Child:
    """The child that an Initiated event begins."""
    return Child(
        initiated_event_id=event_id,
        namespace=event.namespace,
        namespace_id=event.namespace_id,
        workflow_id=event.workflow_id,
        workflow_type=event.workflow_type.name,
        request_id=request_id,
        parent_close_policy=event.parent_close_policy,
        priority=event.priority.SerializeToString() if event.HasField("priority") else None,
    )


def request_of(run_id: str, event_id: int) -> str:
    """The request id of what an Initiated event asks of another workflow. It is the same whenever the
    history of the run that wrote the event is replayed, so that nothing is asked twice.
    """
    return f"{run_id}:{event_id}:0"


def _check_child(command: StartChildWorkflowExecutionCommandAttributes, namespace: str) -> None:
    kind = command.workflow_type.name
    where = f"WorkflowType={kind} Namespace={namespace}"
    if not command.workflow_id:
        raise BadCommand(BAD_CHILD, f"Required field WorkflowId is not set on {_CHILD}. {where}")
    if too_long(command.workflow_id):
        length = len(command.workflow_id.encode())
        raise BadCommand(
            BAD_CHILD,
            f"WorkflowId on {_CHILD} exceeds length limit. WorkflowId={command.workflow_id} "
            f"Length={length} Limit=1000 {where}",
        )
    if not kind:
        raise BadCommand(
            BAD_CHILD,
            f"Required field WorkflowType is not set on {_CHILD}. "
            f"WorkflowId={command.workflow_id} Namespace={namespace}",
        )
    where = f"WorkflowId={command.workflow_id} {where}"
    if too_long(kind):
        raise BadCommand(BAD_CHILD, f"WorkflowType on {_CHILD} exceeds length limit. Limit=1000 {where}")
    for name, value in (
        ("WorkflowExecutionTimeout", command.workflow_execution_timeout),
        ("WorkflowRunTimeout", command.workflow_run_timeout),
        ("WorkflowTaskTimeout", command.workflow_task_timeout),
    ):
        if negative(value):
            raise BadCommand(BAD_CHILD, f"Invalid {name} on {_CHILD}: negative duration. {where}")
    if command.HasField("retry_policy") and (problem := checked_policy(command.retry_policy)[1]):
        raise BadCommand(BAD_CHILD, f"invalid WorkflowRetryPolicy on {_CHILD}: {problem}. {where}")
    if command.cron_schedule:
        try:
            parse_cron(command.cron_schedule)
        except InvalidArgument:
            raise BadCommand(BAD_CHILD, f"invalid CronSchedule on {_CHILD}: invalid CronSchedule.. {where}") from None
    if problem := priority_problem(command.priority):
        raise BadCommand(BAD_CHILD, f"invalid priorities: {problem}. {where}")
    if command.task_queue.name and (problem := queue_problem(command.task_queue.name)):
        queue = queue_text(command.task_queue)
        raise BadCommand(BAD_CHILD, f"invalid TaskQueue on {_CHILD}: {problem}. {where} TaskQueue={queue}")


def _child_event(
    task: CommandTask,
    command: StartChildWorkflowExecutionCommandAttributes,
    namespace: str,
    namespace_id: str,
) -> StartChildWorkflowExecutionInitiatedEventAttributes:
    """The Initiated event, with what the command leaves out filled in."""
    start = task.t.state.start
    run_timeout = capped(command.workflow_run_timeout)
    execution_timeout = capped(command.workflow_execution_timeout)
    if execution_timeout:
        run_timeout = min(run_timeout or execution_timeout, execution_timeout)
    task_timeout = min(
        capped(command.workflow_task_timeout) or WORKFLOW_TASK_TIMEOUT_DEFAULT, WORKFLOW_TASK_TIMEOUT_MAX
    )
    if run_timeout:
        task_timeout = min(task_timeout, run_timeout)
    event = StartChildWorkflowExecutionInitiatedEventAttributes(
        namespace=namespace,
        namespace_id=namespace_id,
        workflow_id=command.workflow_id,
        workflow_type=command.workflow_type,
        task_queue=normal_queue(command.task_queue.name or start.task_queue),
        workflow_run_timeout=duration(run_timeout),
        workflow_task_timeout=duration(task_timeout),
        parent_close_policy=command.parent_close_policy or ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE,
        control=command.control,
        workflow_task_completed_event_id=task.completed_event_id,
        workflow_id_reuse_policy=command.workflow_id_reuse_policy
        or WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        cron_schedule=command.cron_schedule,
        inherit_build_id=command.inherit_build_id,
    )
    if command.HasField("workflow_execution_timeout"):
        event.workflow_execution_timeout.CopyFrom(duration(execution_timeout))
    for name in ("input", "header", "memo", "versioning_override"):
        if command.HasField(name):
            getattr(event, name).CopyFrom(getattr(command, name))
    if command.HasField("retry_policy"):
        event.retry_policy.CopyFrom(checked_policy(command.retry_policy)[0])
    if command.HasField("search_attributes"):
        event.search_attributes.CopyFrom(checked_attributes(task, command.search_attributes))
    if command.HasField("priority"):
        event.priority.CopyFrom(command.priority)
    config, skipped = time_skipping.for_child(task.t.state)
    if config is not None:
        event.time_skipping_config.CopyFrom(config)
    if skipped is not None:
        event.time_skipping_state_propagation.CopyFrom(skipped)
    return event


def checked_attributes(task: CommandTask, attributes: SearchAttributes) -> SearchAttributes:
    """The search attributes with their types; BadCommand if the namespace does not take them."""
    try:
        return search_attributes.validate(attributes, task.t.context.attribute_types, task.t.state.start.namespace)
    except InvalidArgument as error:
        raise BadCommand(BAD_ATTRIBUTES, error.message, terminates="size limit" in error.message) from None


# -- signals and cancel requests -----------------------------------------------------------------------------


def signal(task: CommandTask, command: SignalExternalWorkflowExecutionCommandAttributes) -> None:
    """Write SignalExternalWorkflowExecutionInitiated; the signal is sent after the commit."""
    t, target = task.t, command.execution
    namespace, namespace_id = _namespace_id(task, command.namespace, BAD_SIGNAL)
    name = "SignalExternalWorkflowExecutionCommand"
    where = f"WorkflowId={target.workflow_id} Namespace={command.namespace} RunId={target.run_id}"
    if not command.HasField("execution"):
        raise BadCommand(BAD_SIGNAL, f"Execution is not set on {name}. Namespace={command.namespace} ")
    if not target.workflow_id:
        raise BadCommand(
            BAD_SIGNAL,
            f"WorkflowId is not set on {name}. Namespace={command.namespace} RunId={target.run_id} "
            f"SignalName={command.signal_name}",
        )
    if too_long(target.workflow_id):
        raise BadCommand(BAD_SIGNAL, f"WorkflowId on {name} exceeds length limit. {where}")
    if target.run_id and not _UUID.fullmatch(target.run_id):
        raise BadCommand(BAD_SIGNAL, f"Invalid RunId set on {name}. {where} SignalName={command.signal_name}")
    if not command.signal_name:
        raise BadCommand(BAD_SIGNAL, f"SignalName is not set on {name}. {where}")
    _limit(
        len(t.state.signals),
        t.limits.pending_signals_max,
        "signals to external workflows",
        Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED,
    )
    if command.input.ByteSize() >= t.limits.payload_size_max:
        raise BadCommand(
            BAD_SIGNAL,
            "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.",
            terminates=True,
        )
    event = SignalExternalWorkflowExecutionInitiatedEventAttributes(
        workflow_task_completed_event_id=task.completed_event_id,
        namespace=namespace,
        namespace_id=namespace_id,
        workflow_execution=target,
        signal_name=command.signal_name,
        input=command.input if command.HasField("input") else None,
        control=command.control,
        child_workflow_only=command.child_workflow_only,
        header=command.header if command.HasField("header") else None,
    )
    event_id = t.add(E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, event, user_metadata=task.user_metadata)
    t.state.signals.put(event_id, Outgoing(event_id, request_of(t.state.start.run_id, event_id)))
    t.effect(SendSignal(event_id))


def cancel(task: CommandTask, command: RequestCancelExternalWorkflowExecutionCommandAttributes) -> None:
    """Write RequestCancelExternalWorkflowExecutionInitiated; the request is sent after the commit."""
    t = task.t
    namespace, namespace_id = _namespace_id(task, command.namespace, BAD_CANCEL)
    name = "RequestCancelExternalWorkflowExecutionCommand"
    workflow_id, run_id = command.workflow_id, command.run_id
    if not workflow_id:
        raise BadCommand(BAD_CANCEL, f"WorkflowId is not set on {name}. Namespace={command.namespace} RunId={run_id}")
    if too_long(workflow_id):
        raise BadCommand(
            BAD_CANCEL,
            f"WorkflowId on {name} exceeds length limit. WorkflowId={workflow_id} "
            f"Length={len(workflow_id.encode())} Limit=1000 RunId={run_id} Namespace={command.namespace}",
        )
    if run_id and not _UUID.fullmatch(run_id):
        raise BadCommand(
            BAD_CANCEL,
            f"Invalid RunId set on {name}. WorkflowId={workflow_id} RunId={run_id} Namespace={command.namespace}",
        )
    started_here = any(
        c.workflow_id == workflow_id and c.initiated_event_id > task.completed_event_id for c in t.state.children
    )
    if command.child_workflow_only and started_here:
        raise BadCommand(
            BAD_CANCEL,
            f"Start and RequestCancel for child workflow is not allowed in same workflow task. "
            f"WorkflowId={workflow_id} RunId={run_id} Namespace={command.namespace}",
        )
    _limit(
        len(t.state.cancels),
        t.limits.pending_cancels_max,
        "requests to cancel external workflows",
        Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED,
    )
    event = RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
        workflow_task_completed_event_id=task.completed_event_id,
        namespace=namespace,
        namespace_id=namespace_id,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        control=command.control,
        child_workflow_only=command.child_workflow_only,
        reason=command.reason,
    )
    event_id = t.add(
        E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED, event, user_metadata=task.user_metadata
    )
    t.state.cancels.put(event_id, Outgoing(event_id, request_of(t.state.start.run_id, event_id)))
    t.effect(SendCancel(event_id))
