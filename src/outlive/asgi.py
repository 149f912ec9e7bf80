"""An ASGI application on a port of its own, inside the caller's event loop.

server = AsgiServer(make_app, "127.0.0.1", 8233, what="The pages", mend="give another port", grace_s=1)
await server.start()
...
await server.stop()

The application is made, and uvicorn imported, when the first connection comes: many servers are started that
nobody ever asks anything over HTTP, and the imports cost a third of a second and 10 MB.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

from outlive.errors import StartupError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from outlive.uvicorn_server import EmbeddedServer

log = logging.getLogger(__name__)
_BACKLOG = 128


class AsgiServer:
    """The application that ``make_app`` makes on ``ip`` and ``port`` (0: any free one).

    ``what`` and ``mend`` are words for people whose port is in use: what cannot listen, and what to do about
    it. ``grace_s`` is what answers under way get at the end.
    """

    def __init__(
        self, make_app: Callable[[], ASGIApp], ip: str, port: int, *, what: str, mend: str, grace_s: float
    ) -> None:
        self._make_app = make_app
        self._ip = ip
        self._what = what
        self._mend = mend
        self._grace_s = grace_s
        self._listener: socket.socket | None = None
        self._ending = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.port = port

    async def start(self) -> None:
        """Listen: from here on connections are taken. Raises StartupError where the port cannot be had."""
        self._listener = self._listen()
        self.port = self._listener.getsockname()[1]
        try:
            asyncio.get_running_loop().add_reader(self._listener, self._begin)
        except NotImplementedError:  # Windows' loop cannot tell that a connection waits
            self._begin()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._ip else socket.AF_INET
        # The protocol is named because asyncio switches Nagle's delay (40 ms an answer) off by it alone.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._ip, self.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            raise StartupError(
                f"{self._what} cannot listen on {self._ip}:{self.port} ({error.strerror or error}); {self._mend}."
            ) from error
        listener.setblocking(False)
        return listener

    def _begin(self) -> None:
        """The first connection waits: make the application and serve it."""
        self._unwatch()
        self._task = asyncio.create_task(self._serve(), name=self._what)

    def _unwatch(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().remove_reader(self._listener)

    async def _serve(self) -> None:
        assert self._listener is not None
        try:
            server = await asyncio.to_thread(self._make_server)
            await server.serve(sockets=[self._listener])
        except Exception:
            log.exception("%s cannot be served", self._what)
            self._listener.close()

    def _make_server(self) -> EmbeddedServer:
        from outlive.uvicorn_server import EmbeddedServer

        return EmbeddedServer(self._make_app(), self._ending, self._grace_s)

    async def stop(self) -> None:
        """Answer what is under way for a moment more, and close."""
        if self._listener is None:
            return
        self._ending.set()
        if self._task is not None:
            await self._task
        else:
            self._unwatch()
            self._listener.close()
        self._listener = self._task = None
