"""The transport on asyncio: sockets, a task for each call, deadlines, draining."""

from __future__ import annotations

import asyncio
import errno
import logging
import ssl
from functools import partial

from outlive.api import versions
from outlive.api.handlers import Handlers, Rpc, answer
from outlive.api.http2 import bounds, grpc
from outlive.api.http2.connection import Cancelled, Connection, Request, TooLarge
from outlive.api.http2.frames import ConnectionFault
from outlive.api.http2.headers import Headers
from outlive.clock import Clock
from outlive.engine.calls import Call
from outlive.errors import Internal, ServiceError, StartupError, Unimplemented
from outlive.limits import SECOND

log = logging.getLogger(__name__)


class Http2Server:
    """Serves `handlers` on one address."""

    def __init__(self, handlers: Handlers, clock: Clock, ip: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        self._handlers = handlers
        self._clock = clock
        self._ip = ip
        self._tls = tls
        self.port = port
        self._listener: asyncio.Server | None = None
        self._peers: set[_Peer] = set()

    async def start(self) -> None:
        """Listen. Raises StartupError if the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                self._peer, self._ip, self.port, backlog=1024, ssl=self._tls, reuse_port=False
            )
        except OSError as error:
            raise StartupError(_why(self._ip, self.port, error)) from None
        self.port = self._listener.sockets[0].getsockname()[1]

    def _peer(self) -> _Peer:
        return _Peer(self._handlers, self._clock, self._peers)

    async def stop(self, grace_s: float) -> None:
        """Refuse new calls, and give those under way this many seconds."""
        if self._listener is None:
            return
        self._listener.close()
        for peer in self._peers:
            peer.drain()
        running = [task for peer in self._peers for task in peer.tasks.values()]
        if running:
            _, late = await asyncio.wait(running, timeout=max(grace_s, 0.01))
            for task in late:
                task.cancel()
        await asyncio.sleep(0)  # let the last answers reach their sockets
        for peer in list(self._peers):
            peer.close()


def _why(ip: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"{ip}:{port} is in use: stop what uses the port, or choose another with --port."
    return f"{ip}:{port} cannot be listened on ({error.strerror}): choose another address with --ip."


class _Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, handlers: Handlers, clock: Clock, peers: set[_Peer]) -> None:
        self._handlers = handlers
        self._clock = clock
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._http = Connection(grpc.BODY_MAX)
        self._transport: asyncio.Transport | None = None
        self._flushing = False
        self._patience: asyncio.TimerHandle | None = None
        self.tasks: dict[int, asyncio.Task[None]] = {}

    # -- the socket

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peers.add(self)
        self._patience = self._loop.call_later(bounds.PREFACE_SECONDS, self._impatient)
        self._flush_soon()

    def _impatient(self) -> None:
        if not self._http.preface_seen:
            self.close()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._http.receive(data):
                if isinstance(event, Request):
                    self._begin(event)
                elif isinstance(event, Cancelled):
                    task = self.tasks.pop(event.stream, None)
                    if task is not None:
                        task.cancel()
                else:
                    self._refuse(event)
        except ConnectionFault as fault:
            log.debug("connection ended: %s", fault.reason)
            self._http.drain(fault.code, fault.reason)
            self._flush()
            self.close()
            return
        if self._http.has_output:
            self._flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.discard(self)
        self._transport = None
        if self._patience is not None:
            self._patience.cancel()
        for task in self.tasks.values():
            task.cancel()
        self.tasks.clear()

    def _flush_soon(self) -> None:
        """Everything that one turn of the loop answers goes out in one write."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._flushing = False
        if self._transport is None or self._transport.is_closing():
            return
        if self._transport.get_write_buffer_size() + self._http.unsent > bounds.BUFFERED_OUT_MAX:
            log.warning("a client that does not read its answers is cut off")
            self._transport.abort()
            return
        if self._http.has_output:
            self._transport.write(self._http.take())

    def drain(self) -> None:
        """Tell the client to go elsewhere with new calls."""
        self._http.drain()
        self._flush_soon()

    def close(self) -> None:
        if self._transport is not None:
            self._flush()
            self._transport.close()

    # -- calls

    def _refuse(self, event: TooLarge) -> None:
        self._http.answer(event.stream, grpc.error_headers(grpc.too_large(event.size)), b"", b"")
        self._flush_soon()

    def _begin(self, request: Request) -> None:
        headers = request.headers
        if not headers.get("content-type", "").startswith("application/grpc"):
            self._http.answer(request.stream, grpc.http_error(415), b"", b"")
            self._flush_soon()
            return
        rpc = self._handlers.get(headers.get(":path", ""))
        if rpc is None:
            path = headers.get(":path", "")
            self._error(request.stream, Unimplemented(f"unknown method {path.rsplit('/', 1)[-1]} ({path})"))
            return
        timeout = grpc.timeout_of(headers.get("grpc-timeout", ""))
        task = self._loop.create_task(self._run(request, rpc, timeout))
        self.tasks[request.stream] = task
        if timeout:
            handle = self._loop.call_later(timeout / SECOND, self._overdue, request.stream)
            task.add_done_callback(partial(_forget_deadline, handle))

    async def _run(self, request: Request, rpc: Rpc, timeout: int) -> None:
        stream = request.stream
        try:
            message = grpc.message_of(request.body, request.headers.get("grpc-encoding", ""))
            data = await answer(rpc, message, self._call(request.headers, timeout))
        except ServiceError as error:
            self._error(stream, error)
        except Exception:
            log.exception("a call could not be answered")
            self._error(stream, Internal("internal error: the server's log has more"))
        else:
            self._http.answer(stream, grpc.OK_HEADERS, grpc.framed(data), grpc.OK_TRAILERS)
            self._flush_soon()
        finally:
            self.tasks.pop(stream, None)

    def _call(self, headers: Headers, timeout: int) -> Call:
        versions.check(headers)
        deadline = self._clock.now() + timeout if timeout else 0
        return Call(deadline, headers.get("client-name", ""), headers.get("client-version", ""))

    def _error(self, stream: int, error: ServiceError) -> None:
        self._http.answer(stream, grpc.error_headers(error), b"", b"")
        self._flush_soon()

    def _overdue(self, stream: int) -> None:
        """The caller has given up by now: so do we."""
        task = self.tasks.pop(stream, None)
        if task is not None:
            task.cancel()
            self._error(stream, grpc.deadline_exceeded())


def _forget_deadline(handle: asyncio.TimerHandle, _task: asyncio.Task[None]) -> None:
    handle.cancel()
