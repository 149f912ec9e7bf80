"""The pages on a port of their own, inside the caller's event loop.

web = WebServer("127.0.0.1:7233", "127.0.0.1", 8233)
await web.start()
...
await web.stop()
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator

import uvicorn

from outlive.client import WorkflowServiceClient
from outlive.errors import StartupError
from outlive.web import bounds
from outlive.web.app import create_app


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers (the caller has its own) and without its ten wake-ups a second."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ending = asyncio.Event()
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        self.ready.set()
        await self.ending.wait()


class WebServer:
    """The pages of the server at ``grpc_address``, on ``ip`` and ``port`` (0: any free one)."""

    def __init__(self, grpc_address: str, ip: str, port: int, base_path: str = "") -> None:
        self._client = WorkflowServiceClient(grpc_address)
        self._ip = ip
        self._port = port
        self._base_path = base_path
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """The port: the one asked for, or the one found once started."""
        return self._port

    async def start(self) -> None:
        """Listen, and return once requests are answered. Raises StartupError where the port cannot be had."""
        listener = self._listen()
        self._port = listener.getsockname()[1]
        self._app = create_app(self._client, self._base_path)
        config = uvicorn.Config(
            self._app,
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            date_header=False,
            ws="none",
            timeout_graceful_shutdown=round(bounds.STOP_GRACE),
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]), name="web")
        await self._server.ready.wait()

    def _listen(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._ip else socket.AF_INET
        # The protocol is named because asyncio switches Nagle's delay (40 ms an answer) off by it alone.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((self._ip, self._port))
        except OSError as error:
            listener.close()
            raise StartupError(
                f"The web pages cannot listen on {self._ip}:{self._port} ({error.strerror or error}); "
                "give another port with --ui-port, or none of them with --headless."
            ) from error
        return listener

    async def stop(self) -> None:
        """End the streams, answer what is under way for a moment more, and close."""
        if self._server is None or self._task is None:
            return
        self._app.state.live.stop()
        self._server.ending.set()
        await self._task
        self._task = None
        await self._client.close()
