"""Every RPC that the server answers: path -> request class, validation, engine coroutine.

The tables are in `rpcs/`, one for each capability. What the protocol has and they lack answers UNIMPLEMENTED
with the method's name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import temporalio.api.operatorservice.v1 as operatorservice
import temporalio.api.workflowservice.v1 as workflowservice
from google.protobuf.message import Message

from outlive.api import switches, testing, validation
from outlive.api.clusters import Addresses, ArchiveRpcs, ClusterRpcs
from outlive.api.handlers import Answer, Handlers, Method, Rpc
from outlive.api.health import health_handlers
from outlive.api.namespaces import NamespaceRpcs
from outlive.api.quotas import Quota, Quotas
from outlive.api.rpcs import (
    Check,
    EngineMethod,
    activities,
    batches,
    changes,
    deployments,
    executions,
    resets,
    schedules,
    task_queues,
    tasks,
    workers,
)
from outlive.api.search_attributes import SearchAttributeRpcs
from outlive.api.system import SystemRpcs
from outlive.api.validation.common import checked_namespace
from outlive.clock import Clock
from outlive.engine import tokens
from outlive.engine.calls import Call
from outlive.engine.engine import Engine
from outlive.errors import InvalidArgument, Unimplemented

WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
OPERATOR_SERVICE = "temporal.api.operatorservice.v1.OperatorService"
TEST_SERVICE = "temporal.api.testservice.v1.TestService"

_NO_TOKEN = "Task token not set on request."

_CAPABILITIES = (
    activities,
    batches,
    changes,
    deployments,
    executions,
    resets,
    schedules,
    task_queues,
    tasks,
    workers,
)


def _in_namespace(
    engine: Engine, clock: Clock, quota: Quota, name: str, by_token: bool, check: Check, method: EngineMethod
) -> Method:
    """The RPC with its namespace resolved and its request checked."""
    namespaces, config = engine.namespaces, engine.config
    gate = switches.gate(config, name)

    async def run(request: Any, call: Call) -> Answer:
        if request.namespace or not by_token:
            namespace = checked_namespace(namespaces, request.namespace)
            if by_token and not request.task_token:
                raise InvalidArgument(_NO_TOKEN)
        else:  # an old worker: its token says whose it is
            if not request.task_token:
                raise InvalidArgument(_NO_TOKEN)
            namespace = namespaces.by_id(tokens.namespace_of(request.task_token))
        if gate is not None:
            gate(namespace.name)
        turn = quota.admit(namespace, request, clock.now())
        if turn is not None:
            await turn
        check(request, validation.Scope(namespace, call, clock.now(), namespaces.new_id, config))
        if quota.holds:
            return await quota.hold(namespace, request, lambda: method(namespace, request, call))
        return await method(namespace, request, call)

    return run


def _unimplemented(name: str) -> Method:
    async def run(request: Any, call: Call) -> Answer:
        raise Unimplemented(f"{name} is not built into this server yet")

    return run


def handlers(engine: Engine, clock: Clock, addresses: Callable[[], Addresses] = Addresses) -> Handlers:
    """The whole table. `addresses` says where the server answers, once it does."""
    quotas = Quotas(engine.config)
    table: dict[str, Rpc] = {}
    for service, module in (
        (WORKFLOW_SERVICE, workflowservice),
        (OPERATOR_SERVICE, operatorservice),
    ):
        for name, request in _requests(module).items():
            table[f"/{service}/{name}"] = Rpc(request, _unimplemented(name))
    for capability in _CAPABILITIES:
        for name, (check, method) in capability.rpcs(engine).items():
            by_token = "task_token" in table[f"/{WORKFLOW_SERVICE}/{name}"].request.DESCRIPTOR.fields_by_name
            checked = _in_namespace(engine, clock, quotas.of(name), name, by_token, check, method)
            _set(table, WORKFLOW_SERVICE, name, checked)
    namespaces = NamespaceRpcs(engine.namespaces, engine.namespace_upkeep, engine.config)
    system, archives = SystemRpcs(engine.namespaces, engine.config), ArchiveRpcs(engine.namespaces)
    for own in (system.methods(), archives.methods(), namespaces.methods()):
        for name, own_method in own.items():
            _set(table, WORKFLOW_SERVICE, name, own_method)
    attributes, clusters = SearchAttributeRpcs(engine.namespaces), ClusterRpcs(addresses)
    for own in (attributes.methods(), clusters.methods(), namespaces.operator_methods()):
        for name, own_method in own.items():
            _set(table, OPERATOR_SERVICE, name, own_method)
    table.update(health_handlers((WORKFLOW_SERVICE, OPERATOR_SERVICE)))
    _add_testing(table, engine)
    return table


def _add_testing(table: dict[str, Rpc], engine: Engine) -> None:
    """The service that skips time, and what other calls mean for that."""
    for name, rpc in testing.test_service(engine.time_skipping).items():
        table[f"/{TEST_SERVICE}/{name}"] = rpc
    if engine.time_skipping is not None:
        prefix = f"/{WORKFLOW_SERVICE}/"
        for name, wrapped in testing.calls_that_matter(engine.time_skipping).items():
            table[prefix + name] = wrapped(table[prefix + name])


def _set(table: dict[str, Rpc], service: str, name: str, method: Method) -> None:
    path = f"/{service}/{name}"
    table[path] = Rpc(table[path].request, method)


def _requests(module: Any) -> dict[str, type[Message]]:
    """The request classes of a service's RPCs, by RPC name."""
    names = [name for name in dir(module) if name.endswith("Request") and hasattr(module, name[:-7] + "Response")]
    return {name.removesuffix("Request"): getattr(module, name) for name in names}
