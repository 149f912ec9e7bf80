"""Numbers no file can hold: one client's mistake must not stop the server for everyone else."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import grpc.aio
import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)

from outlive.server import Server

SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/"
HUGE = 315_576_000_000  # seconds: the longest that protobuf's Duration may be, 10,000 years


@pytest.fixture
async def channel(server: Server) -> AsyncIterator[grpc.aio.Channel]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield channel


async def send(channel: grpc.aio.Channel, name: str, data: bytes) -> bytes:
    result: bytes = await channel.unary_unary(SERVICE + name)(data, timeout=10)
    return result


async def start(channel: grpc.aio.Channel, workflow_id: str, *, retry: int = 0) -> None:
    request = StartWorkflowExecutionRequest(namespace="default", workflow_id=workflow_id)
    request.workflow_type.name, request.task_queue.name = "T", "q"
    if retry:
        request.retry_policy.initial_interval.seconds = retry
        request.retry_policy.maximum_interval.seconds = retry
    await send(channel, "StartWorkflowExecution", request.SerializeToString())


async def complete(channel: grpc.aio.Channel, command: Command) -> None:
    poll = PollWorkflowTaskQueueRequest(namespace="default", identity="w")
    poll.task_queue.name = "q"
    task = PollWorkflowTaskQueueResponse.FromString(
        await send(channel, "PollWorkflowTaskQueue", poll.SerializeToString())
    )
    assert task.task_token
    answer = RespondWorkflowTaskCompletedRequest(namespace="default", task_token=task.task_token, commands=[command])
    await send(channel, "RespondWorkflowTaskCompleted", answer.SerializeToString())


def _timer() -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
    command.start_timer_command_attributes.timer_id = "t"
    command.start_timer_command_attributes.start_to_fire_timeout.seconds = HUGE
    return command


def _activity() -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    activity = command.schedule_activity_task_command_attributes
    activity.activity_id, activity.activity_type.name, activity.task_queue.name = "a", "A", "q"
    activity.start_to_close_timeout.seconds = HUGE
    activity.schedule_to_close_timeout.seconds = HUGE
    activity.heartbeat_timeout.seconds = HUGE
    activity.retry_policy.initial_interval.seconds = HUGE
    activity.retry_policy.maximum_interval.seconds = HUGE
    return command


def _again() -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
    attributes = command.continue_as_new_workflow_execution_command_attributes
    attributes.workflow_type.name, attributes.task_queue.name = "T", "q"
    attributes.backoff_start_interval.seconds = HUGE
    return command


@pytest.mark.parametrize("command", [_timer(), _activity(), _again()], ids=["timer", "activity", "continue as new"])
async def test_a_huge_span_in_a_command_stops_nobody(channel: grpc.aio.Channel, command: Command) -> None:
    await start(channel, "huge")
    await complete(channel, command)
    await start(channel, "other")


async def test_a_huge_retry_interval_is_refused(channel: grpc.aio.Channel) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await start(channel, "huge", retry=HUGE)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "InitialInterval" in (refused.value.details() or "")
    await start(channel, "other")
