"""Pausing, unpausing, and changed options."""

from __future__ import annotations

from typing import Any

from outlive.api.validation.common import UUID, Scope, length
from outlive.api.validation.options import check_change
from outlive.errors import InvalidArgument
from outlive.limits import ID_LENGTH_MAX


def pause(request: Any, scope: Scope) -> None:
    """PauseWorkflowExecution, UnpauseWorkflowExecution."""
    for name, text in (("identity", request.identity), ("reason", request.reason), ("request id", request.request_id)):
        if length(text) > ID_LENGTH_MAX:
            raise InvalidArgument(f"{name} is too long.")
    if not request.workflow_id:
        raise InvalidArgument("Can't load workflow execution.  WorkflowId not set.")
    if request.run_id and not UUID.fullmatch(request.run_id):
        raise InvalidArgument("RunId is not valid UUID.")


def options(request: Any, scope: Scope) -> None:
    """UpdateWorkflowExecutionOptions."""
    execution = request.workflow_execution
    if not execution.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    if execution.run_id and not UUID.fullmatch(execution.run_id):
        raise InvalidArgument("RunId is not valid UUID.")
    if not request.HasField("workflow_execution_options"):
        raise InvalidArgument("WorkflowExecutionOptions is required")
    check_change(request.workflow_execution_options, request.update_mask, scope)
