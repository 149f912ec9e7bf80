"""Batch operations: by a filter and by a list, stopped, paced, and gone on with after a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.batch.v1 import (
    BatchOperationCancellation,
    BatchOperationDeletion,
    BatchOperationReset,
    BatchOperationSignal,
    BatchOperationTermination,
)
from temporalio.api.common.v1 import ResetOptions, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import BatchOperationState, EventType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeBatchOperationRequest,
    DescribeBatchOperationResponse,
    GetWorkflowExecutionHistoryRequest,
    ListBatchOperationsRequest,
    ListWorkflowExecutionsRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    StartBatchOperationRequest,
    StartWorkflowExecutionRequest,
    StopBatchOperationRequest,
)

from outlive.client import AlreadyExists, BadRequest, NotFound, WorkflowServiceClient
from outlive.config import ServerConfig
from outlive.server import Server

RUNNING = BatchOperationState.BATCH_OPERATION_STATE_RUNNING
COMPLETED = BatchOperationState.BATCH_OPERATION_STATE_COMPLETED
FAILED = BatchOperationState.BATCH_OPERATION_STATE_FAILED
QUEUE = TaskQueue(name="nobody")


@pytest.fixture
async def service(server: Server) -> AsyncIterator[WorkflowServiceClient]:
    client = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    yield client
    await client.close()


async def start(service: WorkflowServiceClient, *names: str) -> None:
    for name in names:
        request = StartWorkflowExecutionRequest(
            workflow_id=name, workflow_type=WorkflowType(name="T"), task_queue=QUEUE, request_id=name
        )
        await service.start_workflow_execution(request)


async def batch(service: WorkflowServiceClient, job_id: str, **fields: Any) -> None:
    await service.start_batch_operation(StartBatchOperationRequest(job_id=job_id, reason="a test", **fields))


async def described(service: WorkflowServiceClient, job_id: str) -> DescribeBatchOperationResponse:
    return await service.describe_batch_operation(DescribeBatchOperationRequest(job_id=job_id))


async def ended(service: WorkflowServiceClient, job_id: str) -> DescribeBatchOperationResponse:
    async with asyncio.timeout(20):
        while (answer := await described(service, job_id)).state == RUNNING:
            await asyncio.sleep(0.02)
    return answer


async def count(service: WorkflowServiceClient, query: str) -> int:
    answer = await service.count_workflow_executions(CountWorkflowExecutionsRequest(query=query))
    return int(answer.count)


async def events(service: WorkflowServiceClient, workflow_id: str) -> list[int]:
    request = GetWorkflowExecutionHistoryRequest(execution=WorkflowExecution(workflow_id=workflow_id))
    return [event.event_type for event in (await service.get_workflow_execution_history(request)).history.events]


async def test_a_batch_by_filter_does_all_that_it_finds_and_nothing_else(service: WorkflowServiceClient) -> None:
    await start(service, *(f"in-{n}" for n in range(250)), "out")
    await batch(
        service,
        "job",
        visibility_query="WorkflowId STARTS_WITH 'in-'",
        termination_operation=BatchOperationTermination(identity="me"),
    )
    done = await ended(service, "job")
    counted = (done.state, done.total_operation_count, done.complete_operation_count, done.failure_operation_count)
    assert counted == (COMPLETED, 250, 250, 0)
    assert (done.identity, done.reason, done.query) == ("me", "a test", "WorkflowId STARTS_WITH 'in-'")
    assert done.close_time.seconds >= done.start_time.seconds > 0
    assert await count(service, "ExecutionStatus = 'Terminated'") == 250
    assert await count(service, "ExecutionStatus = 'Running'") == 1


async def test_signals_cancels_and_deletes_by_list(service: WorkflowServiceClient) -> None:
    await start(service, "a", "b", "c")
    targets = [WorkflowExecution(workflow_id=name) for name in ("a", "b", "absent")]
    await batch(service, "signal", executions=targets, signal_operation=BatchOperationSignal(signal="s"))
    done = await ended(service, "signal")
    assert (done.complete_operation_count, done.failure_operation_count) == (3, 0)
    assert [each.business_id for each in done.executions] == ["a", "b", "absent"]
    await batch(service, "cancel", executions=targets, cancellation_operation=BatchOperationCancellation())
    await ended(service, "cancel")
    kinds = await events(service, "a")
    assert kinds.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) == 1
    assert kinds.count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED) == 1
    await batch(service, "delete", executions=targets, deletion_operation=BatchOperationDeletion())
    await ended(service, "delete")
    assert await count(service, "") == 1


async def test_a_batch_resets_to_the_first_workflow_task(service: WorkflowServiceClient) -> None:
    await start(service, "r")
    task = await service.call(PollWorkflowTaskQueueRequest(task_queue=QUEUE), PollWorkflowTaskQueueResponse)
    answer = RespondWorkflowTaskCompletedRequest(task_token=task.task_token)
    await service.call(answer, RespondWorkflowTaskCompletedResponse)
    options = ResetOptions()
    options.first_workflow_task.SetInParent()
    target = WorkflowExecution(workflow_id="r")
    await batch(service, "reset", executions=[target], reset_operation=BatchOperationReset(options=options))
    assert (await ended(service, "reset")).complete_operation_count == 1
    assert EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED in await events(service, "r")
    assert await count(service, "WorkflowId = 'r'") == 2


async def test_a_failing_target_is_counted_and_the_batch_goes_on(service: WorkflowServiceClient) -> None:
    await start(service, "r")  # no workflow task of it has completed: it cannot be reset
    options = ResetOptions()
    options.last_workflow_task.SetInParent()
    target = WorkflowExecution(workflow_id="r")
    await batch(service, "reset", executions=[target, target], reset_operation=BatchOperationReset(options=options))
    done = await ended(service, "reset")
    assert (done.state, done.complete_operation_count, done.failure_operation_count) == (COMPLETED, 0, 2)


async def test_a_stopped_batch_stops_and_says_why(service: WorkflowServiceClient) -> None:
    await start(service, *(f"w-{n}" for n in range(30)))
    operation = {"termination_operation": BatchOperationTermination()}
    await batch(service, "slow", visibility_query="WorkflowType = 'T'", max_operations_per_second=1, **operation)
    await service.stop_batch_operation(StopBatchOperationRequest(job_id="slow", reason="enough"))
    done = await described(service, "slow")
    assert (done.state, done.reason) == (FAILED, "enough")
    before = await count(service, "ExecutionStatus = 'Running'")
    assert before > 15
    with pytest.raises(NotFound, match="already completed"):
        await service.stop_batch_operation(StopBatchOperationRequest(job_id="slow", reason="again"))


async def test_a_batch_keeps_to_its_rate(service: WorkflowServiceClient) -> None:
    await start(service, *(f"w-{n}" for n in range(15)))
    began = time.monotonic()
    await batch(
        service,
        "paced",
        visibility_query="WorkflowType = 'T'",
        max_operations_per_second=50,
        termination_operation=BatchOperationTermination(),
    )
    await ended(service, "paced")
    assert time.monotonic() - began > 4 / 50  # all but the first ten, which may come at once


async def test_a_batch_goes_on_after_a_restart_and_signals_nobody_twice(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    names = [f"w-{n:02}" for n in range(40)]
    server = Server(config)
    await server.start()
    service = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    await start(service, *names)
    await batch(
        service,
        "job",
        visibility_query="WorkflowType = 'T'",
        max_operations_per_second=20,
        signal_operation=BatchOperationSignal(signal="s"),
    )
    async with asyncio.timeout(20):
        while not (await described(service, "job")).complete_operation_count:
            await asyncio.sleep(0.02)
    await service.close()
    await server.stop(0)
    server = Server(config)
    await server.start()
    service = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    assert (await ended(service, "job")).state == COMPLETED
    signals = [(await events(service, name)).count(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED) for name in names]
    assert signals == [1] * 40
    await service.close()
    await server.stop(0)


async def test_batches_are_listed_in_pages_and_in_their_division(service: WorkflowServiceClient) -> None:
    await start(service, "w")
    for number in range(3):
        operation = BatchOperationSignal(signal="s", identity="lister")
        await batch(service, f"job-{number}", visibility_query="WorkflowId = 'w'", signal_operation=operation)
        await ended(service, f"job-{number}")
    request = ListBatchOperationsRequest(page_size=2)
    first = await service.list_batch_operations(request)
    request.next_page_token = first.next_page_token
    second = await service.list_batch_operations(request)
    jobs = [info.job_id for info in (*first.operation_info, *second.operation_info)]
    assert jobs == ["job-2", "job-1", "job-0"]
    assert not second.next_page_token
    query = "TemporalNamespaceDivision = 'TemporalBatcher' AND BatcherUser = 'lister'"
    found = await service.list_workflow_executions(ListWorkflowExecutionsRequest(query=query))
    assert {info.execution.workflow_id for info in found.executions} == set(jobs)
    assert await count(service, "") == 1


async def test_what_is_wrong_is_refused_before_anything_begins(service: WorkflowServiceClient) -> None:
    signal = {"signal_operation": BatchOperationSignal(signal="s")}
    with pytest.raises(BadRequest, match="position"):
        await batch(service, "job", visibility_query="WorkflowId =", **signal)
    with pytest.raises(BadRequest, match="mutually exclusive"):
        await batch(service, "job", visibility_query="x", executions=[WorkflowExecution()], **signal)
    with pytest.raises(NotFound):
        await described(service, "job")
    await batch(service, "job", visibility_query="WorkflowId = 'x'", **signal)
    with pytest.raises(AlreadyExists):
        await batch(service, "job", visibility_query="WorkflowId = 'x'", **signal)


async def test_a_filter_on_what_there_is_not_fails_the_batch_and_says_so(service: WorkflowServiceClient) -> None:
    operation = {"termination_operation": BatchOperationTermination()}
    await batch(service, "job", visibility_query="Nonsense = 1", **operation)
    done = await ended(service, "job")
    assert done.state == FAILED
    assert "Nonsense" in done.reason
