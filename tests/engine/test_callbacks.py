"""Completion callbacks over real HTTP: what is called when, tried again, carried on, and not lost by a restart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Callback, Link, Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CallbackState, CommandType, EventType, WorkflowIdConflictPolicy
from temporalio.api.failure.v1 import Failure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import CallbackInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowTaskQueueRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from outlive.config import ServerConfig
from outlive.server import Server

S = CallbackState
T = CommandType
CONFIG = {
    "callback.allowedAddresses": [{"Pattern": "127.0.0.1:*", "AllowInsecure": True}],
    "callback.retryPolicy.initialInterval": "20ms",
    "callback.retryPolicy.maximumInterval": "50ms",
    "callback.request.timeout": "300ms",
}


@dataclass
class Called:
    """One call as it came in."""

    path: str
    headers: dict[str, str]  # by lower-case name
    body: bytes


@dataclass
class Receiver:
    """Whom callbacks call. `answers` by path: statuses in order, the last for good; 0 never answers."""

    port: int = 0
    calls: list[Called] = field(default_factory=list)
    answers: dict[str, list[int]] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        path = head[0].split(" ")[1]
        self.calls.append(Called(path, headers, body))
        statuses = self.answers.get(path, [200])
        status = statuses.pop(0) if len(statuses) > 1 else statuses[0]
        self.news.set()
        if status:
            writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
        else:
            await reader.read()  # until the caller gives up
        writer.close()

    def callback(self, path: str, **header: str) -> Callback:
        return Callback(nexus=Callback.Nexus(url=f"http://127.0.0.1:{self.port}{path}", header=header))

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not holds():
                self.news.clear()
                await self.news.wait()

    def paths(self) -> list[str]:
        return sorted(call.path for call in self.calls)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    listener = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = listener.sockets[0].getsockname()[1]
    yield receiver
    listener.close()


class Puppet:
    """A client and a worker on raw calls."""

    def __init__(self, client: Client) -> None:
        self.service = client.workflow_service

    async def start(self, workflow_id: str, *callbacks: Callback, **more: Any) -> str:
        request = StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="T"),
            task_queue=TaskQueue(name=workflow_id),
            completion_callbacks=callbacks,
            **more,
        )
        return (await self.service.start_workflow_execution(request)).run_id

    async def step(self, queue: str, command: Command | None = None) -> None:
        poll = PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue))
        task = await self.service.poll_workflow_task_queue(poll)
        await self.service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(
                namespace="default", task_token=task.task_token, commands=[command] if command else []
            )
        )

    async def complete(self, queue: str, *payloads: Payload) -> None:
        command = Command(command_type=T.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
        command.complete_workflow_execution_command_attributes.result.CopyFrom(Payloads(payloads=payloads))
        await self.step(queue, command)

    async def terminate(self, workflow_id: str) -> None:
        request = TerminateWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), reason="why"
        )
        await self.service.terminate_workflow_execution(request)

    async def callbacks(self, workflow_id: str, run_id: str = "") -> Sequence[CallbackInfo]:
        execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        request = DescribeWorkflowExecutionRequest(namespace="default", execution=execution)
        return (await self.service.describe_workflow_execution(request)).callbacks

    async def until(self, workflow_id: str, *states: CallbackState.ValueType) -> Sequence[CallbackInfo]:
        """Wait until the callbacks are in these states."""
        async with asyncio.timeout(10):
            while True:
                found = await self.callbacks(workflow_id)
                if [each.state for each in found] == list(states):
                    return found
                await asyncio.sleep(0.005)

    async def events(self, workflow_id: str, kind: EventType.ValueType) -> list[Any]:
        request = GetWorkflowExecutionHistoryRequest(
            namespace="default", execution=WorkflowExecution(workflow_id=workflow_id)
        )
        history = (await self.service.get_workflow_execution_history(request)).history
        return [event for event in history.events if event.event_type == kind]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    server = Server(ServerConfig(port=0, database=tmp_path / "outlive.db", dynamic_config=CONFIG))
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def puppet(server: Server) -> Puppet:
    return Puppet(await Client.connect(f"127.0.0.1:{server.port}"))


def payload(data: bytes, encoding: str = "json/plain", **metadata: str) -> Payload:
    fields = {"encoding": encoding, **metadata}
    return Payload(metadata={name: value.encode() for name, value in fields.items()}, data=data)


async def test_a_completed_run_is_told_of_with_its_result(puppet: Puppet, receiver: Receiver) -> None:
    run_id = await puppet.start("w 1", receiver.callback("/a?b=c", **{"X-Token": "t"}), receiver.callback("/other"))
    (started,) = await puppet.events("w 1", EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    kept = started.workflow_execution_started_event_attributes.completion_callbacks
    assert [dict(each.nexus.header) for each in kept] == [{"x-token": "t"}, {}]
    before = await puppet.until("w 1", S.CALLBACK_STATE_STANDBY, S.CALLBACK_STATE_STANDBY)
    assert all(each.trigger.HasField("workflow_closed") and each.HasField("registration_time") for each in before)
    await puppet.complete("w 1", payload(b'{"x": 1}'))
    after = await puppet.until("w 1", S.CALLBACK_STATE_SUCCEEDED, S.CALLBACK_STATE_SUCCEEDED)
    assert all(each.attempt == 1 and each.HasField("last_attempt_complete_time") for each in after)
    assert receiver.paths() == ["/a?b=c", "/other"]
    call = next(each for each in receiver.calls if each.path == "/a?b=c")
    assert call.body == b'{"x": 1}'
    assert call.headers["content-type"] == "application/json"
    assert call.headers["nexus-operation-state"] == "succeeded"
    assert call.headers["x-token"] == "t"
    assert call.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert call.headers["nexus-operation-start-time"].endswith(" GMT")
    assert call.headers["nexus-operation-close-time"].endswith("Z")
    assert call.headers["nexus-link"] == (
        f"<temporal:///namespaces/default/workflows/w%201/{run_id}/history?eventID=1&eventType=WorkflowExecutionStarted"
        '&referenceType=EventReference>; type="temporal.api.common.v1.Link.WorkflowEvent"'
    )


@pytest.mark.parametrize(
    ("result", "content_type", "body"),
    [
        ((), None, b""),
        ((payload(b"1"), payload(b"2")), "application/json", b"1"),  # an operation has one result
        ((payload(b"hi", "binary/plain"),), "application/octet-stream", b"hi"),
        ((payload(b"", "binary/null"),), None, b""),
        (
            (payload(b"{}", "json/protobuf", messageType="a.B"),),
            'application/json; format=protobuf; message-type="a.B"',
            b"{}",
        ),
        (
            (payload(b"\x08", "binary/protobuf", messageType="a.B"),),
            'application/x-protobuf; message-type="a.B"',
            b"\x08",
        ),
        ((payload(b"{}", "json/protobuf", messageType='a"\r\nX: y'),), "application/x-temporal-payload", None),
        ((payload(b"hi", "binary/plain", more="x"),), "application/x-temporal-payload", None),
        ((payload(b"hi", "binary/encrypted"),), "application/x-temporal-payload", None),
    ],
)
async def test_how_results_are_written(
    puppet: Puppet, receiver: Receiver, result: tuple[Payload, ...], content_type: str | None, body: bytes | None
) -> None:
    await puppet.start("w", receiver.callback("/"))
    await puppet.complete("w", *result)
    await receiver.until(lambda: bool(receiver.calls))
    assert receiver.calls[0].headers.get("content-type") == content_type
    if body is None:  # a message: the order of its metadata is not fixed
        assert Payload.FromString(receiver.calls[0].body) == result[0]
    else:
        assert receiver.calls[0].body == body


async def _failed(puppet: Puppet) -> None:
    command = Command(command_type=T.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION)
    failure = Failure(message="boom", stack_trace="at x")
    failure.application_failure_info.type = "E"
    command.fail_workflow_execution_command_attributes.failure.CopyFrom(failure)
    await puppet.step("w", command)


async def _cancelled(puppet: Puppet) -> None:
    target = WorkflowExecution(workflow_id="w")
    request = RequestCancelWorkflowExecutionRequest(namespace="default", workflow_execution=target)
    await puppet.service.request_cancel_workflow_execution(request)
    command = Command(command_type=T.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION)
    command.cancel_workflow_execution_command_attributes.details.payloads.append(payload(b'"d"'))
    await puppet.step("w", command)


async def _terminated(puppet: Puppet) -> None:
    await puppet.terminate("w")


async def _timed_out(puppet: Puppet) -> None:
    """Its run time-out is 1 s."""


ENDS: dict[str, tuple[Callable[[Puppet], Awaitable[None]], str, dict[str, Any]]] = {
    "failed": (
        _failed,
        "failed",
        {"message": "boom", "details": {"stackTrace": "at x", "applicationFailureInfo": {"type": "E"}}},
    ),
    "cancelled": (
        _cancelled,
        "canceled",
        {
            "message": "operation canceled",
            "details": {
                "canceledFailureInfo": {
                    "details": {"payloads": [{"metadata": {"encoding": "anNvbi9wbGFpbg=="}, "data": "ImQi"}]}
                }
            },
        },
    ),
    "terminated": (
        _terminated,
        "failed",
        {"message": "operation terminated", "details": {"terminatedFailureInfo": {}}},
    ),
    "timed out": (
        _timed_out,
        "failed",
        {"message": "operation exceeded internal timeout", "details": {"timeoutFailureInfo": {}}},
    ),
}


@pytest.mark.parametrize("end", ENDS)
async def test_other_ends(puppet: Puppet, receiver: Receiver, end: str) -> None:
    bring_about, state, failure = ENDS[end]
    await puppet.start("w", receiver.callback("/"), workflow_run_timeout={"seconds": 1})
    await bring_about(puppet)
    await receiver.until(lambda: bool(receiver.calls))
    call = receiver.calls[0]
    assert (call.headers["nexus-operation-state"], call.headers["content-type"]) == (state, "application/json")
    assert json.loads(call.body) == {**failure, "metadata": {"type": "temporal.api.failure.v1.Failure"}}
    await puppet.until("w", S.CALLBACK_STATE_SUCCEEDED)


@pytest.mark.parametrize("status", [500, 503, 429, 408, 520, 302])
async def test_what_may_fare_better_is_tried_again(puppet: Puppet, receiver: Receiver, status: int) -> None:
    receiver.answers["/"] = [status, status, 204]
    await puppet.start("w", receiver.callback("/"))
    await puppet.terminate("w")
    (info,) = await puppet.until("w", S.CALLBACK_STATE_SUCCEEDED)
    assert info.attempt == 3
    assert not info.HasField("last_attempt_failure")
    assert not info.HasField("next_attempt_schedule_time")
    assert len(receiver.calls) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 501])
async def test_what_would_not_is_given_up(puppet: Puppet, receiver: Receiver, status: int) -> None:
    receiver.answers["/"] = [status]
    await puppet.start("w", receiver.callback("/"))
    await puppet.terminate("w")
    (info,) = await puppet.until("w", S.CALLBACK_STATE_FAILED)
    assert info.attempt == 1
    assert info.last_attempt_failure.message.startswith("handler error (")
    assert info.last_attempt_failure.application_failure_info.non_retryable
    assert len(receiver.calls) == 1


async def test_nobody_there_and_nobody_answers(puppet: Puppet, receiver: Receiver) -> None:
    receiver.answers["/hangs"] = [0, 200]
    nobody = Callback(nexus=Callback.Nexus(url="http://127.0.0.1:1/"))
    await puppet.start("w", nobody, receiver.callback("/hangs"))
    await puppet.terminate("w")
    async with asyncio.timeout(10):
        while True:
            away, hung = await puppet.callbacks("w")
            if away.attempt >= 3 and hung.state == S.CALLBACK_STATE_SUCCEEDED:
                break
            await asyncio.sleep(0.01)
    assert hung.attempt == 2
    assert "127.0.0.1:1" in away.last_attempt_failure.message
    assert not away.last_attempt_failure.application_failure_info.non_retryable


async def test_an_address_that_hangs_does_not_hold_up_another(puppet: Puppet, receiver: Receiver) -> None:
    other = Receiver()
    listener = await asyncio.start_server(other.serve, "127.0.0.1", 0)
    other.port = listener.sockets[0].getsockname()[1]
    receiver.answers["/"] = [0]
    await puppet.start("w", *(receiver.callback("/") for _ in range(30)), other.callback("/"))
    await puppet.terminate("w")
    await other.until(lambda: bool(other.calls))
    assert len(receiver.calls) <= 16
    listener.close()


async def test_the_next_run_of_the_chain_is_given_them(puppet: Puppet, receiver: Receiver) -> None:
    first = await puppet.start("w", receiver.callback("/given"), request_id="1")
    attach = {"attach_request_id": True, "attach_completion_callbacks": True}
    use_existing = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
    again = {"request_id": "2", "workflow_id_conflict_policy": use_existing, "on_conflict_options": attach}
    assert await puppet.start("w", receiver.callback("/attached"), **again) == first
    command = Command(command_type=T.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
    attributes = command.continue_as_new_workflow_execution_command_attributes
    attributes.workflow_type.name = "T"
    attributes.task_queue.name = "w"
    await puppet.step("w", command)
    (started,) = await puppet.events("w", EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
    assert len(started.workflow_execution_started_event_attributes.completion_callbacks) == 2
    await puppet.complete("w")
    await puppet.until("w", S.CALLBACK_STATE_SUCCEEDED, S.CALLBACK_STATE_SUCCEEDED)
    assert receiver.paths() == ["/attached", "/given"]
    assert {each.state for each in await puppet.callbacks("w", first)} == {S.CALLBACK_STATE_STANDBY}


async def test_a_reset_takes_them_along(puppet: Puppet, receiver: Receiver) -> None:
    first = await puppet.start("w", receiver.callback("/"))
    await puppet.step("w")
    reset = ResetWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id="w"),
        workflow_task_finish_event_id=4,
        request_id="r",
    )
    await puppet.service.reset_workflow_execution(reset)
    await puppet.complete("w", payload(b"2"))
    await puppet.until("w", S.CALLBACK_STATE_SUCCEEDED)
    assert [call.body for call in receiver.calls] == [b"2"]  # the end of the run that was reset is none
    assert [each.state for each in await puppet.callbacks("w", first)] == [S.CALLBACK_STATE_STANDBY]


async def test_attaching_writes_one_event_and_once(puppet: Puppet, receiver: Receiver) -> None:
    await puppet.start("w", receiver.callback("/0"), request_id="0")
    link = Link(workflow_event=Link.WorkflowEvent(namespace="n", workflow_id="o", run_id="r"))
    use_existing = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING

    async def attach(request_id: str, **options: bool) -> None:
        await puppet.start(
            "w",
            receiver.callback(f"/{request_id}"),
            request_id=request_id,
            links=[link],
            workflow_id_conflict_policy=use_existing,
            on_conflict_options=options,
        )

    await attach("1", attach_request_id=True)
    await attach("2", attach_request_id=True, attach_completion_callbacks=True, attach_links=True)
    await attach("2", attach_request_id=True, attach_completion_callbacks=True, attach_links=True)
    await attach("3")
    events = await puppet.events("w", EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
    seen = [event.workflow_execution_options_updated_event_attributes for event in events]
    assert [each.attached_request_id for each in seen] == ["1", "2", ""]
    assert [len(each.attached_completion_callbacks) for each in seen] == [0, 1, 0]
    assert [list(event.links) for event in events] == [[], [link], []]
    with pytest.raises(RPCError, match="attaching request ID is required"):
        await attach("4", attach_completion_callbacks=True)
    await puppet.terminate("w")
    await receiver.until(lambda: len(receiver.calls) >= 2)
    assert receiver.paths() == ["/0", "/2"]


async def test_a_restart_loses_none(tmp_path: Path, receiver: Receiver) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db", dynamic_config=CONFIG)
    server = Server(config)
    await server.start()
    puppet = Puppet(await Client.connect(f"127.0.0.1:{server.port}"))
    receiver.answers = {"/backs-off": [500], "/hangs": [0, 200]}
    await puppet.start("open", receiver.callback("/open"))
    await puppet.start("backs-off", receiver.callback("/backs-off"))
    await puppet.start("hangs", receiver.callback("/hangs"))
    await puppet.terminate("backs-off")
    await puppet.terminate("hangs")
    await receiver.until(lambda: {"/backs-off", "/hangs"} <= set(receiver.paths()))
    await server.stop(0)
    receiver.answers["/backs-off"] = [200]
    server = Server(config)
    await server.start()
    puppet = Puppet(await Client.connect(f"127.0.0.1:{server.port}"))
    await puppet.until("backs-off", S.CALLBACK_STATE_SUCCEEDED)
    await puppet.until("hangs", S.CALLBACK_STATE_SUCCEEDED)
    await puppet.until("open", S.CALLBACK_STATE_STANDBY)
    await puppet.terminate("open")
    await puppet.until("open", S.CALLBACK_STATE_SUCCEEDED)
    await server.stop(0)


BAD: dict[str, tuple[Callback, RPCStatusCode, str]] = {
    "nothing": (Callback(), RPCStatusCode.UNIMPLEMENTED, "unknown callback variant"),
    "internal": (
        Callback(internal=Callback.Internal(data=b"x")),
        RPCStatusCode.INVALID_ARGUMENT,
        "unsupported callback variant",
    ),
    **{
        name: (Callback(nexus=Callback.Nexus(url=url)), RPCStatusCode.INVALID_ARGUMENT, words)
        for name, url, words in (
            ("empty", "", "unknown scheme"),
            ("scheme", "ftp://127.0.0.1:1/", "unknown scheme"),
            ("other system", "temporal://other", "unknown scheme"),
            ("host", "http:///x", "missing host"),
            ("stranger", "http://example.com/x", "does not match any configured callback address"),
            ("disguise", "http://127.0.0.1:1@example.com/", "does not match any configured callback address"),
            ("long", "http://127.0.0.1:1/" + "x" * 1_000, "longer than max length allowed of 1000"),
            ("space", "http://127.0.0.1:1/a b", "characters that it must escape"),
            ("line", "http://127.0.0.1:1/a\r\nX:y", "characters that it must escape"),
            ("port", "http://127.0.0.1:port/", "invalid url"),
            ("bracket", "http://[::1", "invalid url"),
        )
    },
    **{
        name: (
            Callback(nexus=Callback.Nexus(url="http://127.0.0.1:1/", header=header)),
            RPCStatusCode.INVALID_ARGUMENT,
            words,
        )
        for name, header, words in (
            ("header", {"h": "x" * 9_000}, "longer than max allowed size of 8192"),
            ("header name", {"a b": "c"}, "no name of a header field"),
            ("header value", {"a": "c\r\nX: y"}, "control characters"),
        )
    },
}


@pytest.mark.parametrize("case", BAD)
async def test_what_may_not_be_called(puppet: Puppet, case: str) -> None:
    callback, status, words = BAD[case]
    with pytest.raises(RPCError, match=words) as caught:
        await puppet.start("w", callback)
    assert caught.value.status == status


async def test_the_system_callback_waits_for_no_operation(puppet: Puppet) -> None:
    await puppet.start("w", Callback(nexus=Callback.Nexus(url="temporal://system")))
    await puppet.terminate("w")
    (info,) = await puppet.until("w", S.CALLBACK_STATE_FAILED)
    assert "Nexus" in info.last_attempt_failure.message


async def test_there_is_an_end_to_how_many(tmp_path: Path, receiver: Receiver) -> None:
    server = Server(ServerConfig(port=0, dynamic_config={**CONFIG, "system.maxCallbacksPerWorkflow": 2}))
    await server.start()
    puppet = Puppet(await Client.connect(f"127.0.0.1:{server.port}"))
    with pytest.raises(RPCError, match="more than 2 callbacks"):
        await puppet.start("w", *(receiver.callback("/") for _ in range(3)))
    await puppet.start("w", receiver.callback("/"), receiver.callback("/"))
    use_existing = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
    options = {"attach_request_id": True, "attach_completion_callbacks": True}
    with pytest.raises(RPCError, match=r"more than 2 callbacks .*2 callbacks already attached") as caught:
        await puppet.start(
            "w", receiver.callback("/"), workflow_id_conflict_policy=use_existing, on_conflict_options=options
        )
    assert caught.value.status == RPCStatusCode.FAILED_PRECONDITION
    await server.stop(0)


async def test_nobody_may_be_called_unless_it_is_said(receiver: Receiver) -> None:
    server = Server(ServerConfig(port=0))
    await server.start()
    puppet = Puppet(await Client.connect(f"127.0.0.1:{server.port}"))
    with pytest.raises(RPCError, match="does not match any configured callback address"):
        await puppet.start("w", receiver.callback("/"))
    await server.stop(0)
