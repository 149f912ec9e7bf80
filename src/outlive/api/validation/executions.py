"""Requests about an execution that is there."""

from __future__ import annotations

from typing import Any

from outlive.api.validation.common import Scope, check_execution, check_id, check_links, check_payloads
from outlive.errors import InvalidArgument


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
    check_id("RequestId", request.request_id)
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


def describe(request: Any, scope: Scope) -> None:
    check_execution(request.execution, request.HasField("execution"))


def history(request: Any, scope: Scope) -> None:
    check_execution(request.execution, request.HasField("execution"))
