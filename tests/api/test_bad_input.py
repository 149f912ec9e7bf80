"""Bad input over real gRPC: the protocol's status and detail, nothing changed, and the server goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import grpc
import grpc.aio
import pytest
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import CommandType
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetSystemInfoRequest,
    GetSystemInfoResponse,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from outlive.server import Server

SERVICE = "/temporal.api.workflowservice.v1.WorkflowService/"
RESPONSES: dict[type[Message], type[Message]] = {
    DescribeWorkflowExecutionRequest: DescribeWorkflowExecutionResponse,
    GetSystemInfoRequest: GetSystemInfoResponse,
    GetWorkflowExecutionHistoryRequest: GetWorkflowExecutionHistoryResponse,
    ListWorkflowExecutionsRequest: ListWorkflowExecutionsResponse,
    PollWorkflowTaskQueueRequest: PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest: RespondWorkflowTaskCompletedResponse,
    SignalWorkflowExecutionRequest: SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest: StartWorkflowExecutionResponse,
}


class Wire:
    """Raw calls, as no SDK would make them."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    async def call(self, request: Message, *, timeout: float = 10) -> Message:
        kind = type(request)
        name = kind.DESCRIPTOR.name.removesuffix("Request")
        data = await self.send(SERVICE + name, request.SerializeToString(), timeout=timeout)
        return RESPONSES[kind].FromString(data)

    async def send(self, path: str, data: bytes, *, timeout: float = 10) -> bytes:
        result: bytes = await self._channel.unary_unary(path)(data, timeout=timeout)
        return result

    async def refused(self, request: Message, *, timeout: float = 10) -> tuple[str, str, list[str]]:
        """The status, message and detail types of a call that must fail."""
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await self.call(request, timeout=timeout)
        return said(failure.value)


def said(error: grpc.aio.AioRpcError) -> tuple[str, str, list[str]]:
    details: list[str] = []
    for key, value in error.trailing_metadata() or ():
        if key == "grpc-status-details-bin":
            status = Status.FromString(value if isinstance(value, bytes) else value.encode())
            details = [detail.TypeName().rsplit(".", 1)[-1] for detail in status.details]
    return error.code().name, error.details() or "", details


@pytest.fixture
async def wire(server: Server) -> AsyncIterator[Wire]:
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Wire(channel)


def start(**fields: object) -> StartWorkflowExecutionRequest:
    request = StartWorkflowExecutionRequest(namespace="default", workflow_id="wf", **fields)
    request.workflow_type.name = "T"
    request.task_queue.name = "q"
    return request


def _no_id(request: StartWorkflowExecutionRequest) -> None:
    request.workflow_id = ""


def _long_id(request: StartWorkflowExecutionRequest) -> None:
    request.workflow_id = "x" * 1001


def _no_type(request: StartWorkflowExecutionRequest) -> None:
    request.workflow_type.name = ""


def _no_queue(request: StartWorkflowExecutionRequest) -> None:
    request.ClearField("task_queue")


def _negative(request: StartWorkflowExecutionRequest) -> None:
    request.workflow_run_timeout.seconds = -1


def _too_large(request: StartWorkflowExecutionRequest) -> None:
    request.input.payloads.append(Payload(data=bytes(2 * 1024 * 1024)))


def _bad_cron(request: StartWorkflowExecutionRequest) -> None:
    request.cron_schedule = "every now and then"


def _unknown_attribute(request: StartWorkflowExecutionRequest) -> None:
    request.search_attributes.indexed_fields["Nonsense"].data = b"1"


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_no_id, "WorkflowId is not set"),
        (_long_id, "(1001/1000)"),
        (_no_type, "WorkflowType is not set"),
        (_no_queue, "taskQueue is not set"),
        (_negative, "WorkflowRunTimeout"),
        (_too_large, "Blob data size exceeds limit."),
        (_bad_cron, "invalid CronSchedule"),
        (_unknown_attribute, "Nonsense"),
    ],
)
async def test_a_bad_start_starts_nothing(
    wire: Wire, spoil: Callable[[StartWorkflowExecutionRequest], None], words: str
) -> None:
    request = start()
    spoil(request)
    code, message, details = await wire.refused(request)
    assert code == "INVALID_ARGUMENT"
    assert words in message
    assert details == []
    listed = await wire.call(ListWorkflowExecutionsRequest(namespace="default"))
    assert isinstance(listed, ListWorkflowExecutionsResponse)
    assert not listed.executions


@pytest.mark.parametrize(
    ("namespace", "code", "details"),
    [
        ("", "INVALID_ARGUMENT", []),
        ("x" * 1001, "INVALID_ARGUMENT", []),
        ("elsewhere", "NOT_FOUND", ["NamespaceNotFoundFailure"]),
    ],
)
async def test_namespaces_are_checked_first(wire: Wire, namespace: str, code: str, details: list[str]) -> None:
    request = start()
    request.namespace = namespace
    request.workflow_id = ""
    found = await wire.refused(request)
    assert (found[0], found[2]) == (code, details)


async def test_a_second_start_names_the_run_that_is_there(wire: Wire) -> None:
    await wire.call(start(request_id="one"))
    code, message, details = await wire.refused(start(request_id="two"))
    assert (code, details) == ("ALREADY_EXISTS", ["WorkflowExecutionAlreadyStartedFailure"])
    assert "wf" in message


async def test_requests_above_four_megabytes_are_refused_by_the_transport(wire: Wire) -> None:
    request = start()
    request.input.payloads.append(Payload(data=bytes(4 * 1024 * 1024)))
    code, message, _ = await wire.refused(request)
    assert code == "RESOURCE_EXHAUSTED"
    assert "larger than max" in message
    await wire.call(GetSystemInfoRequest())


async def test_malformed_bytes_and_unknown_methods(wire: Wire) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await wire.send(SERVICE + "StartWorkflowExecution", b"\xff\xff\xff")
    assert said(failure.value)[0] == "INVALID_ARGUMENT"
    for method in ("CreateWorkflowRule", "StartNexusOperationExecution"):
        with pytest.raises(grpc.aio.AioRpcError) as failure:
            await wire.send(SERVICE + method, b"")
        code, message, _ = said(failure.value)
        assert code == "UNIMPLEMENTED"
        assert method in message
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await wire.send(SERVICE + "NoSuchThing", b"")
    assert said(failure.value)[0] == "UNIMPLEMENTED"
    await wire.call(GetSystemInfoRequest())


async def test_health(wire: Wire) -> None:
    assert await wire.send("/grpc.health.v1.Health/Check", b"") == b"\x08\x01"
    with pytest.raises(grpc.aio.AioRpcError) as failure:
        await wire.send("/grpc.health.v1.Health/Check", b"\x0a\x04nope")
    assert said(failure.value)[0] == "NOT_FOUND"


async def test_a_filter_error_names_its_place(wire: Wire) -> None:
    request = ListWorkflowExecutionsRequest(namespace="default", query="WorkflowType = 'a' AND Nonsense = 1")
    code, message, _ = await wire.refused(request)
    assert code == "INVALID_ARGUMENT"
    assert "position 24" in message
    assert "Nonsense" in message


# -- workers -----------------------------------------------------------------------------------------------


async def task_of(wire: Wire) -> PollWorkflowTaskQueueResponse:
    request = PollWorkflowTaskQueueRequest(namespace="default", identity="worker")
    request.task_queue.name = "q"
    task = await wire.call(request)
    assert isinstance(task, PollWorkflowTaskQueueResponse)
    assert task.task_token
    return task


async def length(wire: Wire) -> int:
    request = GetWorkflowExecutionHistoryRequest(namespace="default", execution=WorkflowExecution(workflow_id="wf"))
    history = await wire.call(request)
    assert isinstance(history, GetWorkflowExecutionHistoryResponse)
    return len(history.history.events)


async def test_a_worker_that_answers_twice(wire: Wire) -> None:
    await wire.call(start())
    task = await task_of(wire)
    answer = RespondWorkflowTaskCompletedRequest(namespace="default", task_token=task.task_token)
    await wire.call(answer)
    events = await length(wire)
    code, message, details = await wire.refused(answer)
    assert (code, details) == ("NOT_FOUND", ["NotFoundFailure"])
    assert message == "Workflow task not found."
    assert await length(wire) == events


@pytest.mark.parametrize("token", [b"", b"garbage", b"\xd7\x01short"])
async def test_tokens_that_are_none(wire: Wire, token: bytes) -> None:
    answer = RespondWorkflowTaskCompletedRequest(namespace="default", task_token=token)
    code, _, details = await wire.refused(answer)
    assert (code, details) == ("INVALID_ARGUMENT", [])


async def test_unknown_commands_change_nothing(wire: Wire) -> None:
    await wire.call(start())
    task = await task_of(wire)
    events = await length(wire)
    answer = RespondWorkflowTaskCompletedRequest(
        namespace="default",
        task_token=task.task_token,
        commands=[Command(command_type=99)],  # type: ignore[arg-type]
    )
    assert (await wire.refused(answer))[0] == "INVALID_ARGUMENT"
    assert await length(wire) == events
    await wire.call(RespondWorkflowTaskCompletedRequest(namespace="default", task_token=task.task_token))


async def test_a_bad_command_fails_the_task_and_applies_none_of_it(wire: Wire) -> None:
    await wire.call(start())
    task = await task_of(wire)
    good = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
    good.start_timer_command_attributes.timer_id = "t"
    good.start_timer_command_attributes.start_to_fire_timeout.seconds = 60
    bad = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER)
    bad.start_timer_command_attributes.SetInParent()
    answer = RespondWorkflowTaskCompletedRequest(namespace="default", task_token=task.task_token, commands=[good, bad])
    code, message, _ = await wire.refused(answer)
    assert code == "INVALID_ARGUMENT"
    assert message.startswith("BadStartTimerAttributes")
    kinds = [e.WhichOneof("attributes") for e in (await task_of(wire)).history.events]
    assert "workflow_task_failed_event_attributes" in kinds
    assert "timer_started_event_attributes" not in kinds


async def test_a_signal_to_a_closed_or_unknown_workflow(wire: Wire) -> None:
    request = SignalWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id="nobody"), signal_name="s"
    )
    code, message, details = await wire.refused(request)
    assert (code, details) == ("NOT_FOUND", ["NotFoundFailure"])
    assert message == "workflow not found for ID: nobody"


async def test_a_poll_with_no_time_is_refused(wire: Wire) -> None:
    request = PollWorkflowTaskQueueRequest(namespace="default", identity="worker")
    request.task_queue.name = "q"
    code, message, _ = await wire.refused(request, timeout=1)
    assert (code, message) == ("FAILED_PRECONDITION", "Context timeout is too short.")
