"""The commands that close the workflow: complete, fail, cancel, continue as new."""

from __future__ import annotations

from temporalio.api.command.v1 import (
    CancelWorkflowExecutionCommandAttributes,
    CompleteWorkflowExecutionCommandAttributes,
    ContinueAsNewWorkflowExecutionCommandAttributes,
    FailWorkflowExecutionCommandAttributes,
)

from outlive.core import close, search_attributes
from outlive.core.commands.base import (
    BadCommand,
    Cause,
    CommandTask,
    capped,
    checked_policy,
    negative,
    normal_queue,
    queue_problem,
    queue_text,
    too_long,
)
from outlive.core.proto import duration, ns_of
from outlive.errors import InvalidArgument
from outlive.limits import WORKFLOW_TASK_TIMEOUT_MAX

UNHANDLED = Cause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
BAD_FAIL = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES
# A result that is too large is filed under this cause, as the protocol's own server does.
TOO_LARGE_RESULT = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
BAD_CONTINUE = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES
BAD_ATTRIBUTES = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
_CONTINUE = "ContinueAsNewWorkflowExecutionCommand"


def _nothing_unseen(task: CommandTask) -> None:
    """A workflow may not close over events that it has not seen."""
    if task.had_buffered and task.t.state.buffered:
        raise BadCommand(UNHANDLED)


def complete(task: CommandTask, command: CompleteWorkflowExecutionCommandAttributes) -> None:
    if command.result.ByteSize() >= task.t.limits.payload_size_max:
        raise BadCommand(
            TOO_LARGE_RESULT,
            "CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.",
            terminates=True,
        )
    _nothing_unseen(task)
    result = command.result if command.HasField("result") else None
    close.complete(task.t, result, task.completed_event_id, task.user_metadata)


def fail(task: CommandTask, command: FailWorkflowExecutionCommandAttributes) -> None:
    if not command.HasField("failure"):
        raise BadCommand(BAD_FAIL, "Failure is not set on FailWorkflowExecutionCommand.")
    if command.failure.ByteSize() >= task.t.limits.payload_size_max:
        raise BadCommand(
            BAD_FAIL, "FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.", terminates=True
        )
    _nothing_unseen(task)
    close.fail(task.t, command.failure, task.completed_event_id, task.user_metadata)


def cancel(task: CommandTask, command: CancelWorkflowExecutionCommandAttributes) -> None:
    _nothing_unseen(task)
    details = command.details if command.HasField("details") else None
    close.cancel(task.t, details, task.completed_event_id, task.user_metadata)


def continue_as_new(task: CommandTask, command: ContinueAsNewWorkflowExecutionCommandAttributes) -> None:
    """Checked and filled in from the running workflow; then the next run opens."""
    filled = ContinueAsNewWorkflowExecutionCommandAttributes()
    filled.CopyFrom(command)
    _check_continue(task, filled)
    _check_sizes(task, filled)
    _nothing_unseen(task)
    start = task.t.state.start
    if not ns_of(filled.workflow_run_timeout):
        filled.workflow_run_timeout.CopyFrom(duration(start.run_timeout))
    longest = start.execution_timeout
    if longest and (not ns_of(filled.workflow_run_timeout) or ns_of(filled.workflow_run_timeout) > longest):
        filled.workflow_run_timeout.CopyFrom(duration(longest))
    task_timeout = min(capped(filled.workflow_task_timeout) or start.task_timeout, WORKFLOW_TASK_TIMEOUT_MAX)
    run_timeout = ns_of(filled.workflow_run_timeout)
    filled.workflow_task_timeout.CopyFrom(duration(min(task_timeout, run_timeout) if run_timeout else task_timeout))
    if filled.HasField("retry_policy"):
        filled.retry_policy.CopyFrom(checked_policy(filled.retry_policy)[0])
    close.continue_as_new(task.t, filled, task.completed_event_id, task.user_metadata)


def _check_continue(task: CommandTask, command: ContinueAsNewWorkflowExecutionCommandAttributes) -> None:
    start = task.t.state.start
    if not command.workflow_type.name:
        command.workflow_type.name = start.workflow_type
    kind = command.workflow_type.name
    if too_long(kind):
        raise BadCommand(
            BAD_CONTINUE,
            f"WorkflowType on {_CONTINUE} exceeds length limit. WorkflowType={kind} "
            f"Length={len(kind.encode())} Limit=1000",
        )
    command.task_queue.CopyFrom(normal_queue(command.task_queue.name or start.task_queue))
    where = f"WorkflowType={kind} TaskQueue={queue_text(command.task_queue)}"
    if problem := queue_problem(command.task_queue.name):
        raise BadCommand(BAD_CONTINUE, f"error validating {_CONTINUE} TaskQueue: {problem}. {where}")
    for name, value in (
        ("WorkflowRunTimeout", command.workflow_run_timeout),
        ("WorkflowTaskTimeout", command.workflow_task_timeout),
        ("BackoffStartInterval", command.backoff_start_interval),
    ):
        if negative(value):
            raise BadCommand(BAD_CONTINUE, f"Invalid {name} on {_CONTINUE}: negative duration. {where}")
    if command.HasField("retry_policy") and (problem := checked_policy(command.retry_policy)[1]):
        raise BadCommand(BAD_CONTINUE, f"invalid WorkflowRetryPolicy on {_CONTINUE}: {problem}. {where}")
    if command.HasField("search_attributes"):
        context = task.t.context
        try:
            normal = search_attributes.validate(command.search_attributes, context.attribute_types, start.namespace)
        except InvalidArgument as error:
            unknown = "no mapping defined" in error.message
            text = error.message if unknown else f"invalid SearchAttributes on {_CONTINUE}: {error.message}. {where}"
            raise BadCommand(BAD_ATTRIBUTES, text, terminates="size limit" in error.message) from None
        command.search_attributes.CopyFrom(normal)


def _check_sizes(task: CommandTask, command: ContinueAsNewWorkflowExecutionCommandAttributes) -> None:
    limits = task.t.limits
    if command.input.ByteSize() >= limits.payload_size_max:
        raise BadCommand(
            BAD_CONTINUE,
            "ContinueAsNewWorkflowExecutionCommandAttributes. Input exceeds size limit.",
            terminates=True,
        )
    if command.memo.ByteSize() >= limits.memo_size_max:
        raise BadCommand(
            BAD_CONTINUE,
            "ContinueAsNewWorkflowExecutionCommandAttributes. Memo exceeds size limit.",
            terminates=True,
        )
