"""Pausing a workflow: nothing of it reaches a worker until it is unpaused, and nothing is lost meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import activity, workflow
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus as WorkflowExecutionStatus_
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    PauseWorkflowExecutionRequest,
    QueryWorkflowRequest,
    UnpauseWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.client import BadRequest, NotPossibleNow, WorkflowServiceClient
from outlive.config import ServerConfig
from outlive.server import Server

QUEUE = "pausing"
PAUSED = WorkflowExecutionStatus_.WORKFLOW_EXECUTION_STATUS_PAUSED


@activity.defn
async def work() -> str:
    return "worked"


@workflow.defn
class Paused:
    """Waits for signals, then does its one activity."""

    def __init__(self) -> None:
        self._signals = 0

    @workflow.run
    async def run(self, signals: int) -> str:
        await workflow.wait_condition(lambda: self._signals >= signals)
        return await workflow.execute_activity(work, start_to_close_timeout=timedelta(seconds=20))

    @workflow.signal
    def go(self) -> None:
        self._signals += 1

    @workflow.query
    def signals(self) -> int:
        return self._signals

    @workflow.update
    def add(self) -> None:
        self._signals += 1


@pytest.fixture
async def service(server: Server) -> AsyncIterator[WorkflowServiceClient]:
    client = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    yield client
    await client.close()


def worker(client: Client) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Paused],
        activities=[work],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


async def pause(service: WorkflowServiceClient, **fields: str) -> None:
    await service.pause_workflow_execution(PauseWorkflowExecutionRequest(workflow_id="w", **fields))


async def describe(service: WorkflowServiceClient) -> DescribeWorkflowExecutionResponse:
    """As the protocol has it: the SDK's own enum does not know the status yet."""
    request = DescribeWorkflowExecutionRequest(execution=WorkflowExecution(workflow_id="w"))
    return await service.describe_workflow_execution(request)


async def length(service: WorkflowServiceClient) -> int:
    return int((await describe(service)).workflow_execution_info.history_length)


async def unpause(service: WorkflowServiceClient) -> None:
    await service.unpause_workflow_execution(UnpauseWorkflowExecutionRequest(workflow_id="w"))


async def test_signals_wait_and_questions_are_refused_until_it_is_unpaused(
    client: Client, service: WorkflowServiceClient
) -> None:
    async with worker(client):
        handle = await client.start_workflow(Paused.run, 2, id="w", task_queue=QUEUE)
        assert await handle.query(Paused.signals) == 0
        await pause(service, reason="hold", identity="me", request_id="one")
        await handle.signal(Paused.go)
        await handle.signal(Paused.go)
        described = await describe(service)
        assert described.workflow_execution_info.status == PAUSED
        info = described.workflow_extended_info.pause_info
        assert (info.identity, info.reason) == ("me", "hold")
        query = QueryWorkflowRequest(
            execution=WorkflowExecution(workflow_id="w"), query=WorkflowQuery(query_type="signals")
        )
        assert (await service.query_workflow(query)).query_rejected.status == PAUSED
        with pytest.raises(RPCError, match="paused"):
            await handle.execute_update(Paused.add)
        assert (await client.count_workflows("TemporalPauseInfo = 'Reason:hold'")).count == 1
        await unpause(service)
        assert await asyncio.wait_for(handle.result(), 20) == "worked"
    assert (await client.count_workflows("TemporalPauseInfo = 'Reason:hold'")).count == 0


async def test_a_task_that_waits_for_a_worker_comes_again_after_the_pause_and_a_restart(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    service = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    await client.start_workflow(Paused.run, 0, id="w", task_queue=QUEUE)
    await pause(service)
    await service.close()
    await server.stop(0)
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    service = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    described = await describe(service)
    assert not described.HasField("pending_workflow_task")
    async with worker(client):
        await unpause(service)
        assert await asyncio.wait_for(client.get_workflow_handle("w").result(), 20) == "worked"
    await service.close()
    await server.stop(0)


async def test_the_same_request_pauses_once_and_another_is_refused(
    client: Client, service: WorkflowServiceClient
) -> None:
    handle = await client.start_workflow(Paused.run, 0, id="w", task_queue="nobody")
    with pytest.raises(NotPossibleNow, match="not paused"):
        await unpause(service)
    await pause(service, request_id="one")
    before = await length(service)
    await pause(service, request_id="one")
    with pytest.raises(NotPossibleNow, match="already paused"):
        await pause(service, request_id="two")
    with pytest.raises(BadRequest, match="reason is too long"):
        await pause(service, reason="x" * 1_001)
    assert await length(service) == before
    await handle.terminate()
    assert (await handle.describe()).status == WorkflowExecutionStatus.TERMINATED


async def test_options_that_the_mask_names_are_changed_and_recorded_once(
    client: Client, service: WorkflowServiceClient
) -> None:
    handle = await client.start_workflow(Paused.run, 0, id="w", task_queue="nobody")
    request = UpdateWorkflowExecutionOptionsRequest(
        workflow_execution=WorkflowExecution(workflow_id="w"),
        workflow_execution_options=WorkflowExecutionOptions(priority=Priority(priority_key=2, fairness_key="team")),
        update_mask=FieldMask(paths=["priority.priority_key"]),
    )
    answer = await service.update_workflow_execution_options(request)
    assert answer.workflow_execution_options.priority == Priority(priority_key=2)
    before = await length(service)
    await service.update_workflow_execution_options(request)
    assert await length(service) == before
    assert (await describe(service)).workflow_execution_info.priority.priority_key == 2
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
