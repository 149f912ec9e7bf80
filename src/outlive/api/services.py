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
from outlive.api.system import SystemRpcs
from outlive.api.validation.common import checked_namespace
from outlive.clock import Clock
from outlive.engine import tokens
from outlive.engine.calls import Call
from outlive.engine.engine import Engine
from outlive.engine.namespaces import Namespace
from outlive.errors import Unimplemented

WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
OPERATOR_SERVICE = "temporal.api.operatorservice.v1.OperatorService"
TEST_SERVICE = "temporal.api.testservice.v1.TestService"

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
        "ListWorkflowExecutions": (v.lists.page, seen.list_workflow_executions),
        "ScanWorkflowExecutions": (v.lists.page, seen.scan_workflow_executions),
        "ListOpenWorkflowExecutions": (v.lists.old_page, seen.list_open_workflow_executions),
        "ListClosedWorkflowExecutions": (v.lists.old_page, seen.list_closed_workflow_executions),
        "CountWorkflowExecutions": (v.lists.count, seen.count_workflow_executions),
        "DescribeTaskQueue": (v.lists.task_queue, seen.describe_task_queue),
        "PollWorkflowTaskQueue": (v.tasks.poll, tasks.poll_workflow_task_queue),
        "RespondWorkflowTaskCompleted": (v.tasks.token, tasks.respond_workflow_task_completed),
        "RespondWorkflowTaskFailed": (v.tasks.token, tasks.respond_workflow_task_failed),
        "RespondQueryTaskCompleted": (v.tasks.query_token, engine.queries.respond_query_task_completed),
        "ResetStickyTaskQueue": (v.executions.describe, tasks.reset_sticky_task_queue),
        "ShutdownWorker": (v.tasks.shutdown, tasks.shutdown_worker),
        "PollActivityTaskQueue": (v.tasks.poll, acts.poll_activity_task_queue),
        "RecordActivityTaskHeartbeat": (v.tasks.token, acts.record_activity_task_heartbeat),
        "RecordActivityTaskHeartbeatById": (v.tasks.by_id, acts.record_activity_task_heartbeat_by_id),
        "RespondActivityTaskCompleted": (v.tasks.token, acts.respond_activity_task_completed),
        "RespondActivityTaskCompletedById": (v.tasks.by_id, acts.respond_activity_task_completed_by_id),
        "RespondActivityTaskFailed": (v.tasks.failed_token, acts.respond_activity_task_failed),
        "RespondActivityTaskFailedById": (v.tasks.failed_by_id, acts.respond_activity_task_failed_by_id),
        "RespondActivityTaskCanceled": (v.tasks.token, acts.respond_activity_task_canceled),
        "RespondActivityTaskCanceledById": (v.tasks.by_id, acts.respond_activity_task_canceled_by_id),
    }


def _in_namespace(engine: Engine, clock: Clock, check: Check, method: EngineMethod) -> Method:
    """The RPC with its namespace resolved and its request checked."""
    namespaces = engine.namespaces

    async def run(request: Any, call: Call) -> Answer:
        if request.namespace or not getattr(request, "task_token", b""):
            namespace = checked_namespace(namespaces, request.namespace)
        else:  # an old worker: its token says whose it is
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
        _set(table, WORKFLOW_SERVICE, name, _in_namespace(engine, clock, check, method))
    namespaces = NamespaceRpcs(engine.namespaces)
    for name, own in {**SystemRpcs(engine.namespaces).methods(), **namespaces.methods()}.items():
        _set(table, WORKFLOW_SERVICE, name, own)
    for name, own in namespaces.operator_methods().items():
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
