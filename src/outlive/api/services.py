"""Every RPC that the server answers: path -> request class, validation, engine coroutine.

To add an RPC: its coroutine in the engine, its check in `validation/`, a line in the table here. What the
protocol has and this table lacks answers UNIMPLEMENTED with the method's name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import temporalio.api.operatorservice.v1 as operatorservice
import temporalio.api.testservice.v1 as testservice
import temporalio.api.workflowservice.v1 as workflowservice
from google.protobuf.message import Message

from outlive.api import validation
from outlive.api.handlers import Answer, Handlers, Method, Rpc
from outlive.api.health import health_handlers
from outlive.api.namespaces import NamespaceRpcs
from outlive.api.search_attributes import SearchAttributeRpcs
from outlive.api.system import SystemRpcs
from outlive.api.validation.common import checked_namespace
from outlive.clock import Clock
from outlive.engine import tokens
from outlive.engine.calls import Call
from outlive.engine.engine import Engine
from outlive.engine.namespaces import Namespace
from outlive.errors import InvalidArgument, Unimplemented

WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
OPERATOR_SERVICE = "temporal.api.operatorservice.v1.OperatorService"
TEST_SERVICE = "temporal.api.testservice.v1.TestService"

_NO_TOKEN = "Task token not set on request."

EngineMethod = Callable[[Namespace, Any, Call], Awaitable[Answer]]
Check = Callable[[Any, validation.Scope], None]


def _engine_table(engine: Engine) -> dict[str, tuple[Check, EngineMethod]]:
    """RPCs on executions and queues."""
    tasks, acts, runs = engine.workflow_tasks, engine.activity_tasks, engine.lifecycle
    seen, hist = engine.descriptions, engine.histories
    v = validation
    return {
        "StartWorkflowExecution": (v.starts.start, engine.starts.start_workflow_execution),
        "SignalWithStartWorkflowExecution": (
            v.starts.signal_with_start,
            engine.starts.signal_with_start_workflow_execution,
        ),
        "SignalWorkflowExecution": (v.executions.signal, runs.signal_workflow_execution),
        "RequestCancelWorkflowExecution": (v.executions.cancel, runs.request_cancel_workflow_execution),
        "TerminateWorkflowExecution": (v.executions.terminate, runs.terminate_workflow_execution),
        "DeleteWorkflowExecution": (v.executions.delete, runs.delete_workflow_execution),
        "QueryWorkflow": (v.executions.query, engine.queries.query_workflow),
        "UpdateWorkflowExecution": (v.executions.update, engine.updates.update_workflow_execution),
        "PollWorkflowExecutionUpdate": (v.executions.poll_update, engine.updates.poll_workflow_execution_update),
        "ExecuteMultiOperation": (
            v.multi_operations.execute,
            engine.multi_operations.execute_multi_operation,
        ),
        "DescribeWorkflowExecution": (v.executions.describe, seen.describe_workflow_execution),
        "GetWorkflowExecutionHistory": (v.executions.history, hist.get_workflow_execution_history),
        "GetWorkflowExecutionHistoryReverse": (v.executions.history, hist.get_workflow_execution_history_reverse),
        "ListWorkflowExecutions": (v.nothing, seen.list_workflow_executions),
        "ScanWorkflowExecutions": (v.nothing, seen.scan_workflow_executions),
        "ListOpenWorkflowExecutions": (v.lists.window, seen.list_open_workflow_executions),
        "ListClosedWorkflowExecutions": (v.lists.closed, seen.list_closed_workflow_executions),
        "CountWorkflowExecutions": (v.nothing, seen.count_workflow_executions),
        "DescribeTaskQueue": (v.lists.task_queue, seen.describe_task_queue),
        "PollWorkflowTaskQueue": (v.tasks.poll, tasks.poll_workflow_task_queue),
        "RespondWorkflowTaskCompleted": (v.tasks.answered, tasks.respond_workflow_task_completed),
        "RespondWorkflowTaskFailed": (v.tasks.answered, tasks.respond_workflow_task_failed),
        "RespondQueryTaskCompleted": (v.nothing, engine.queries.respond_query_task_completed),
        "ResetStickyTaskQueue": (v.executions.describe, tasks.reset_sticky_task_queue),
        "ShutdownWorker": (v.nothing, tasks.shutdown_worker),
        "PollActivityTaskQueue": (v.tasks.poll, acts.poll_activity_task_queue),
        "RecordActivityTaskHeartbeat": (v.nothing, acts.record_activity_task_heartbeat),
        "RecordActivityTaskHeartbeatById": (v.tasks.by_id, acts.record_activity_task_heartbeat_by_id),
        "RespondActivityTaskCompleted": (v.tasks.answered, acts.respond_activity_task_completed),
        "RespondActivityTaskCompletedById": (v.tasks.answered_by_id, acts.respond_activity_task_completed_by_id),
        "RespondActivityTaskFailed": (v.tasks.failed, acts.respond_activity_task_failed),
        "RespondActivityTaskFailedById": (v.tasks.answered_by_id, acts.respond_activity_task_failed_by_id),
        "RespondActivityTaskCanceled": (v.tasks.answered, acts.respond_activity_task_canceled),
        "RespondActivityTaskCanceledById": (v.tasks.answered_by_id, acts.respond_activity_task_canceled_by_id),
    }


def _in_namespace(engine: Engine, clock: Clock, by_token: bool, check: Check, method: EngineMethod) -> Method:
    """The RPC with its namespace resolved and its request checked."""
    namespaces = engine.namespaces

    async def run(request: Any, call: Call) -> Answer:
        if request.namespace or not by_token:
            namespace = checked_namespace(namespaces, request.namespace)
            if by_token and not request.task_token:
                raise InvalidArgument(_NO_TOKEN)
        else:  # an old worker: its token says whose it is
            if not request.task_token:
                raise InvalidArgument(_NO_TOKEN)
            namespace = namespaces.by_id(tokens.namespace_of(request.task_token))
        check(request, validation.Scope(namespace, call, clock.now(), namespaces.new_id))
        return await method(namespace, request, call)

    return run


def _unimplemented(name: str) -> Method:
    async def run(request: Any, call: Call) -> Answer:
        raise Unimplemented(f"{name} is not built into this server yet")

    return run


def handlers(engine: Engine, clock: Clock) -> Handlers:
    """The whole table."""
    table: dict[str, Rpc] = {}
    for service, module in (
        (WORKFLOW_SERVICE, workflowservice),
        (OPERATOR_SERVICE, operatorservice),
        (TEST_SERVICE, testservice),
    ):
        for name, request in _requests(module).items():
            table[f"/{service}/{name}"] = Rpc(request, _unimplemented(name))
    for name, (check, method) in _engine_table(engine).items():
        by_token = "task_token" in table[f"/{WORKFLOW_SERVICE}/{name}"].request.DESCRIPTOR.fields_by_name
        _set(table, WORKFLOW_SERVICE, name, _in_namespace(engine, clock, by_token, check, method))
    for name, own in {**SystemRpcs(engine.namespaces).methods(), **NamespaceRpcs(engine.namespaces).methods()}.items():
        _set(table, WORKFLOW_SERVICE, name, own)
    for name, own in SearchAttributeRpcs(engine.namespaces).methods().items():
        _set(table, OPERATOR_SERVICE, name, own)
    table.update(health_handlers((WORKFLOW_SERVICE, OPERATOR_SERVICE)))
    return table


def _set(table: dict[str, Rpc], service: str, name: str, method: Method) -> None:
    path = f"/{service}/{name}"
    table[path] = Rpc(table[path].request, method)


def _requests(module: Any) -> dict[str, type[Message]]:
    """The request classes of a service's RPCs, by RPC name."""
    names = [name for name in dir(module) if name.endswith("Request") and hasattr(module, name[:-7] + "Response")]
    return {name.removesuffix("Request"): getattr(module, name) for name in names}
