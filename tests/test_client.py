"""The gRPC client against a small gRPC server that answers as told, and alone."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import Message
from temporalio.api.common.v1 import GrpcStatus
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure, NotFoundFailure
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest, ListSearchAttributesResponse
from temporalio.api.workflowservice import v1 as api

from outlive import client as module
from outlive.client import (
    AlreadyExists,
    BadRequest,
    BoundRpc,
    DeadlinePassed,
    NamespaceUnknown,
    NotFound,
    NotPossibleNow,
    Refused,
    RpcError,
    Unreachable,
    Unsupported,
    WorkflowServiceClient,
)

Handler = Callable[[bytes, grpc.aio.ServicerContext], Awaitable[bytes]]


class FakeServer(grpc.GenericRpcHandler):
    """Answers each method with the handler that a test has set, and remembers what it was asked."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.asked: list[tuple[str, bytes]] = []
        self.metadata: dict[str, Any] = {}

    def service(self, details: Any) -> Any:
        name = details.method

        async def behave(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            self.asked.append((name, request))
            self.metadata = dict(details.invocation_metadata)
            return await self.handlers[name.rpartition("/")[2]](request, context)

        return grpc.unary_unary_rpc_method_handler(behave)


@pytest.fixture
async def served() -> AsyncIterator[tuple[FakeServer, str]]:
    fake = FakeServer()
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((fake,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    yield fake, f"127.0.0.1:{port}"
    await server.stop(None)


def answering(message: Message) -> Handler:
    async def answer(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return message.SerializeToString()

    return answer


def failing(code: grpc.StatusCode, words: str, detail: Message | bytes | None = None) -> Handler:
    async def fail(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        if detail is not None:
            status = detail
            if isinstance(detail, Message):
                packed = AnyMessage()
                packed.Pack(detail)
                status = GrpcStatus(code=code.value[0], message=words, details=[packed]).SerializeToString()
            context.set_trailing_metadata((("grpc-status-details-bin", status),))
        await context.abort(code, words)
        raise AssertionError

    return fail


async def test_a_method_sends_its_request_and_gives_the_response(served: tuple[FakeServer, str]) -> None:
    fake, address = served
    fake.handlers["CountWorkflowExecutions"] = answering(api.CountWorkflowExecutionsResponse(count=7))
    client = WorkflowServiceClient(address)
    answer = await client.count_workflow_executions(api.CountWorkflowExecutionsRequest(namespace="n", query="q"))
    assert answer == api.CountWorkflowExecutionsResponse(count=7)
    method, sent = fake.asked[0]
    assert method == "/temporal.api.workflowservice.v1.WorkflowService/CountWorkflowExecutions"
    assert api.CountWorkflowExecutionsRequest.FromString(sent) == api.CountWorkflowExecutionsRequest(
        namespace="n", query="q"
    )
    await client.close()


async def test_its_namespace_fills_requests_that_name_none_and_leaves_them_alone(
    served: tuple[FakeServer, str],
) -> None:
    fake, address = served
    fake.handlers["ListWorkflowExecutions"] = answering(api.ListWorkflowExecutionsResponse())
    client = WorkflowServiceClient(address, namespace="mine")
    own = api.ListWorkflowExecutionsRequest(query="x")
    await client.list_workflow_executions(own)
    await client.list_workflow_executions(api.ListWorkflowExecutionsRequest(namespace="other"))
    sent = [api.ListWorkflowExecutionsRequest.FromString(data) for _, data in fake.asked]
    assert [(one.namespace, one.query) for one in sent] == [("mine", "x"), ("other", "")]
    assert own.namespace == ""
    await client.close()


async def test_call_reaches_the_operator_service_and_the_key_goes_along(served: tuple[FakeServer, str]) -> None:
    fake, address = served
    fake.handlers["ListSearchAttributes"] = answering(ListSearchAttributesResponse(custom_attributes={"A": 1}))
    client = WorkflowServiceClient(address, api_key="secret")
    answer = await client.call(ListSearchAttributesRequest(), ListSearchAttributesResponse)
    assert dict(answer.custom_attributes) == {"A": 1}
    assert fake.asked[0][0] == "/temporal.api.operatorservice.v1.OperatorService/ListSearchAttributes"
    assert fake.metadata["authorization"] == "Bearer secret"
    await client.close()


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, BadRequest),
        (grpc.StatusCode.NOT_FOUND, NotFound),
        (grpc.StatusCode.ALREADY_EXISTS, AlreadyExists),
        (grpc.StatusCode.FAILED_PRECONDITION, NotPossibleNow),
        (grpc.StatusCode.PERMISSION_DENIED, Refused),
        (grpc.StatusCode.UNAUTHENTICATED, Refused),
        (grpc.StatusCode.UNIMPLEMENTED, Unsupported),
        (grpc.StatusCode.UNAVAILABLE, Unreachable),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, RpcError),
        (grpc.StatusCode.INTERNAL, RpcError),
    ],
)
async def test_each_status_is_an_error_of_its_own(
    served: tuple[FakeServer, str], code: grpc.StatusCode, expected: type[RpcError]
) -> None:
    fake, address = served
    fake.handlers["GetSystemInfo"] = failing(code, "words")
    client = WorkflowServiceClient(address)
    with pytest.raises(RpcError) as caught:
        await client.get_system_info(api.GetSystemInfoRequest())
    assert type(caught.value) is expected
    assert (caught.value.code, caught.value.message, caught.value.detail) == (code, "words", None)
    await client.close()


async def test_the_typed_detail_is_decoded(served: tuple[FakeServer, str]) -> None:
    fake, address = served
    client = WorkflowServiceClient(address)
    fake.handlers["GetSystemInfo"] = failing(grpc.StatusCode.NOT_FOUND, "w", NotFoundFailure(active_cluster="c"))
    with pytest.raises(NotFound) as caught:
        await client.get_system_info(api.GetSystemInfoRequest())
    assert caught.value.detail == NotFoundFailure(active_cluster="c")
    fake.handlers["GetSystemInfo"] = failing(grpc.StatusCode.NOT_FOUND, "w", NamespaceNotFoundFailure(namespace="gone"))
    with pytest.raises(NamespaceUnknown) as unknown:
        await client.get_system_info(api.GetSystemInfoRequest())
    assert unknown.value.detail == NamespaceNotFoundFailure(namespace="gone")
    await client.close()


@pytest.mark.parametrize(
    "status",
    [
        b"\xff\xff not a status",
        GrpcStatus(details=[AnyMessage(type_url="type.googleapis.com/no.such.Type")]).SerializeToString(),
        GrpcStatus(details=[AnyMessage(type_url="nonsense", value=b"\xff")]).SerializeToString(),
        GrpcStatus().SerializeToString(),
    ],
)
async def test_a_detail_that_cannot_be_read_is_no_detail(served: tuple[FakeServer, str], status: bytes) -> None:
    fake, address = served
    fake.handlers["GetSystemInfo"] = failing(grpc.StatusCode.NOT_FOUND, "words", status)
    client = WorkflowServiceClient(address)
    with pytest.raises(NotFound) as caught:
        await client.get_system_info(api.GetSystemInfoRequest())
    assert caught.value.detail is None
    assert caught.value.message == "words"
    await client.close()


async def test_no_answer_in_time_is_a_deadline(served: tuple[FakeServer, str]) -> None:
    fake, address = served

    async def never(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    fake.handlers["GetSystemInfo"] = never
    client = WorkflowServiceClient(address)
    with pytest.raises(DeadlinePassed):
        await client.get_system_info(api.GetSystemInfoRequest(), timeout=0.05)
    await client.close()


async def test_nobody_there_is_unreachable(unused_tcp_port: int) -> None:
    client = WorkflowServiceClient(f"127.0.0.1:{unused_tcp_port}")
    with pytest.raises(Unreachable):
        await client.get_system_info(api.GetSystemInfoRequest())
    await client.close()


async def test_a_closed_client_opens_again(served: tuple[FakeServer, str]) -> None:
    fake, address = served
    fake.handlers["GetSystemInfo"] = answering(api.GetSystemInfoResponse(server_version="1"))
    client = WorkflowServiceClient(address)
    for _ in range(2):
        answer = await client.get_system_info(api.GetSystemInfoRequest())
        assert answer.server_version == "1"
        await client.close()


def test_every_method_pairs_the_messages_of_one_rpc() -> None:
    client = WorkflowServiceClient("127.0.0.1:1")
    methods = [name for name in vars(WorkflowServiceClient) if not name.startswith("_")]
    assert len(methods) > 40
    for name in methods:
        rpc = vars(WorkflowServiceClient)[name]
        words = "".join(part.capitalize() for part in name.split("_"))
        assert rpc.request is getattr(api, f"{words}Request")
        assert rpc.response is getattr(api, f"{words}Response")
        assert isinstance(getattr(client, name), BoundRpc)


def test_importing_it_brings_neither_the_sdk_client_nor_the_server() -> None:
    script = (
        "import sys, outlive.client\n"
        "heavy = {'temporalio.client', 'temporalio.worker', 'apsw', 'starlette', 'jinja2', 'uvicorn', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)), [m for m in sys.modules if m.startswith('outlive.')])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[] ['outlive.base_errors', 'outlive.errors', 'outlive.client']"


def test_the_error_tree_is_drawn_in_the_module() -> None:
    drawn = module.__doc__ or ""
    errors = [name for name, kind in vars(module).items() if inspect.isclass(kind) and issubclass(kind, RpcError)]
    assert len(errors) == 10
    assert all(name in drawn for name in errors)
