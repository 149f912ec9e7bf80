"""The pages on a port of their own, inside the caller's event loop.

web = WebServer("127.0.0.1:7233", "127.0.0.1", 8233)
await web.start()
...
await web.stop()

The pages and their client are imported when somebody first looks at them (outlive.asgi).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from outlive.asgi import AsgiServer
from outlive.web import bounds

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from outlive.client import WorkflowServiceClient


class WebServer:
    """The pages of the server at ``grpc_address``, on ``ip`` and ``port`` (0: any free one)."""

    def __init__(self, grpc_address: str, ip: str, port: int, base_path: str = "") -> None:
        self._grpc_address = grpc_address
        self._base_path = base_path
        self._client: WorkflowServiceClient | None = None
        self._app: Starlette | None = None
        self._server = AsgiServer(
            self._make_app,
            ip,
            port,
            what="The web pages",
            mend="give another port with --ui-port, or none of them with --headless",
            grace_s=bounds.STOP_GRACE,
        )
        self._running = False

    def _make_app(self) -> Starlette:
        from outlive.client import WorkflowServiceClient
        from outlive.web.app import create_app

        self._client = WorkflowServiceClient(self._grpc_address)
        self._app = create_app(self._client, self._base_path)
        return self._app

    @property
    def port(self) -> int:
        """The port: the one asked for, or the one found once started."""
        return self._server.port

    async def start(self) -> None:
        """Listen, and return once requests are answered. Raises StartupError where the port cannot be had."""
        await self._server.start()
        self._running = True

    async def stop(self) -> None:
        """End the streams, answer what is under way for a moment more, and close."""
        if not self._running:
            return
        self._running = False
        if self._app is not None:
            self._app.state.live.stop()
        await self._server.stop()
        if self._client is not None:
            await self._client.close()
