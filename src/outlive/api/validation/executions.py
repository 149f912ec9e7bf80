"""Requests about an execution that is there."""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage

from outlive.api.validation.common import Scope, check_execution, check_id, check_links, check_payloads
from outlive.errors import InvalidArgument, PermissionDenied

_ADMITTED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED


def signal(request: Any, scope: Scope) -> None:
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))
    if not request.signal_name:
        raise InvalidArgument("SignalName is not set on request.")
    check_id("SignalName", request.signal_name)
    check_id("RequestId", request.request_id)
    check_links(request.links)
    check_payloads(request.input, scope)


def cancel(request: Any, scope: Scope) -> None:
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))
    check_links(request.links)


def terminate(request: Any, scope: Scope) -> None:
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))
    check_links(request.links)


def delete(request: Any, scope: Scope) -> None:
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))


def query(request: Any, scope: Scope) -> None:
    check_execution(request.execution, request.HasField("execution"))
    if not request.HasField("query"):
        raise InvalidArgument("WorkflowQuery is not set on request.")
    if not request.query.query_type:
        raise InvalidArgument("QueryType is not set on request.")
    check_payloads(request.query.query_args, scope)


def update(request: Any, scope: Scope) -> None:
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))
    if not request.request.HasField("meta"):
        raise InvalidArgument("Update meta is not set on request.")
    check_id("UpdateId", request.request.meta.update_id)
    if not request.request.HasField("input"):
        raise InvalidArgument("Update input is not set on request.")
    if not request.request.input.name:
        raise InvalidArgument("Update name is not set on request.")
    check_payloads(request.request.input.args, scope)
    if request.wait_policy.lifecycle_stage == _ADMITTED:
        raise PermissionDenied(
            "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported."
        )
    if not request.request.meta.update_id:
        request.request.meta.update_id = scope.new_id()


def poll_update(request: Any, scope: Scope) -> None:
    if not request.HasField("update_ref"):
        raise InvalidArgument("UpdateRef is not set on request.")
    if not request.update_ref.workflow_execution.workflow_id:
        raise InvalidArgument("Can't load workflow execution.  WorkflowId not set.")
    check_execution(request.update_ref.workflow_execution, True)


def describe(request: Any, scope: Scope) -> None:
    check_execution(request.execution, request.HasField("execution"))


def history(request: Any, scope: Scope) -> None:
    check_execution(request.execution, request.HasField("execution"))
