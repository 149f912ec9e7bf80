"""The gRPC transport by grpc.aio: generic, so that requests and answers pass as bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from outlive.api.errors import DETAILS_KEY, status_bytes
from outlive.api.handlers import Handlers, Rpc, answer
from outlive.clock import Clock
from outlive.engine.calls import Call
from outlive.errors import ServiceError, StartupError
from outlive.limits import GRPC_MESSAGE_MAX, SECOND

_OPTIONS = (
    ("grpc.so_reuseport", 0),  # a second server on the port is an error, not a second half of it
    ("grpc.max_receive_message_length", GRPC_MESSAGE_MAX),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),  # SDKs keep connections alive by pings
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_ping_strikes", 0),
)
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcServer:
    """Serves `handlers` on one address."""

    def __init__(self, handlers: Handlers, clock: Clock, ip: str, port: int) -> None:
        self._clock = clock
        self._ip = ip
        self.port = port
        self._server = grpc.aio.server(options=_OPTIONS)
        self._server.add_generic_rpc_handlers((_Generic(handlers, self._wrap),))

    def _wrap(self, rpc: Rpc) -> grpc.RpcMethodHandler[bytes, bytes]:
        async def handle(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
            try:
                return await answer(rpc, data, self._call(context))
            except ServiceError as error:
                detail = status_bytes(error)
                if detail is not None:
                    context.set_trailing_metadata(((DETAILS_KEY, detail),))
                await context.abort(_CODES[int(error.code)], error.message)
                raise AssertionError("abort returned") from error

        return grpc.unary_unary_rpc_method_handler(handle)

    def _call(self, context: grpc.aio.ServicerContext[bytes, bytes]) -> Call:
        remaining = context.time_remaining()
        deadline = 0
        if remaining is not None and remaining < 1e8:
            deadline = self._clock.now() + int(remaining * SECOND)
        metadata: dict[str, Any] = dict(context.invocation_metadata() or ())
        return Call(deadline, str(metadata.get("client-name", "")), str(metadata.get("client-version", "")))

    async def start(self) -> None:
        """Listen. Raises StartupError if the address cannot be had."""
        host = f"[{self._ip}]" if ":" in self._ip else self._ip
        try:
            self.port = self._server.add_insecure_port(f"{host}:{self.port}")
        except RuntimeError:
            raise StartupError(
                f"{self._ip}:{self.port} cannot be listened on: stop what uses the port, or choose another with --port."
            ) from None
        await self._server.start()

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, and give those under way this many seconds."""
        await self._server.stop(grace_s)


class _Generic(grpc.GenericRpcHandler):  # type: ignore[type-arg]
    """Looks a method up in a table built once."""

    def __init__(self, handlers: Handlers, wrap: Callable[[Rpc], grpc.RpcMethodHandler[bytes, bytes]]) -> None:
        self._methods = {path: wrap(rpc) for path, rpc in handlers.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        return self._methods.get(handler_call_details.method)
