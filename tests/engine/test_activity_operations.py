"""Pausing, unpausing, resetting activities and changing their options, with the SDK's worker and over gRPC."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import activity, workflow
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.batch.v1 import BatchOperationUnpauseActivities
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import (
    DescribeBatchOperationRequest,
    DescribeWorkflowExecutionRequest,
    PauseActivityRequest,
    ResetActivityRequest,
    StartBatchOperationRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
)
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.client import BadRequest, NotFound, NotPossibleNow, WorkflowServiceClient
from outlive.config import ServerConfig
from outlive.server import Server

QUEUE = "operations"
TARGET = WorkflowExecution(workflow_id="w")


@workflow.defn
class OneActivity:
    """One activity, retried after a minute."""

    @workflow.run
    async def run(self, queue: str) -> str:
        return await workflow.execute_activity(
            "work",
            task_queue=queue,
            start_to_close_timeout=timedelta(seconds=30),
            retry_policy=RetryPolicy(initial_interval=timedelta(minutes=1)),
            activity_id="a",
            result_type=str,
        )


@dataclass
class Work:
    """An activity whose first attempts fail, and which can be held."""

    failures: int = 0
    attempts: list[int] = field(default_factory=list)
    heartbeats: list[Any] = field(default_factory=list)

    @activity.defn
    async def work(self) -> str:
        info = activity.info()
        self.attempts.append(info.attempt)
        self.heartbeats.append(list(info.heartbeat_details))
        activity.heartbeat("so far")
        if len(self.attempts) <= self.failures:
            raise ValueError("not yet")
        return "done"


@pytest.fixture
async def service(server: Server) -> AsyncIterator[WorkflowServiceClient]:
    client = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    yield client
    await client.close()


def worker(client: Client, work: Work) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[OneActivity],
        activities=[work.work],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


async def pending(service: WorkflowServiceClient) -> PendingActivityInfo | None:
    request = DescribeWorkflowExecutionRequest(execution=TARGET)
    found = (await service.describe_workflow_execution(request)).pending_activities
    return found[0] if found else None


async def failed_once(service: WorkflowServiceClient) -> PendingActivityInfo:
    async with asyncio.timeout(20):
        while (one := await pending(service)) is None or one.attempt < 2:
            await asyncio.sleep(0.02)
    return one


async def test_an_unpaused_activity_goes_on_at_once_where_it_was(
    client: Client, service: WorkflowServiceClient
) -> None:
    work = Work(failures=1)
    async with worker(client, work):
        handle = await client.start_workflow(OneActivity.run, QUEUE, id="w", task_queue=QUEUE)
        await failed_once(service)
        await service.pause_activity(PauseActivityRequest(execution=TARGET, id="a", reason="hold", identity="me"))
        one = await pending(service)
        assert one is not None
        assert (one.paused, one.pause_info.manual.reason, one.pause_info.manual.identity) == (True, "hold", "me")
        assert not one.HasField("next_attempt_schedule_time")
        await service.unpause_activity(UnpauseActivityRequest(execution=TARGET, id="a"))
        assert await asyncio.wait_for(handle.result(), 20) == "done"
    assert work.attempts == [1, 2]
    assert work.heartbeats == [[], ["so far"]]


async def test_a_reset_begins_again_and_may_forget_the_heartbeat(
    client: Client, service: WorkflowServiceClient
) -> None:
    work = Work(failures=1)
    async with worker(client, work):
        handle = await client.start_workflow(OneActivity.run, QUEUE, id="w", task_queue=QUEUE)
        await failed_once(service)
        await service.reset_activity(ResetActivityRequest(execution=TARGET, type="work", reset_heartbeat=True))
        assert await asyncio.wait_for(handle.result(), 20) == "done"
    assert work.attempts == [1, 1]
    assert work.heartbeats == [[], []]


async def test_changed_options_move_a_waiting_activity_and_can_be_taken_back(
    client: Client, service: WorkflowServiceClient
) -> None:
    work = Work()
    async with worker(client, work):
        handle = await client.start_workflow(OneActivity.run, "nobody", id="w", task_queue=QUEUE)
        async with asyncio.timeout(20):
            while await pending(service) is None:
                await asyncio.sleep(0.02)
        wanted = ActivityOptions()
        wanted.start_to_close_timeout.seconds = 5
        wanted.retry_policy.maximum_attempts = 3
        mask = FieldMask(paths=["start_to_close_timeout", "retry_policy.maximum_attempts", "nonsense"])
        request = UpdateActivityOptionsRequest(execution=TARGET, id="a", activity_options=wanted, update_mask=mask)
        options = (await service.update_activity_options(request)).activity_options
        assert (options.start_to_close_timeout.seconds, options.retry_policy.maximum_attempts) == (5, 3)
        assert options.retry_policy.initial_interval.seconds == 60
        restore = UpdateActivityOptionsRequest(execution=TARGET, id="a", restore_original=True)
        options = (await service.update_activity_options(restore)).activity_options
        assert (options.start_to_close_timeout.seconds, options.retry_policy.maximum_attempts) == (30, 0)
        moved = ActivityOptions()
        moved.task_queue.name = QUEUE
        mask = FieldMask(paths=["task_queue.name"])
        await service.update_activity_options(
            UpdateActivityOptionsRequest(execution=TARGET, type="work", activity_options=moved, update_mask=mask)
        )
        assert await asyncio.wait_for(handle.result(), 20) == "done"


async def test_what_cannot_be_done_is_refused_and_changes_nothing(
    client: Client, service: WorkflowServiceClient
) -> None:
    work = Work(failures=1)
    async with worker(client, work):
        await client.start_workflow(OneActivity.run, QUEUE, id="w", task_queue=QUEUE)
        before = await failed_once(service)
        with pytest.raises(NotFound, match="pending activity"):
            await service.pause_activity(PauseActivityRequest(execution=TARGET, id="absent"))
        with pytest.raises(BadRequest, match=r"Activity\.Id"):
            await service.reset_activity(ResetActivityRequest(execution=TARGET))
        bad = ActivityOptions()
        bad.start_to_close_timeout.seconds = -1
        mask = FieldMask(paths=["start_to_close_timeout"])
        for options, paths, words in (
            (bad, mask, "negative"),
            (ActivityOptions(), mask, "must be set"),
            (bad, None, "UpdateMask"),
        ):
            request = UpdateActivityOptionsRequest(
                execution=TARGET, id="a", activity_options=options, update_mask=paths
            )
            with pytest.raises(BadRequest, match=words):
                await service.update_activity_options(request)
        assert await pending(service) == before
        await service.pause_activity(PauseActivityRequest(execution=TARGET, id="a", request_id="one"))
        await service.pause_activity(PauseActivityRequest(execution=TARGET, id="a", request_id="one"))
        with pytest.raises(NotPossibleNow, match="already paused"):
            await service.pause_activity(PauseActivityRequest(execution=TARGET, id="a", request_id="two"))


async def test_a_paused_activity_is_still_paused_after_a_restart_and_a_batch_lets_it_go_on(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    service = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    client = await Client.connect(f"127.0.0.1:{server.port}")
    async with worker(client, Work(failures=1)):
        await client.start_workflow(OneActivity.run, QUEUE, id="w", task_queue=QUEUE)
        await failed_once(service)
        await service.pause_activity(PauseActivityRequest(execution=TARGET, id="a", reason="hold"))
    await service.close()
    await server.stop(0)
    server = Server(config)
    await server.start()
    service = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    one = await pending(service)
    assert one is not None
    assert (one.paused, one.attempt, one.pause_info.manual.reason) == (True, 2, "hold")
    operation = BatchOperationUnpauseActivities(match_all=True, reset_attempts=True)
    request = StartBatchOperationRequest(
        job_id="job", reason="go on", visibility_query="WorkflowId = 'w'", unpause_activities_operation=operation
    )
    await service.start_batch_operation(request)
    work = Work()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    async with worker(client, work):
        result = client.get_workflow_handle("w").result()
        assert await asyncio.wait_for(result, 20) == "done"
    assert work.attempts == [1]
    described = await service.describe_batch_operation(DescribeBatchOperationRequest(job_id="job"))
    assert described.complete_operation_count == 1
    await service.close()
    await server.stop(0)
