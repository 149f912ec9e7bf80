"""Every RPC, with every field spoiled in every way: a documented status, nothing changed by what is refused.

Each RPC's spoiled requests are sent, and those that were refused are sent once more between two pictures of
all that the server shows: the pictures must be the same. Nothing may answer INTERNAL or UNKNOWN, or hang.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import temporalio.api.operatorservice.v1 as operatorservice
import temporalio.api.workflowservice.v1 as workflowservice
from google.protobuf.json_format import ParseDict
from google.protobuf.message import Message

from outlive.config import ServerConfig
from outlive.server import Server
from tests.api.fuzz.mutations import spoiled
from tests.api.fuzz.requests import NOT_ASKED, REQUESTS, START, WAITS

_WORKFLOW_SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
_SERVICES = {
    _WORKFLOW_SERVICE: workflowservice,
    "temporal.api.operatorservice.v1.OperatorService": operatorservice,
}
_ALLOWED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.OUT_OF_RANGE,
}
_BY_DESIGN = {("AddOrUpdateRemoteCluster", grpc.StatusCode.UNAVAILABLE)}  # there is no other cluster to reach
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_SECONDS = 2.5  # that a call may take: above what a poll must be given, far below a test's time
_AT_ONCE = 40


def _rpcs() -> list[tuple[str, str]]:
    names = []
    for service, module in _SERVICES.items():
        for name in dir(module):
            rpc = name.removesuffix("Request")
            if name.endswith("Request") and hasattr(module, rpc + "Response") and rpc not in NOT_ASKED:
                names.append((service, rpc))
    return names


class Caller:
    """Raw calls: bytes in, status and bytes out."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def __call__(self, service: str, rpc: str, data: bytes) -> tuple[grpc.StatusCode, bytes | str]:
        async with self._free:
            try:
                answer = await self._channel.unary_unary(f"/{service}/{rpc}")(data, timeout=_SECONDS)
            except grpc.aio.AioRpcError as error:
                return error.code(), error.details() or ""
        return grpc.StatusCode.OK, answer

    async def ask(self, rpc: str, **fields: Any) -> Any:
        """A call that must succeed."""
        module = operatorservice if hasattr(operatorservice, rpc + "Request") else workflowservice
        service = next(name for name, each in _SERVICES.items() if each is module)
        request = ParseDict(fields, getattr(module, rpc + "Request")())
        if "namespace" in request.DESCRIPTOR.fields_by_name:
            request.namespace = "default"
        code, answer = await self(service, rpc, request.SerializeToString())
        assert code == grpc.StatusCode.OK, (rpc, code, answer)
        return getattr(module, rpc + "Response").FromString(answer)


_RUNS = ("another", "cancelled", "deleted", "paused", "terminated", "witness")


@pytest.fixture
async def caller(tmp_path: Path) -> AsyncIterator[Caller]:
    server = Server(ServerConfig(port=0, database=tmp_path / "outlive.db", namespaces=("spare",)))
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        caller = Caller(channel)
        for name in _RUNS:
            await caller.ask("StartWorkflowExecution", **{**START, "workflowId": name, "requestId": name})
        yield caller
    await server.stop(0)


async def _picture(caller: Caller) -> list[bytes]:
    """What the server shows of what was there before, and the names of all else that it keeps."""
    seen = []
    for name in _RUNS:
        request = workflowservice.DescribeWorkflowExecutionRequest(namespace="default")
        request.execution.workflow_id = name
        data = request.SerializeToString()
        seen.append((await caller(_WORKFLOW_SERVICE, "DescribeWorkflowExecution", data))[1])
    for rpc in ("ListSearchAttributes", "ListNamespaces"):
        seen.append((await caller.ask(rpc)).SerializeToString(deterministic=True))
    return seen


def _base(service: str, rpc: str) -> Message:
    request: Message = getattr(_SERVICES[service], rpc + "Request")()
    fields = {"namespace": "default"} if "namespace" in request.DESCRIPTOR.fields_by_name else {}
    ParseDict({**fields, **REQUESTS.get(rpc, {})}, request)
    return request


@pytest.mark.parametrize(("service", "rpc"), _rpcs(), ids=lambda value: value.rsplit(".", 1)[-1])
async def test_a_spoiled_request_gets_a_documented_status_and_changes_nothing(
    caller: Caller, service: str, rpc: str
) -> None:
    requests = list(spoiled(_base(service, rpc)))
    answers = await asyncio.gather(*(caller(service, rpc, data) for _, data in requests))
    odd = [
        (what, code.name, said)
        for (what, _), (code, said) in zip(requests, answers, strict=True)
        if code not in _ALLOWED
        and not (code == grpc.StatusCode.DEADLINE_EXCEEDED and rpc in WAITS)
        and (rpc, code) not in _BY_DESIGN
    ]
    assert not odd, odd[:10]
    refused = [data for (_, data), (code, _) in zip(requests, answers, strict=True) if code == _INVALID]
    if all(code == grpc.StatusCode.UNIMPLEMENTED for code, _ in answers[:2]):
        return  # nothing to spoil
    assert refused, "nothing of all this was refused"
    before = await _picture(caller)
    again = await asyncio.gather(*(caller(service, rpc, data) for data in refused))
    assert {code for code, _ in again} == {_INVALID}
    assert await _picture(caller) == before
