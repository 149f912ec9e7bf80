"""Resets."""

from __future__ import annotations

from typing import Any

from temporalio.api.workflow.v1 import PostResetOperation

from outlive.api.validation.common import Scope, check_execution, check_id
from outlive.api.validation.options import check_change
from outlive.errors import InvalidArgument


def reset(request: Any, scope: Scope) -> None:
    """ResetWorkflowExecution."""
    if not request.request_id:
        raise InvalidArgument("RequestId is not set on request.")
    check_id("RequestId", request.request_id)
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))
    for operation in request.post_reset_operations:
        check_operation(operation, scope)


def check_operation(operation: PostResetOperation, scope: Scope) -> None:
    """What is to follow a reset: only changed options, as in the protocol's own server."""
    kind = operation.WhichOneof("variant")
    if kind != "update_workflow_options":
        named = "*workflow.PostResetOperation_SignalWorkflow_" if kind else "<nil>"
        raise InvalidArgument(f"unsupported post reset operation: {named}")
    change = operation.update_workflow_options
    check_change(change.workflow_execution_options, change.update_mask, scope)
