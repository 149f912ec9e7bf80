"""Workflow task completions in pages: any order, repeated, missing; refused whole; and one of 16 MB."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    StartWorkflowExecutionRequest,
)

from outlive.client import BadRequest, NotFound, RpcError, WorkflowServiceClient
from outlive.server import Server


@pytest.fixture
async def service(server: Server) -> AsyncIterator[WorkflowServiceClient]:
    client = WorkflowServiceClient(f"127.0.0.1:{server.port}")
    yield client
    await client.close()


class Task:
    """A workflow task that a worker has, to be completed in pages."""

    def __init__(self, service: WorkflowServiceClient, token: bytes) -> None:
        self._service = service
        self._token = token

    async def page(self, number: int, *timers: str, last: bool = False, extra: Command | None = None) -> None:
        request = RespondWorkflowTaskCompletedRequest(
            task_token=self._token,
            commands=[_timer(name) for name in timers],
            page_number=number,
            intermediate_page=not last,
        )
        if extra is not None:
            request.commands.append(extra)
        await self._service.call(request, RespondWorkflowTaskCompletedResponse)


def _timer(name: str) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
    command.start_timer_command_attributes.timer_id = name
    command.start_timer_command_attributes.start_to_fire_timeout.seconds = 1_000
    return command


@pytest.fixture
async def task(service: WorkflowServiceClient) -> Task:
    queue = TaskQueue(name="q")
    start = StartWorkflowExecutionRequest(workflow_id="w", workflow_type=WorkflowType(name="T"), task_queue=queue)
    start.workflow_task_timeout.seconds = 60
    await service.start_workflow_execution(start)
    poll = PollWorkflowTaskQueueRequest(task_queue=queue, identity="worker")
    return Task(service, (await service.call(poll, PollWorkflowTaskQueueResponse)).task_token)


async def _events(service: WorkflowServiceClient) -> list[HistoryEvent]:
    request = GetWorkflowExecutionHistoryRequest(execution=WorkflowExecution(workflow_id="w"))
    found: list[HistoryEvent] = []
    while True:
        answer = await service.get_workflow_execution_history(request)
        found += answer.history.events
        if not answer.next_page_token:
            return found
        request.next_page_token = answer.next_page_token


async def _timers(service: WorkflowServiceClient) -> list[str]:
    named = [event.timer_started_event_attributes.timer_id for event in await _events(service)]
    return [name for name in named if name]


async def test_workers_are_told_that_pages_are_taken(service: WorkflowServiceClient) -> None:
    described = await service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
    assert described.namespace_info.capabilities.workflow_task_completion_pagination


async def test_pages_count_by_number_however_they_come(service: WorkflowServiceClient, task: Task) -> None:
    await task.page(1, "c", "d")
    await task.page(0, "wrong")
    await task.page(0, "a", "b")
    assert await _timers(service) == []
    await task.page(2, "e", last=True)
    assert await _timers(service) == ["a", "b", "c", "d", "e"]
    with pytest.raises(NotFound):
        await task.page(0, "late")


async def test_a_missing_page_is_named_and_the_task_stands(service: WorkflowServiceClient, task: Task) -> None:
    with pytest.raises(RpcError, match="buffer lost") as lost:
        await task.page(1, "b", last=True)
    assert lost.value.code.name == "ABORTED"
    await task.page(0, "a")
    with pytest.raises(RpcError, match="missing page 1 of 2"):
        await task.page(2, "c", last=True)
    assert await _timers(service) == []
    await task.page(1, "b")
    await task.page(2, "c", last=True)
    assert await _timers(service) == ["a", "b", "c"]


async def test_a_bad_command_in_an_early_page_fails_the_whole_task(service: WorkflowServiceClient, task: Task) -> None:
    with pytest.raises(BadRequest, match="non-negative"):
        await task.page(-1, "c")
    await task.page(0, "")
    with pytest.raises(BadRequest, match="TimerId is not set"):
        await task.page(1, "b", last=True)
    assert await _timers(service) == []


async def test_a_completion_of_16_megabytes(service: WorkflowServiceClient, task: Task) -> None:
    large = Command(command_type=CommandType.COMMAND_TYPE_RECORD_MARKER)
    large.record_marker_command_attributes.marker_name = "large"
    details = Payloads(payloads=[Payload(data=b"x" * 1_900_000)])
    large.record_marker_command_attributes.details["d"].CopyFrom(details)
    for number in range(8):
        await task.page(number, extra=large)
    await task.page(8, "end", last=True)
    sizes = [event.ByteSize() for event in await _events(service) if event.HasField("marker_recorded_event_attributes")]
    assert len(sizes) == 8
    assert sum(sizes) > 15_000_000
    assert await _timers(service) == ["end"]
