"""The pages on a port of their own, inside the caller's event loop.

web = WebServer("127.0.0.1:7233", "127.0.0.1", 8233)
await web.start()
...
await web.stop()

The pages and their client are imported when somebody first looks at them (outlive.asgi).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from outlive.asgi import AsgiServer
from outlive.web import bounds

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from outlive.client import WorkflowServiceClient
    from outlive.ledger.remote import HttpLedger


_LOCAL: Final = ("127.0.0.1", "::1", "localhost")


class WebServer:
    """The pages of the server at ``grpc_address``, on ``ip`` and ``port`` (0: any free one).

    ``ledger_address`` is that of the ledger, such as ``http://127.0.0.1:9233``; empty where there is none.
    ``client`` is used in place of one for ``grpc_address``. On a loopback address only this machine's names are
    answered to, and ``hosts``: a page elsewhere whose name was made to mean this machine could read all of it.
    """

    def __init__(
        self,
        grpc_address: str,
        ip: str,
        port: int,
        base_path: str = "",
        ledger_address: str = "",
        ledger_secret: str = "",
        *,
        hosts: Sequence[str] = (),
        client: WorkflowServiceClient | None = None,
    ) -> None:
        self._grpc_address = grpc_address
        self._base_path = base_path
        self._ledger_address = ledger_address
        self._ledger_secret = ledger_secret
        self._ledger: HttpLedger | None = None
        self._client = client
        self._hosts = [*_LOCAL, *hosts] if ip in _LOCAL else None
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

        self._client = self._client or WorkflowServiceClient(self._grpc_address)
        if self._ledger_address:
            from outlive.ledger.remote import HttpLedger

            self._ledger = HttpLedger(self._ledger_address, self._ledger_secret)
        self._app = create_app(self._client, self._base_path, ledger=self._ledger, hosts=self._hosts)
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
        if self._ledger is not None:
            await self._ledger.close()
