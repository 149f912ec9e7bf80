"""The transport: one protocol object per connection, requests one after the other on each."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Awaitable, Callable

from outlive.base_errors import StartupError
from outlive.ledger.http.message import HEAD_MAX, Refused, Request, Response, head_of, parse_head
from outlive.limits import LEDGER_BODY_MAX, LEDGER_PATIENCE, SECOND

log = logging.getLogger(__name__)
Answer = Callable[[Request], Awaitable[Response]]


class HttpServer:
    """Serves `answer` on one address. `answer` turns every error into a response."""

    def __init__(self, answer: Answer, ip: str, port: int) -> None:
        self._answer = answer
        self._ip = ip
        self.port = port
        self._listener: asyncio.Server | None = None
        self._peers: set[_Peer] = set()

    async def start(self) -> None:
        """Listen. Raises StartupError if the address cannot be had."""
        loop = asyncio.get_running_loop()
        try:
            self._listener = await loop.create_server(
                lambda: _Peer(self._answer, self._peers), self._ip, self.port, backlog=1024
            )
        except OSError as error:
            used = error.errno == errno.EADDRINUSE
            why = "is in use: stop what uses the port" if used else f"cannot be listened on ({error.strerror})"
            raise StartupError(
                f"the ledger's address {self._ip}:{self.port} {why}, or choose another with --ledger-port "
                "(`outlive ledger`: --port)."
            ) from None
        self.port = self._listener.sockets[0].getsockname()[1]

    async def stop(self, grace_s: float) -> None:
        """No more connections; answers under way get this many seconds."""
        if self._listener is None:
            return
        self._listener.close()
        running = [peer.task for peer in self._peers if peer.task is not None]
        if running:
            _, late = await asyncio.wait(running, timeout=max(grace_s, 0.01))
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        for peer in list(self._peers):
            peer.close()


class _Peer(asyncio.Protocol):
    """One connection."""

    def __init__(self, answer: Answer, peers: set[_Peer]) -> None:
        self._answer = answer
        self._peers = peers
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._awaited: tuple[Request, int] | None = None  # a head whose body is still coming
        self._patience: asyncio.TimerHandle | None = None
        self._drained = asyncio.Event()
        self._drained.set()
        self.task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._peers.add(self)
        sock = transport.get_extra_info("socket")
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._peers.discard(self)
        self._transport = None
        self._drained.set()
        if self._patience is not None:
            self._patience.cancel()
        if self.task is not None:
            self.task.cancel()

    def pause_writing(self) -> None:
        self._drained.clear()

    def resume_writing(self) -> None:
        self._drained.set()

    def _wait(self) -> None:
        """A client that keeps a connection without a word is let go."""
        if self._patience is not None:
            self._patience.cancel()
        self._patience = self._loop.call_later(LEDGER_PATIENCE / SECOND, self.close)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if self.task is None:
            self._next()
        elif len(self._buffer) > HEAD_MAX + LEDGER_BODY_MAX:
            self.close()

    def _next(self) -> None:
        """Begin with the next request, if it is there whole."""
        try:
            request = self._whole()
        except Refused as refusal:
            body = f'{{"error":{{"kind":"bad_request","message":"{refusal}","details":{{}}}}}}'
            self._send(Response(refusal.status, body.encode()), close=True)
            self.close()
            return
        if request is not None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None
            self.task = self._loop.create_task(self._run(request))

    def _whole(self) -> Request | None:
        if self._awaited is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_MAX:
                    raise Refused(431, "the headers are too long.")
                return None
            request, length = parse_head(bytes(self._buffer[:end]))
            if length > LEDGER_BODY_MAX:
                raise Refused(413, f"a body of {length} bytes is more than the {LEDGER_BODY_MAX} that are taken.")
            del self._buffer[: end + 4]
            self._awaited = request, length
            if length and request.headers.get("expect", "").lower() == "100-continue" and self._transport is not None:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request, length = self._awaited
        if len(self._buffer) < length:
            return None
        request.body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._awaited = None
        return request

    async def _run(self, request: Request) -> None:
        response = await self._answer(request)
        close = not request.keep_alive or response.parts is not None
        self._send(response, close=close)
        if response.parts is not None:
            await self._send_parts(response)
        self.task = None
        if close:
            self.close()
            return
        self._wait()
        if self._buffer:
            self._next()

    def _send(self, response: Response, *, close: bool) -> None:
        if self._transport is not None:
            self._transport.write(head_of(response, close=close) + response.body)

    async def _send_parts(self, response: Response) -> None:
        assert response.parts is not None
        async for part in response.parts:
            if self._transport is None:
                return
            self._transport.write(part)
            await self._drained.wait()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
