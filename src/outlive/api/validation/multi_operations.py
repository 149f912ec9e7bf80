"""ExecuteMultiOperation: exactly a start and an update of one workflow."""

from __future__ import annotations

from typing import Any

from outlive.api.validation import executions, starts
from outlive.api.validation.common import Scope
from outlive.errors import InvalidArgument, MultiOperationFailed, NamespaceNotFound, ServiceError


def execute(request: Any, scope: Scope) -> None:
    kinds = [operation.WhichOneof("operation") for operation in request.operations]
    if kinds != ["start_workflow", "update_workflow"]:
        raise InvalidArgument("Operations have to be exactly [Start, Update].")
    try:
        _check_start(request.operations[0].start_workflow, scope)
    except ServiceError as error:
        raise MultiOperationFailed(error, 0, 2) from None
    try:
        _check_update(request.operations[1].update_workflow, request.operations[0].start_workflow.workflow_id, scope)
    except ServiceError as error:
        raise MultiOperationFailed(error, 1, 2) from None


def _check_namespace(operation: Any, scope: Scope) -> None:
    if not operation.namespace:
        raise NamespaceNotFound("")
    if operation.namespace != scope.namespace.name:
        raise InvalidArgument("Operation namespace did not match request's namespace.")


def _check_start(start: Any, scope: Scope) -> None:
    _check_namespace(start, scope)
    if start.cron_schedule:
        raise InvalidArgument("CronSchedule is not allowed.")
    if start.request_eager_execution:
        raise InvalidArgument("RequestEagerExecution is not supported.")
    if start.HasField("workflow_start_delay"):
        raise InvalidArgument("WorkflowStartDelay is not supported.")
    starts.start(start, scope)


def _check_update(update: Any, workflow_id: str, scope: Scope) -> None:
    _check_namespace(update, scope)
    if update.workflow_execution.workflow_id != workflow_id:
        raise InvalidArgument("WorkflowId is not consistent with previous operation(s).")
    if update.workflow_execution.run_id:
        raise InvalidArgument("RunId is not allowed.")
    if update.first_execution_run_id:
        raise InvalidArgument("FirstExecutionRunId is not allowed.")
    executions.update(update, scope)
