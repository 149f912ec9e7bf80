"""uvicorn inside another program's event loop."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp


class EmbeddedServer(uvicorn.Server):
    """uvicorn without its signal handlers (the caller has its own) and without its ten wake-ups a second.

    It serves until ``ending`` is set, and gives answers under way ``grace_s`` more.
    """

    def __init__(self, app: ASGIApp, ending: asyncio.Event, grace_s: float) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                date_header=False,
                ws="none",
                timeout_graceful_shutdown=round(grace_s),
            )
        )
        self._ending = ending

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def main_loop(self) -> None:
        await self._ending.wait()
