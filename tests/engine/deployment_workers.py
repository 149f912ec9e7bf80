"""Workers of deployment versions, by the official SDK, and what the tests ask of deployments."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.deployment.v1 import WorkerDeploymentInfo
from temporalio.api.deployment.v1 import WorkerDeploymentVersion as VersionMessage
from temporalio.api.enums.v1 import WorkerDeploymentVersionStatus
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    DescribeWorkerDeploymentVersionRequest,
    DescribeWorkerDeploymentVersionResponse,
    SetWorkerDeploymentCurrentVersionRequest,
    SetWorkerDeploymentRampingVersionRequest,
)
from temporalio.client import Client
from temporalio.common import PinnedVersioningOverride, VersioningBehavior, WorkerDeploymentVersion
from temporalio.exceptions import FailureError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig

DEPLOYMENT, QUEUE = "pay", "payments"
SHORT = timedelta(seconds=20)
Status = WorkerDeploymentVersionStatus


class Diary:
    """What the two workflows do: for every note asked for, the build whose worker ran an activity for it."""

    def __init__(self) -> None:
        self.builds: list[str] = []
        self.wanted = 1
        self.over = False

    async def write(self) -> list[str]:
        while True:
            await workflow.wait_condition(lambda: self.over or len(self.builds) < self.wanted)
            if len(self.builds) >= self.wanted:
                return self.builds
            self.builds.append(await workflow.execute_activity("where", result_type=str, start_to_close_timeout=SHORT))


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class Pinned(Diary):
    @workflow.run
    async def run(self) -> list[str]:
        return await self.write()

    @workflow.signal
    def note(self) -> None:
        self.wanted += 1

    @workflow.signal
    def stop(self) -> None:
        self.over = True

    @workflow.query
    def so_far(self) -> list[str]:
        return self.builds


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Upgrading(Diary):
    @workflow.run
    async def run(self) -> list[str]:
        return await self.write()

    @workflow.signal
    def note(self) -> None:
        self.wanted += 1

    @workflow.signal
    def stop(self) -> None:
        self.over = True

    @workflow.query
    def so_far(self) -> list[str]:
        return self.builds


@workflow.defn(versioning_behavior=VersioningBehavior.PINNED)
class PinnedParent:
    """Tells its own build, its child's, and that of the run which follows it."""

    @workflow.run
    async def run(self, before: list[str]) -> list[str]:
        mine = await workflow.execute_activity("where", result_type=str, start_to_close_timeout=SHORT)
        if before:
            return [*before, mine]
        child = await workflow.execute_child_workflow(
            "OneNote", result_type=str, id=f"{workflow.info().workflow_id}-child"
        )
        workflow.continue_as_new([mine, child])


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class OneNote:
    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity("where", result_type=str, start_to_close_timeout=SHORT)


@workflow.defn(versioning_behavior=VersioningBehavior.AUTO_UPGRADE)
class Sender:
    """Has a child on another build; tells the child's build, or why there was none."""

    @workflow.run
    async def run(self, build_id: str) -> str:
        try:
            return await workflow.execute_child_workflow(
                OneNote.run,
                id=f"{workflow.info().workflow_id}-child",
                versioning_override=PinnedVersioningOverride(WorkerDeploymentVersion(DEPLOYMENT, build_id)),
            )
        except FailureError as error:
            return str(error)


@workflow.defn(name="OneNote")
class PlainNote:
    """The same for workers without a version: those may not report a behaviour."""

    @workflow.run
    async def run(self) -> str:
        return await workflow.execute_activity("where", result_type=str, start_to_close_timeout=SHORT)


@contextlib.asynccontextmanager
async def worker(client: Client, build_id: str | None, queue: str = QUEUE) -> AsyncIterator[None]:
    """A worker of the build; None: one without a version."""

    @activity.defn(name="where")
    async def where() -> str:
        return build_id or "unversioned"

    config = None
    if build_id is not None:
        version = WorkerDeploymentVersion(DEPLOYMENT, build_id)
        config = WorkerDeploymentConfig(version=version, use_worker_versioning=True)
    async with Worker(
        client,
        task_queue=queue,
        workflows=[Pinned, Upgrading, PinnedParent, Sender, OneNote] if build_id is not None else [PlainNote],
        activities=[where],
        deployment_config=config,
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        if build_id is not None:
            await until(lambda: _registered(client, build_id), f"build {build_id} is registered")
        yield


async def until(holds: Callable[[], Awaitable[bool]], what: str, seconds: float = 20) -> None:
    """Wait until the condition holds."""
    try:
        async with asyncio.timeout(seconds):
            while not await holds():
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"never came true: {what}") from None


async def _registered(client: Client, build_id: str) -> bool:
    try:
        version = await describe_version(client, build_id)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return False
        raise
    return len(version.worker_deployment_version_info.task_queue_infos) >= 2


async def describe_version(client: Client, build_id: str) -> DescribeWorkerDeploymentVersionResponse:
    return await client.workflow_service.describe_worker_deployment_version(
        DescribeWorkerDeploymentVersionRequest(
            namespace=client.namespace,
            deployment_version=VersionMessage(deployment_name=DEPLOYMENT, build_id=build_id),
            report_task_queue_stats=True,
        )
    )


async def status(client: Client, build_id: str) -> int:
    return (await describe_version(client, build_id)).worker_deployment_version_info.status


async def describe(client: Client) -> WorkerDeploymentInfo:
    response = await client.workflow_service.describe_worker_deployment(
        DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=DEPLOYMENT)
    )
    return response.worker_deployment_info


async def set_current(client: Client, build_id: str, *, ignore_missing: bool = False) -> None:
    await client.workflow_service.set_worker_deployment_current_version(
        SetWorkerDeploymentCurrentVersionRequest(
            namespace=client.namespace,
            deployment_name=DEPLOYMENT,
            build_id=build_id,
            identity="tests",
            ignore_missing_task_queues=ignore_missing,
        )
    )


async def set_ramping(client: Client, build_id: str, percentage: float) -> None:
    await client.workflow_service.set_worker_deployment_ramping_version(
        SetWorkerDeploymentRampingVersionRequest(
            namespace=client.namespace,
            deployment_name=DEPLOYMENT,
            build_id=build_id,
            percentage=percentage,
            identity="tests",
        )
    )
