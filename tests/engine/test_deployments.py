"""Worker versioning with the official SDK's workers, on a real server, restarts included."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import StartChildWorkflowExecutionFailedCause as Cause
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionVersioningInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.common import PinnedVersioningOverride, WorkerDeploymentVersion
from temporalio.service import RPCError, RPCStatusCode

from outlive.config import ServerConfig
from outlive.server import Server
from tests.engine import deployment_workers as dw
from tests.engine.deployment_workers import (
    DEPLOYMENT,
    QUEUE,
    OneNote,
    Pinned,
    PinnedParent,
    Sender,
    Status,
    Upgrading,
    worker,
)

pytestmark = pytest.mark.timeout(90)


@pytest.fixture
async def quick(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that looks at draining versions at once and allows few versions."""
    config = {
        "matching.wv.VersionDrainageStatusVisibilityGracePeriod": "50ms",
        "matching.wv.VersionDrainageStatusRefreshInterval": "50ms",
        "matching.maxVersionsInDeployment": 2,
        "matching.maxDeployments": 1,
    }
    server = Server(ServerConfig(port=0, database=tmp_path / "quick.db", dynamic_config=config))
    await server.start()
    yield server
    await server.stop(0)


async def start(client: Client, kind: Any, name: str, **more: Any) -> WorkflowHandle[Any, Any]:
    handle: WorkflowHandle[Any, Any] = await client.start_workflow(kind.run, id=name, task_queue=QUEUE, **more)
    return handle


async def notes(handle: WorkflowHandle[Any, Any], count: int) -> None:
    """Wait until the run has that many notes."""

    async def enough() -> bool:
        return len(await handle.query("so_far")) >= count

    await dw.until(enough, f"{count} notes of {handle.id}")


async def versioning(client: Client, name: str) -> WorkflowExecutionVersioningInfo:
    response = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=WorkflowExecution(workflow_id=name))
    )
    return response.workflow_execution_info.versioning_info


async def test_pinned_runs_stay_and_others_move(client: Client) -> None:
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        stays, moves = await start(client, Pinned, "stays"), await start(client, Upgrading, "moves")
        await notes(stays, 1)
        await notes(moves, 1)
        await dw.set_current(client, "b2")
        for handle in (stays, moves):
            await handle.signal("note")
            await notes(handle, 2)
            await handle.signal("stop")
        assert await stays.result() == ["b1", "b1"]
        assert await moves.result() == ["b1", "b2"]
        assert (await versioning(client, "moves")).deployment_version.build_id == "b2"
        statuses = {
            each.deployment_version.build_id: each.status for each in (await dw.describe(client)).version_summaries
        }
        assert statuses == {
            "b1": Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING,
            "b2": Status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT,
        }


async def test_work_that_waits_goes_to_the_version_that_is_current_then(client: Client) -> None:
    async with worker(client, "b1"):
        await dw.set_current(client, "b1")
    handle = await start(client, OneNote, "waits")
    async with worker(client, "b2"):
        queues = (await dw.describe_version(client, "b1")).version_task_queues
        assert {queue.type: queue.stats.approximate_backlog_count for queue in queues} == {
            TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW: 1,
            TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY: 0,
        }
        await dw.set_current(client, "b2")
        assert await handle.result() == "b2"


async def test_a_ramp_and_unversioned_workers(client: Client) -> None:
    async with worker(client, "b1"), worker(client, "b2"), worker(client, None):
        assert await (await start(client, OneNote, "before")).result() == "unversioned"
        await dw.set_current(client, "b1")
        await dw.set_ramping(client, "b2", 100)
        assert await (await start(client, OneNote, "ramped")).result() == "b2"
        await dw.set_ramping(client, "", 100)
        assert await (await start(client, OneNote, "to unversioned")).result() == "unversioned"
        await dw.set_ramping(client, "", 0)
        assert await (await start(client, OneNote, "unset")).result() == "b1"
        await dw.set_current(client, "")
        assert await (await start(client, OneNote, "after")).result() == "unversioned"


async def test_a_ramp_splits_by_workflow_id(client: Client) -> None:
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        await dw.set_ramping(client, "b2", 50)
        builds = [await (await start(client, OneNote, f"split-{number}")).result() for number in range(24)]
        assert set(builds) == {"b1", "b2"}
        again = [await (await start(client, OneNote, f"split-{number}")).result() for number in range(6)]
        assert again == builds[:6]


async def test_a_pinned_override_from_the_start(client: Client) -> None:
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        override = PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, "b2"))
        handle = await start(client, Upgrading, "overridden", versioning_override=override)
        await notes(handle, 1)
        await handle.signal("stop")
        assert await handle.result() == ["b2"]
        assert (await versioning(client, "overridden")).versioning_override.pinned.version.build_id == "b2"
        unknown = PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, "b9"))
        with pytest.raises(
            RPCError, match="Pinned version 'pay:b9' is not present in task queue 'payments'"
        ) as refused:
            await start(client, Upgrading, "refused", versioning_override=unknown)
        assert refused.value.status == RPCStatusCode.FAILED_PRECONDITION


async def test_children_and_continued_runs_of_a_pinned_run_are_on_its_version(client: Client) -> None:
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b2")
        override = PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, "b1"))
        handle = await client.start_workflow(
            PinnedParent.run, [], id="parent", task_queue=QUEUE, versioning_override=override
        )
        assert await handle.result() == ["b1", "b1", "b1"]


async def test_a_child_goes_where_its_own_override_says(client: Client) -> None:
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        assert await (await start(client, Sender, "sends", args=["b2"])).result() == "b2"
        failed = await start(client, Sender, "fails", args=["b9"])
        assert await failed.result() == "Invalid versioning override"
        causes = [
            event.start_child_workflow_execution_failed_event_attributes.cause
            async for event in failed.fetch_history_events()
            if event.HasField("start_child_workflow_execution_failed_event_attributes")
        ]
        assert causes == [Cause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_INVALID_VERSIONING_OVERRIDE]


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "restart.db")
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        stays, moves = await start(client, Pinned, "stays"), await start(client, Upgrading, "moves")
        await notes(stays, 1)
        await notes(moves, 1)
        await dw.set_current(client, "b2")
        await dw.set_ramping(client, "b1", 5)
        await dw.set_ramping(client, "b1", 0)
    for handle in (stays, moves):
        await handle.signal("note")
    waits = await start(client, OneNote, "waits")
    before = await dw.describe(client)
    await server.stop(0)
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    try:
        assert await dw.describe(client) == before
        async with worker(client, "b1"), worker(client, "b2"):
            for name in ("stays", "moves"):
                await notes(client.get_workflow_handle(name), 2)
                await client.get_workflow_handle(name).signal("stop")
            assert await client.get_workflow_handle("stays").result() == ["b1", "b1"]
            assert await client.get_workflow_handle("moves").result() == ["b1", "b2"]
            assert await client.get_workflow_handle(waits.id).result() == "b2"
    finally:
        await server.stop(0)


async def test_a_version_is_drained_once_no_pinned_run_is_open(quick: Server) -> None:
    client = await Client.connect(f"127.0.0.1:{quick.port}")
    draining, drained = (
        Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING,
        Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED,
    )

    async def is_drained() -> bool:
        return await dw.status(client, "b1") == drained

    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        handle = await start(client, Pinned, "open")
        await notes(handle, 1)
        await dw.set_current(client, "b2")

        async def looked_at() -> bool:
            info = (await dw.describe_version(client, "b1")).worker_deployment_version_info.drainage_info
            return info.last_checked_time.ToNanoseconds() > info.last_changed_time.ToNanoseconds()

        await dw.until(looked_at, "the version has been looked at")
        assert await dw.status(client, "b1") == draining
        await handle.signal("stop")
        await handle.result()
        await dw.until(is_drained, "b1 is drained")
        override = PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, "b1"))
        again = await start(client, Pinned, "again", versioning_override=override)
        assert await dw.status(client, "b1") == draining
        await notes(again, 1)
        await again.signal("stop")
        await again.result()
        await dw.until(is_drained, "b1 is drained again")
        assert await again.query("so_far") == ["b1"]


async def test_limits_are_told_to_who_polls_or_asks(quick: Server) -> None:
    client = await Client.connect(f"127.0.0.1:{quick.port}")
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        with pytest.raises(RPCError, match="maximum number of versions") as refused:
            await client.workflow_service.set_worker_deployment_ramping_version(
                dw.SetWorkerDeploymentRampingVersionRequest(
                    namespace="default", deployment_name=DEPLOYMENT, build_id="b3", percentage=1, allow_no_pollers=True
                )
            )
        assert refused.value.status == RPCStatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(RPCError, match="reached maximum deployments in namespace"):
            await client.workflow_service.set_worker_deployment_current_version(
                dw.SetWorkerDeploymentCurrentVersionRequest(
                    namespace="default", deployment_name="another", build_id="b1", allow_no_pollers=True
                )
            )


async def test_a_task_queue_tells_its_routing(client: Client) -> None:
    async def described() -> Any:
        response = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=QUEUE))
        )
        return response.versioning_info

    assert (await described()).current_version == "__unversioned__"
    async with worker(client, "b1"), worker(client, "b2"):
        await dw.set_current(client, "b1")
        await dw.set_ramping(client, "b2", 25)
        info = await described()
        assert (info.current_version, info.ramping_version, info.ramping_version_percentage) == ("pay.b1", "pay.b2", 25)
        assert info.ramping_deployment_version.build_id == "b2"


async def test_runs_are_found_by_their_version(client: Client) -> None:
    async with worker(client, "b1"):
        await dw.set_current(client, "b1")
        handle = await start(client, Pinned, "found")
        await notes(handle, 1)
        for query in (
            "TemporalWorkerDeployment = 'pay'",
            "TemporalWorkerDeploymentVersion = 'pay:b1'",
            "TemporalWorkflowVersioningBehavior = 'Pinned'",
            "TemporalUsedWorkerDeploymentVersions = 'pay:b1'",
            "BuildIds = 'pinned:pay:b1'",
        ):
            found = [each.id async for each in client.list_workflows(query)]
            assert found == ["found"], query
        await handle.signal("stop")
        await handle.result()
