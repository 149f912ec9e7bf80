"""What a start request leaves out, and what it exaggerates."""

from __future__ import annotations

from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import WorkflowIdReusePolicy
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from outlive.core import retry
from outlive.limits import SECOND, TIMEOUT_MAX, WORKFLOW_TASK_TIMEOUT_DEFAULT, WORKFLOW_TASK_TIMEOUT_MAX

_TIMEOUTS: Final = ("workflow_execution_timeout", "workflow_run_timeout", "workflow_task_timeout")


def fill_in(request: StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest) -> None:
    """Give the request the defaults of times and policies. No run lives longer than its chain, no task than its run."""
    if not request.workflow_id_reuse_policy:
        request.workflow_id_reuse_policy = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
    if request.HasField("workflow_start_delay"):
        _cut(request.workflow_start_delay)
    if request.HasField("retry_policy"):
        request.retry_policy.CopyFrom(retry.with_defaults(request.retry_policy))
        _cut(request.retry_policy.maximum_interval)
    execution, run, task = (min(_ns(getattr(request, name)), TIMEOUT_MAX) for name in _TIMEOUTS)
    if execution:
        run = min(run or execution, execution)
    task = min(task or WORKFLOW_TASK_TIMEOUT_DEFAULT, WORKFLOW_TASK_TIMEOUT_MAX)
    if run:
        task = min(task, run)
    for name, value in zip(_TIMEOUTS, (execution, run, task), strict=True):
        if value:
            _set_ns(getattr(request, name), value)
        else:
            request.ClearField(name)  # type: ignore[arg-type]


def _ns(value: Duration) -> int:
    return value.seconds * SECOND + value.nanos


def _set_ns(target: Duration, value: int) -> None:
    target.seconds, target.nanos = divmod(value, SECOND)


def _cut(value: Duration) -> None:
    """No span is longer than time-outs may be: the sum of a time and a span has to fit 64 bits."""
    if _ns(value) > TIMEOUT_MAX:
        _set_ns(value, TIMEOUT_MAX)
