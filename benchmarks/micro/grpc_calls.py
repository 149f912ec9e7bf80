"""Server CPU of one unary gRPC call, by way of serving it: ``python -m benchmarks.micro.grpc_calls``.

Each variant is a server in its own process; the client drives a fixed number of calls with a fixed
number in flight and reads the server's user and system time before and after. The request and the
answer are the size of a small workflow-task completion, with the headers that an SDK sends.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import psutil
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.workflowservice.v1 import (
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskCompletedResponse,
)

SERVICE = "temporal.api.workflowservice.v1.WorkflowService"
METHOD = f"/{SERVICE}/RespondActivityTaskCompleted"
METADATA = (
    ("client-name", "temporal-python"),
    ("client-version", "1.35.0"),
    ("temporal-namespace", "default"),
)
ANSWER = RespondActivityTaskCompletedResponse()
REQUEST = RespondActivityTaskCompletedRequest(
    task_token=b"t" * 60,
    namespace="default",
    identity="12345@bench-host",
    result=Payloads(payloads=[Payload(metadata={"encoding": b"json/plain"}, data=b'"ok"')]),
)
Options = tuple[tuple[str, int | str], ...]


class PassThrough(grpc.aio.ServerInterceptor):  # type: ignore[type-arg]
    """The least an interceptor can do: hand the call on."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        return await continuation(handler_call_details)


async def answer_bytes(request: bytes, context: Any) -> bytes:
    """Answer without decoding."""
    return b""


async def answer_message(request: Message, context: Any) -> Message:
    """Answer a decoded message with a message."""
    return ANSWER


def answer_sync(request: bytes, context: Any) -> bytes:
    """Answer without decoding, on a pool thread."""
    return b""


class LookupHandler(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """A generic handler that answers from one dict, as `method_handlers_generic_handler` does."""

    def __init__(self, handler: Any) -> None:
        self._handlers = {METHOD: handler}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._handlers.get(handler_call_details.method)


def bytes_handler(function: Any) -> Any:
    """A handler whose request and answer stay bytes."""
    return grpc.unary_unary_rpc_method_handler(function)


def message_handler() -> Any:
    """A handler that decodes the request and encodes the answer, as generated code does."""
    return grpc.unary_unary_rpc_method_handler(
        answer_message,
        request_deserializer=RespondActivityTaskCompletedRequest.FromString,
        response_serializer=RespondActivityTaskCompletedResponse.SerializeToString,
    )


async def serve_aio(handler: Any, interceptors: int, options: Options) -> None:
    """Serve until killed, saying the port on the first line of output."""
    server = grpc.aio.server(interceptors=[PassThrough() for _ in range(interceptors)], options=list(options))
    server.add_generic_rpc_handlers((LookupHandler(handler),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(port, flush=True)
    await server.wait_for_termination()


def serve_sync(threads: int) -> None:
    """The threaded server, for comparison: `threads` calls at once."""
    server = grpc.server(ThreadPoolExecutor(threads))
    server.add_generic_rpc_handlers((LookupHandler(bytes_handler(answer_sync)),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()


def use_uvloop() -> None:
    """Make uvloop's the event loop of this process; it has to be installed by hand."""
    asyncio.set_event_loop_policy(importlib.import_module("uvloop").EventLoopPolicy())


VARIANTS = {
    "aio-bytes": "aio, bytes in and out",
    "aio-message": "aio, protobuf in and out",
    "aio-bytes-1": "aio, bytes, 1 interceptor",
    "aio-bytes-3": "aio, bytes, 3 interceptors",
    "aio-bytes-uvloop": "aio, bytes, uvloop",
    "aio-message-uvloop": "aio, protobuf, uvloop",
    "aio-bytes-quiet": "aio, bytes, stats and tracing off",
    "aio-bytes-latency": "aio, bytes, optimization_target=latency",
    "aio-bytes-throughput": "aio, bytes, optimization_target=throughput",
    "sync-bytes": "threads, bytes, pool of 8",
    "sync-bytes-100": "threads, bytes, pool of 100",
}


def serve(variant: str) -> None:
    """Serve one variant in this process."""
    if variant.startswith("sync"):
        return serve_sync(100 if variant.endswith("100") else 8)
    if variant.endswith("uvloop"):
        use_uvloop()
    interceptors = int(variant[-1]) if variant[-1].isdigit() else 0
    options: Options = ()
    if variant.endswith(("latency", "throughput")):
        options = (("grpc.optimization_target", variant.rsplit("-", 1)[1]),)
    if variant.endswith("quiet"):
        options = (("grpc.enable_channelz", 0), ("grpc.minimal_stack", 1))
    handler = message_handler() if "message" in variant else bytes_handler(answer_bytes)
    asyncio.run(serve_aio(handler, interceptors, options))


async def drive(port: int, calls: int, in_flight: int) -> float:
    """Make the calls; wall-clock seconds for all of them."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary(METHOD, request_serializer=bytes, response_deserializer=bytes)
        body = REQUEST.SerializeToString()
        left = calls

        async def lane() -> None:
            nonlocal left
            while left > 0:
                left -= 1
                await call(body, metadata=METADATA)

        started = time.perf_counter()
        await asyncio.gather(*(lane() for _ in range(in_flight)))
        return time.perf_counter() - started


def cpu_seconds(process: psutil.Process) -> float:
    """User and system time so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def measure(variant: str, calls: int, in_flight: int, env: dict[str, str]) -> tuple[float, float]:
    """CPU milliseconds per call in the server, and calls per second."""
    command = [sys.executable, "-m", "benchmarks.micro.grpc_calls", "--serve", variant]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ, **env})
    try:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        asyncio.run(drive(port, max(200, calls // 10), in_flight))
        process = psutil.Process(server.pid)
        before = cpu_seconds(process)
        seconds = asyncio.run(drive(port, calls, in_flight))
        return (cpu_seconds(process) - before) * 1000 / calls, calls / seconds
    finally:
        server.kill()
        server.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, nargs="*", default=[1, 50])
    parser.add_argument("--only", help="comma-separated variants")
    parser.add_argument("--env", nargs="*", default=[], help="NAME=VALUE for the server")
    parser.add_argument("--serve", choices=VARIANTS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        return serve(arguments.serve)
    env = dict(pair.split("=", 1) for pair in arguments.env)
    print(f"{'server CPU per call':44} " + " ".join(f"{n:>4} in flight " for n in arguments.in_flight))
    for variant in arguments.only.split(",") if arguments.only else VARIANTS:
        cells = [measure(variant, arguments.calls, n, env) for n in arguments.in_flight]
        row = " ".join(f"{ms:.3f} ms {rate:5.0f}/s" for ms, rate in cells)
        print(f"{VARIANTS[variant]:44} {row}", flush=True)


if __name__ == "__main__":
    main()
