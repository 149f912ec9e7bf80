"""Namespaces over gRPC: registered, changed, deleted with all they hold; what a restart makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import IndexedValueType, NamespaceState
from temporalio.api.errordetails.v1 import NamespaceInvalidStateFailure, NamespaceNotFoundFailure
from temporalio.api.operatorservice.v1 import (
    AddOrUpdateRemoteClusterRequest,
    AddSearchAttributesRequest,
    DeleteNamespaceRequest,
    ListClustersRequest,
    ListSearchAttributesRequest,
    RemoveRemoteClusterRequest,
    RemoveSearchAttributesRequest,
)
from temporalio.api.schedule.v1 import IntervalSpec, Schedule, ScheduleAction, ScheduleSpec
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import NewWorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CreateScheduleRequest,
    DeprecateNamespaceRequest,
    DescribeNamespaceRequest,
    DescribeNamespaceResponse,
    DescribeWorkflowExecutionRequest,
    ListArchivedWorkflowExecutionsRequest,
    ListNamespacesRequest,
    RegisterNamespaceRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UpdateNamespaceRequest,
)
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ChildWorkflowError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from outlive.config import ServerConfig
from outlive.server import Server

DAY = Duration(seconds=86_400)
HOUR = Duration(seconds=3_600)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(
        ServerConfig(
            port=0,
            http_port=0,
            database=tmp_path / "outlive.db",
            dynamic_config={"worker.protectedNamespaces": ["dear"]},
            namespaces=("dear",),
        )
    )
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def client(server: Server) -> Client:
    return await Client.connect(f"127.0.0.1:{server.port}")


async def refused(call: Awaitable[Any]) -> tuple[RPCStatusCode, str, Any]:
    """Status, words and first detail of an error."""
    with pytest.raises(RPCError) as caught:
        await call
    details = caught.value.grpc_status.details
    return caught.value.status, caught.value.message, details[0] if details else None


async def register(client: Client, name: str, **more: Any) -> DescribeNamespaceResponse:
    fields = {"workflow_execution_retention_period": DAY, **more}
    await client.workflow_service.register_namespace(RegisterNamespaceRequest(namespace=name, **fields))
    return await describe(client, name)


async def describe(client: Client, name: str = "", namespace_id: str = "") -> DescribeNamespaceResponse:
    request = DescribeNamespaceRequest(namespace=name, id=namespace_id)
    return await client.workflow_service.describe_namespace(request)


async def start(client: Client, namespace: str, workflow_id: str) -> str:
    response = await client.workflow_service.start_workflow_execution(
        StartWorkflowExecutionRequest(
            namespace=namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="T"),
            task_queue=TaskQueue(name="q"),
        )
    )
    return response.run_id


async def delete(client: Client, namespace: str = "", **more: Any) -> str:
    response = await client.operator_service.delete_namespace(DeleteNamespaceRequest(namespace=namespace, **more))
    return response.deleted_namespace


async def count(client: Client, namespace: str) -> int:
    response = await client.workflow_service.count_workflow_executions(
        CountWorkflowExecutionsRequest(namespace=namespace)
    )
    return response.count


async def gone(client: Client, name: str) -> None:
    """Wait until there is no such namespace."""
    async with asyncio.timeout(20):
        while True:
            try:
                await describe(client, name)
            except RPCError as error:
                assert error.status == RPCStatusCode.NOT_FOUND
                return
            await asyncio.sleep(0.01)


async def names(client: Client, *, deleted: bool = False) -> list[str]:
    request = ListNamespacesRequest()
    request.namespace_filter.include_deleted = deleted
    response = await client.workflow_service.list_namespaces(request)
    return [each.namespace_info.name for each in response.namespaces]


async def test_register_update_describe(client: Client) -> None:
    made = await register(client, "n", description="d", owner_email="e", data={"a": "1"})
    assert made.namespace_info.state == NamespaceState.NAMESPACE_STATE_REGISTERED
    assert made.config.workflow_execution_retention_ttl == DAY
    assert made.namespace_info.supports_schedules
    assert made.config.HasField("bad_binaries")
    assert [cluster.cluster_name for cluster in made.replication_config.clusters] == ["active"]
    request = UpdateNamespaceRequest(namespace="n")
    request.update_info.owner_email = "f"
    request.update_info.data["b"] = "2"
    request.config.workflow_execution_retention_ttl.seconds = 7_200
    updated = await client.workflow_service.update_namespace(request)
    assert updated.namespace_info.description == "d"  # what is left out stays
    again = await describe(client, namespace_id=made.namespace_info.id)
    assert (again.namespace_info, again.config) == (updated.namespace_info, updated.config)
    assert (again.namespace_info.owner_email, dict(again.namespace_info.data)) == ("f", {"a": "1", "b": "2"})
    assert again.config.workflow_execution_retention_ttl.seconds == 7_200


async def test_a_deleted_namespace_takes_nothing_more_and_is_forgotten(client: Client) -> None:
    made = await register(client, "n")
    for number in range(250):  # several portions
        await start(client, "n", f"w{number}")
    for number in range(5):
        target = WorkflowExecution(workflow_id=f"w{number}")
        request = TerminateWorkflowExecutionRequest(namespace="n", workflow_execution=target)
        await client.workflow_service.terminate_workflow_execution(request)
    name = await delete(client, "n")
    assert name == f"n-deleted-{made.namespace_info.id[:5]}"
    status, words, detail = await refused(start(client, "n", "again"))
    assert (status, words) == (RPCStatusCode.NOT_FOUND, "Namespace n is not found.")
    assert detail.Is(NamespaceNotFoundFailure.DESCRIPTOR)
    await gone(client, name)
    assert (await refused(describe(client, namespace_id=made.namespace_info.id)))[0] == RPCStatusCode.NOT_FOUND
    assert "n" not in await names(client, deleted=True)
    await register(client, "n")  # the name is free
    assert await count(client, "n") == 0


async def test_between_deletion_and_its_end(client: Client) -> None:
    made = await register(client, "n")
    namespace_id = made.namespace_info.id
    await start(client, "n", "w")
    name = await delete(client, "n", namespace_delete_delay=HOUR)
    assert await delete(client, name) == name  # again changes nothing
    for described in (await describe(client, name), await describe(client, namespace_id=namespace_id)):
        assert described.namespace_info.state == NamespaceState.NAMESPACE_STATE_DELETED
        assert described.namespace_info.name == name
    assert name not in await names(client)
    assert name in await names(client, deleted=True)
    signal = SignalWorkflowExecutionRequest(
        namespace=name, workflow_execution=WorkflowExecution(workflow_id="w"), signal_name="s"
    )
    service, operator = client.workflow_service, client.operator_service
    for call in (
        count(client, name),
        service.signal_workflow_execution(signal),
        service.update_namespace(UpdateNamespaceRequest(namespace=name)),
        service.deprecate_namespace(DeprecateNamespaceRequest(namespace=name)),
        operator.list_search_attributes(ListSearchAttributesRequest(namespace=name)),
    ):
        status, words, detail = await refused(call)
        assert status == RPCStatusCode.FAILED_PRECONDITION
        assert words == "Namespace has invalid state: Deleted. Must be Registered or Deprecated."
        state = NamespaceInvalidStateFailure()
        assert detail.Unpack(state)
        assert (state.namespace, state.state) == (name, NamespaceState.NAMESPACE_STATE_DELETED)


async def test_a_restart_goes_on_deleting(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    await register(client, "now")
    await register(client, "later")
    for number in range(150):
        await start(client, "now", f"w{number}")
    later = await delete(client, "later", namespace_delete_delay=HOUR)
    name = await delete(client, "now")  # answered once it is durable: the rest may come in another process
    await server.stop(0)
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    await gone(client, name)
    assert (await describe(client, later)).namespace_info.state == NamespaceState.NAMESPACE_STATE_DELETED
    await server.stop(0)
    import apsw

    with apsw.Connection(str(config.database)) as file:
        assert file.execute("SELECT count(*) FROM run").get == 0
        assert file.execute("SELECT count(*) FROM event").get == 0


async def test_schedules_go_with_their_namespace(client: Client) -> None:
    await register(client, "n")
    workflow_info = NewWorkflowExecutionInfo(
        workflow_id="scheduled", workflow_type=WorkflowType(name="T"), task_queue=TaskQueue(name="q")
    )
    schedule = Schedule(
        spec=ScheduleSpec(interval=[IntervalSpec(interval=Duration(seconds=1))]),
        action=ScheduleAction(start_workflow=workflow_info),
    )
    await client.workflow_service.create_schedule(
        CreateScheduleRequest(namespace="n", schedule_id="s", schedule=schedule, request_id="r")
    )
    async with asyncio.timeout(10):
        while await count(client, "n") == 0:
            await asyncio.sleep(0.02)
    await gone(client, await delete(client, "n"))


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({}, RPCStatusCode.INVALID_ARGUMENT, "Namespace not set on request."),
        ({"namespace": "x" * 1001}, RPCStatusCode.INVALID_ARGUMENT, "Namespace length exceeds limit."),
        ({"namespace": "a", "namespace_id": "b"}, RPCStatusCode.INVALID_ARGUMENT, "Only one of namespace name or Id"),
        ({"namespace": "nope"}, RPCStatusCode.NOT_FOUND, "Namespace nope is not found."),
        ({"namespace_id": "nope"}, RPCStatusCode.NOT_FOUND, "Namespace nope is not found."),
        ({"namespace": "temporal-system"}, RPCStatusCode.FAILED_PRECONDITION, "unable to delete system namespace"),
        ({"namespace": "dear"}, RPCStatusCode.FAILED_PRECONDITION, "namespace dear is protected from deletion"),
    ],
)
async def test_what_is_not_deleted(client: Client, fields: dict[str, str], status: RPCStatusCode, words: str) -> None:
    found = await refused(delete(client, **fields))
    assert found[0] == status
    assert words in found[1]
    assert {"default", "dear"} <= set(await names(client))


async def test_protected_by_id_as_well(client: Client) -> None:
    dear = await describe(client, "dear")
    found = await refused(delete(client, namespace_id=dear.namespace_info.id))
    assert found[0] == RPCStatusCode.FAILED_PRECONDITION


async def test_in_a_deprecated_namespace_nothing_new_is_started(client: Client) -> None:
    await register(client, "n")
    await start(client, "n", "w")
    await client.workflow_service.deprecate_namespace(DeprecateNamespaceRequest(namespace="n"))
    found = await refused(start(client, "n", "again"))
    assert found[:2] == (
        RPCStatusCode.FAILED_PRECONDITION,
        "Namespace has invalid state: Deprecated. Must be Registered.",
    )
    assert await count(client, "n") == 1


@workflow.defn
class Child:
    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, child_id: str) -> None:
        await workflow.execute_child_workflow(Child.run, id=child_id, task_queue="q")


async def test_parents_hear_that_their_children_are_gone(client: Client, server: Server) -> None:
    """Parents in the same namespace go with it; a client that waits for one hears of its end as well."""
    await register(client, "n")
    inside = await Client.connect(f"127.0.0.1:{server.port}", namespace="n")
    async with Worker(inside, task_queue="q", workflows=[Parent, Child]):
        handle = await inside.start_workflow(Parent.run, "child", id="parent", task_queue="q")
        child = inside.get_workflow_handle("child")
        async with asyncio.timeout(10):
            while True:
                try:
                    await child.describe()
                    break
                except RPCError:
                    await asyncio.sleep(0.01)
        waiting = asyncio.create_task(handle.result())
        name = await delete(client, "n", namespace_delete_delay=HOUR)
        with pytest.raises((WorkflowFailureError, RPCError, ChildWorkflowError)):
            await asyncio.wait_for(waiting, 20)
    assert name.startswith("n-deleted-")


async def test_a_changed_retention_reaches_runs_that_are_closed(client: Client, server: Server) -> None:
    await register(client, "n")
    run_id = await start(client, "n", "w")
    target = WorkflowExecution(workflow_id="w", run_id=run_id)
    await client.workflow_service.terminate_workflow_execution(
        TerminateWorkflowExecutionRequest(namespace="n", workflow_execution=target)
    )
    engine: Any = server._engine  # when a run is forgotten is no part of any answer
    state = engine.runs.require(engine.namespaces.get("n").id, "w", run_id).state
    before = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace="n", execution=target)
    )
    request = UpdateNamespaceRequest(namespace="n")
    for seconds in (7_200, 10 * 86_400):
        request.config.workflow_execution_retention_ttl.seconds = seconds
        await client.workflow_service.update_namespace(request)
        await until(lambda wanted=seconds: state.info.forget_at == state.info.close_time + wanted * 10**9)  # type: ignore[misc]
    after = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace="n", execution=target)
    )
    assert after == before  # nothing of the run itself changed
    await until(lambda: not engine.namespaces.get("n").retention_changed)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def test_search_attributes_come_and_go_while_runs_are_there(client: Client) -> None:
    await register(client, "n")
    operator = client.operator_service
    kind = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    await operator.add_search_attributes(AddSearchAttributesRequest(namespace="n", search_attributes={"Colour": kind}))
    listed = await operator.list_search_attributes(ListSearchAttributesRequest(namespace="n"))
    assert dict(listed.custom_attributes) == {"Colour": kind}
    described = await describe(client, "n")
    assert "Colour" in described.config.custom_search_attribute_aliases.values()
    query = CountWorkflowExecutionsRequest(namespace="n", query="Colour = 'red'")
    assert (await client.workflow_service.count_workflow_executions(query)).count == 0
    await operator.remove_search_attributes(
        RemoveSearchAttributesRequest(namespace="n", search_attributes=["Colour", "Unknown"])
    )
    found = await refused(client.workflow_service.count_workflow_executions(query))
    assert found[0] == RPCStatusCode.INVALID_ARGUMENT


async def test_one_cluster(client: Client, server: Server) -> None:
    operator = client.operator_service
    (cluster,) = (await operator.list_clusters(ListClustersRequest(page_size=1))).clusters
    assert cluster.cluster_name == "active"
    assert cluster.address == f"127.0.0.1:{server.port}"
    assert cluster.http_address == f"127.0.0.1:{server.http_port}"
    unavailable = operator.add_or_update_remote_cluster(AddOrUpdateRemoteClusterRequest(frontend_address="other:1"))
    assert (await refused(unavailable))[0] == RPCStatusCode.UNAVAILABLE
    itself = AddOrUpdateRemoteClusterRequest(frontend_address=cluster.address)
    assert (await refused(operator.add_or_update_remote_cluster(itself)))[0] == RPCStatusCode.INVALID_ARGUMENT
    unknown = RemoveRemoteClusterRequest(cluster_name="other")
    assert (await refused(operator.remove_remote_cluster(unknown)))[0] == RPCStatusCode.NOT_FOUND
    own = RemoveRemoteClusterRequest(cluster_name="active")
    assert (await refused(operator.remove_remote_cluster(own)))[0] == RPCStatusCode.INVALID_ARGUMENT
    archived = ListArchivedWorkflowExecutionsRequest(namespace="default")
    found = await refused(client.workflow_service.list_archived_workflow_executions(archived))
    assert found[:2] == (RPCStatusCode.INVALID_ARGUMENT, "Cluster is not configured for visibility archival.")
