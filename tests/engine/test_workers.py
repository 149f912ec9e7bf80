"""The registry of workers over raw gRPC and with the SDK's workers, and what shutting one down ends."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from itertools import pairwise

import pytest
from temporalio import activity, workflow
from temporalio.api.command.v1 import Command
from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import CommandType, TaskQueueKind, TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerHostInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkersRequest,
    DescribeNamespaceRequest,
    DescribeWorkerRequest,
    FetchWorkerConfigRequest,
    ListWorkersRequest,
    ListWorkersResponse,
    PollWorkflowTaskQueueRequest,
    RecordWorkerHeartbeatRequest,
    RespondWorkflowTaskCompletedRequest,
    ShutdownWorkerRequest,
    SignalWorkflowExecutionRequest,
    UpdateWorkerConfigRequest,
)
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from outlive.server import Server
from tests.engine.queue_calls import ACTIVITY, WORKFLOW, Queue

pytestmark = pytest.mark.timeout(60)
RUNNING = WorkerStatus.WORKER_STATUS_RUNNING
SHUTDOWN = WorkerStatus.WORKER_STATUS_SHUTDOWN


def heartbeat(key: str, **fields: object) -> WorkerHeartbeat:
    result = WorkerHeartbeat(
        worker_instance_key=key,
        worker_identity=f"{key}@host",
        host_info=WorkerHostInfo(host_name="host", process_id="7", worker_grouping_key="group"),
        task_queue="queue",
        sdk_name="temporal-python",
        sdk_version="1.31.0",
        status=RUNNING,
        **fields,  # type: ignore[arg-type]
    )
    result.start_time.FromJsonString("2026-03-01T00:00:00Z")
    result.heartbeat_time.GetCurrentTime()
    return result


async def tell(client: Client, *heartbeats: WorkerHeartbeat) -> None:
    await client.workflow_service.record_worker_heartbeat(
        RecordWorkerHeartbeatRequest(namespace=client.namespace, identity="me", worker_heartbeat=heartbeats)
    )


async def listed(client: Client, query: str = "", size: int = 0, token: bytes = b"") -> ListWorkersResponse:
    return await client.workflow_service.list_workers(
        ListWorkersRequest(namespace=client.namespace, query=query, page_size=size, next_page_token=token)
    )


async def keys(client: Client, query: str = "") -> list[str]:
    found = [worker.worker_instance_key for worker in (await listed(client, query)).workers]
    counted = await client.workflow_service.count_workers(CountWorkersRequest(namespace=client.namespace, query=query))
    assert counted.count == len(found)
    return found


# -- the registry


async def test_a_worker_is_listed_and_described_until_it_shuts_down(client: Client) -> None:
    version = WorkerDeploymentVersion(deployment_name="app", build_id="b1")
    told = heartbeat("w1", deployment_version=version)
    await tell(client, told, heartbeat("w2"))
    response = await listed(client)
    assert [info.worker_heartbeat.worker_instance_key for info in response.workers_info] == ["w1", "w2"]
    assert response.workers_info[0].worker_heartbeat == told
    first = response.workers[0]
    assert (first.host_name, first.process_id, first.worker_grouping_key) == ("host", "7", "group")
    assert first.deployment_version == version
    described = await client.workflow_service.describe_worker(
        DescribeWorkerRequest(namespace=client.namespace, worker_instance_key="w1")
    )
    assert described.worker_info.worker_heartbeat == told
    told.status = SHUTDOWN
    await tell(client, told)
    assert await keys(client) == ["w2"]
    with pytest.raises(RPCError) as failure:
        await client.workflow_service.describe_worker(
            DescribeWorkerRequest(namespace=client.namespace, worker_instance_key="w1")
        )
    assert failure.value.status == RPCStatusCode.NOT_FOUND
    assert failure.value.message == "Worker w1 not found"


async def test_pages_go_through_all_workers_once(client: Client) -> None:
    await tell(client, *(heartbeat(f"w{n:03}") for n in range(25)))
    pages: list[list[str]] = []
    token = b""
    while not pages or token:
        response = await listed(client, size=10, token=token)
        pages.append([worker.worker_instance_key for worker in response.workers])
        token = response.next_page_token
        await tell(client, heartbeat("w000"))  # the order is that of the keys, not of the heartbeats
    assert [len(page) for page in pages] == [10, 10, 5]
    flat = [key for page in pages for key in page]
    assert all(one < next_one for one, next_one in pairwise(flat))
    with pytest.raises(RPCError) as failure:
        await listed(client, token=b"garbage")
    assert failure.value.status == RPCStatusCode.INVALID_ARGUMENT


async def test_the_filter_knows_what_heartbeats_tell(client: Client) -> None:
    one = heartbeat("one", deployment_version=WorkerDeploymentVersion(deployment_name="app", build_id="b1"))
    two = heartbeat("two")
    two.task_queue = "other"
    two.start_time.FromJsonString("2026-05-01T00:00:00Z")
    two.host_info.host_name = "elsewhere"
    two.ClearField("heartbeat_time")
    await tell(client, one, two)
    for query, expected in (
        ("TaskQueue = 'queue'", ["one"]),
        ("TaskQueue != 'queue'", ["two"]),
        ("WorkerIdentity STARTS_WITH 'two@'", ["two"]),
        ("WorkerIdentity NOT STARTS_WITH 'two@'", ["one"]),
        ("WorkerInstanceKey = 'one' OR HostName = 'elsewhere'", ["one", "two"]),
        ("(BuildId = 'b1' AND DeploymentName = 'app') OR TaskQueue = 'none'", ["one"]),
        ("BuildId IS NULL", ["two"]),
        ("BuildId IS NOT NULL", ["one"]),
        ("StartTime > '2026-04-01T00:00:00Z'", ["two"]),
        ("StartTime BETWEEN '2026-02-01T00:00:00Z' AND '2026-04-01T00:00:00Z'", ["one"]),
        ("HeartbeatTime IS NULL", ["two"]),
        ("WorkerStatus = 'Running' AND SdkName = 'temporal-python'", ["one", "two"]),
        ("Status = 'ShuttingDown'", []),
        ("SdkVersion IN ('1.31.0')", ["one", "two"]),
        ("NOT TaskQueue = 'queue'", ["two"]),
        ("Nonsense = 1", []),
        ("TaskQueue > 'a'", []),
        ("TaskQueue = ''", []),
        ("StartTime = 'yesterday'", []),
    ):
        assert await keys(client, query) == expected, query
    for malformed in ("TaskQueue =", "AND", "TaskQueue = 'queue", "(TaskQueue = 'queue'"):
        with pytest.raises(RPCError) as failure:
            await listed(client, malformed)
        assert failure.value.status == RPCStatusCode.INVALID_ARGUMENT
        assert "position" in failure.value.message


async def test_namespaces_know_their_own_workers_only(client: Client, server: Server) -> None:
    from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest

    await client.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace="other",
            workflow_execution_retention_period=timedelta(days=1),  # type: ignore[arg-type]
        )
    )
    other = await Client.connect(f"127.0.0.1:{server.port}", namespace="other")
    await tell(client, heartbeat("here"))
    await tell(other, heartbeat("there"))
    assert await keys(client) == ["here"]
    assert await keys(other) == ["there"]


async def test_a_heartbeat_of_unlikely_size_is_refused(client: Client) -> None:
    with pytest.raises(RPCError) as failure:
        await tell(client, heartbeat("x" * 20_000))
    assert failure.value.status == RPCStatusCode.INVALID_ARGUMENT
    assert await keys(client) == []


async def test_commands_to_workers_are_not_enabled(client: Client) -> None:
    service = client.workflow_service
    with pytest.raises(RPCError) as fetch:
        await service.fetch_worker_config(FetchWorkerConfigRequest(namespace=client.namespace))
    with pytest.raises(RPCError) as update:
        await service.update_worker_config(UpdateWorkerConfigRequest(namespace=client.namespace))
    assert {fetch.value.status, update.value.status} == {RPCStatusCode.UNIMPLEMENTED}
    assert fetch.value.message == "FetchWorkerConfig command is not enabled."


# -- shutting down


async def shut_down(client: Client, instance: str, **fields: object) -> None:
    await client.workflow_service.shutdown_worker(
        ShutdownWorkerRequest(
            namespace=client.namespace,
            worker_instance_key=instance,
            identity=instance,
            task_queue="queue",
            **fields,  # type: ignore[arg-type]
        )
    )


async def test_shutting_down_ends_that_workers_polls_at_once_and_no_others(client: Client) -> None:
    queue = Queue(client)
    leaving = [
        asyncio.create_task(queue.poll("leaving", "leaving", seconds=30)),
        asyncio.create_task(queue.poll_activity(identity="leaving", instance="leaving", seconds=30)),
    ]
    staying = asyncio.create_task(queue.poll("staying", "staying", seconds=30))
    await queue.polled("leaving")
    await queue.polled("leaving", ACTIVITY)
    await queue.polled("staying")
    await tell(client, heartbeat("leaving"))
    began = time.monotonic()
    await shut_down(client, "leaving", worker_heartbeat=WorkerHeartbeat(worker_instance_key="leaving", status=SHUTDOWN))
    workflow_task, activity_task = await asyncio.gather(*leaving)
    assert not workflow_task.task_token
    assert not activity_task.task_token
    late = await queue.poll("leaving", "leaving", seconds=30)  # a poll that was on its way
    assert not late.task_token
    assert time.monotonic() - began < 5
    assert await keys(client) == []
    assert [poller.identity for poller in (await queue.describe(WORKFLOW)).pollers] == ["staying"]
    assert not (await queue.describe(ACTIVITY)).pollers
    workflow_id = await queue.start()
    assert (await staying).workflow_execution.workflow_id == workflow_id


async def test_what_waits_in_its_sticky_queue_goes_to_the_others(client: Client) -> None:
    queue = Queue(client)
    workflow_id = await queue.start()
    task = await queue.poll("leaving", "leaving")
    sticky = TaskQueue(name="sticky", kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY, normal_name="queue")
    waiting = asyncio.create_task(
        client.workflow_service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(
                namespace=client.namespace, task_queue=sticky, identity="leaving", worker_instance_key="leaving"
            ),
            timeout=timedelta(seconds=30),
        )
    )
    await Queue(client, "sticky").polled("leaving")
    timer = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
    timer.start_timer_command_attributes.timer_id = "t"
    timer.start_timer_command_attributes.start_to_fire_timeout.FromSeconds(3600)
    attributes = StickyExecutionAttributes(worker_task_queue=sticky)
    attributes.schedule_to_start_timeout.FromSeconds(600)
    await client.workflow_service.respond_workflow_task_completed(
        RespondWorkflowTaskCompletedRequest(
            namespace=client.namespace, task_token=task.task_token, commands=[timer], sticky_attributes=attributes
        )
    )
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await client.workflow_service.signal_workflow_execution(
        SignalWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution={"workflow_id": workflow_id},
            signal_name="s",  # type: ignore[arg-type]
        )
    )
    await Queue(client, "sticky").backlog(WORKFLOW, 1)
    await shut_down(client, "leaving", sticky_task_queue="sticky")
    again = await queue.poll("staying")
    assert again.workflow_execution.workflow_id == workflow_id
    assert again.history.events[0].event_id == 1, "another worker needs the whole history"


async def test_namespaces_say_what_workers_may_rely_on(client: Client) -> None:
    told = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    capabilities = told.namespace_info.capabilities
    assert capabilities.worker_heartbeats
    assert capabilities.worker_poll_complete_on_shutdown
    assert capabilities.poller_autoscaling


# -- the SDK's workers


@activity.defn
async def nap() -> None:
    await asyncio.sleep(0.3)


@workflow.defn
class Naps:
    @workflow.run
    async def run(self, count: int) -> None:
        await asyncio.gather(
            *(workflow.execute_activity(nap, start_to_close_timeout=timedelta(seconds=30)) for _ in range(count))
        )


async def test_an_sdks_worker_is_in_the_registry_and_leaves_quickly(server: Server) -> None:
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    client = await Client.connect(f"127.0.0.1:{server.port}", runtime=runtime, identity="the worker")
    worker = Worker(
        client, task_queue="sdk", workflows=[Naps], activities=[nap], workflow_runner=UnsandboxedWorkflowRunner()
    )
    async with worker:
        await client.execute_workflow(Naps.run, 1, id="naps", task_queue="sdk")
        while not await keys(client, "TaskQueue = 'sdk' AND WorkerIdentity = 'the worker'"):
            await asyncio.sleep(0.05)
        began = time.monotonic()
    assert time.monotonic() - began < 5
    assert await keys(client, "WorkerStatus = 'Running'") == []
    assert len(await keys(client, "WorkerStatus = 'ShuttingDown'")) == 1, "its last word, kept for five minutes"
    kinds: tuple[TaskQueueType.ValueType, ...] = (WORKFLOW, ACTIVITY)
    for kind in kinds:
        assert not (await Queue(client, "sdk").describe(kind)).pollers


# -- poller scaling


async def test_tasks_that_wait_want_another_poller_and_idle_polls_one_fewer(client: Client) -> None:
    queue = Queue(client)
    for _ in range(3):
        await queue.start()
    await asyncio.sleep(0.3)
    task = await queue.poll()
    assert task.poller_scaling_decision.poll_request_delta_suggestion == 1
    assert task.backlog_count_hint == 2
    await queue.poll()
    task = await queue.poll()
    assert not task.HasField("poller_scaling_decision"), "a few times a second, no oftener"
    assert task.backlog_count_hint == 0
    waiting = asyncio.create_task(queue.poll("idle", seconds=30))
    await asyncio.sleep(1.1)
    await queue.start()
    assert (await waiting).poller_scaling_decision.poll_request_delta_suggestion == -1


async def test_activities_that_wait_want_another_poller(client: Client) -> None:
    queue = Queue(client)
    await queue.schedule(("a", None), ("b", None))
    await asyncio.sleep(0.3)
    assert (await queue.poll_activity()).poller_scaling_decision.poll_request_delta_suggestion == 1


async def test_a_worker_that_scales_its_pollers_does_its_work(client: Client) -> None:
    async with Worker(
        client,
        task_queue="scales",
        workflows=[Naps],
        activities=[nap],
        workflow_runner=UnsandboxedWorkflowRunner(),
        workflow_task_poller_behavior=PollerBehaviorAutoscaling(initial=2),
        activity_task_poller_behavior=PollerBehaviorAutoscaling(initial=1),
        disable_eager_activity_execution=True,
    ):
        await client.execute_workflow(Naps.run, 60, id="scales", task_queue="scales")
