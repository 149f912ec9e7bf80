"""Running a ledger: its service behind HTTP, alone or inside a server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from outlive.base_errors import StartupError
from outlive.ledger.http.message import Request, Response
from outlive.ledger.http.server import HttpServer

if TYPE_CHECKING:
    from outlive.ledger.http.routes import Routes
    from outlive.ledger.service import Service
    from outlive.ledger.store.port import Database


def database_at(place: str | Path | None) -> Database:
    """A PostgreSQL address, an SQLite file, or None for memory."""
    if isinstance(place, str) and place.startswith(("postgresql://", "postgres://")):
        from outlive.ledger.store.postgres import PostgresDatabase

        return PostgresDatabase(place)
    from outlive.ledger.store.sqlite import SqliteDatabase

    return SqliteDatabase(Path(place) if place is not None else None)


class RunningLedger:
    """A ledger at an address. With `lazy` the service is made when the first request comes, unless its file is there
    already: a server whose ledger nobody uses pays for a socket."""

    def __init__(
        self,
        place: str | Path | None,
        ip: str,
        port: int,
        *,
        secret: str = "",
        contents: str = "own",
        lazy: bool = False,
        on_failure: Callable[[BaseException], None] = lambda error: None,
    ) -> None:
        self._place = place
        self._secret = secret
        self._contents = contents
        self._lazy = lazy
        self._on_failure = on_failure
        self._opening: asyncio.Task[Routes] | None = None
        self._service: Service | None = None
        self._watching: asyncio.Task[None] | None = None
        self._http = HttpServer(self._answer, ip, port)

    @property
    def port(self) -> int:
        """The port: the one asked for, or the one found once started."""
        return self._http.port

    async def start(self) -> None:
        """Listen. Raises StartupError with a sentence for people."""
        there = isinstance(self._place, Path) and self._place.exists()
        if not self._lazy or there:
            await self._open()
        try:
            await self._http.start()
        except StartupError:
            await self.stop(0)
            raise

    async def _answer(self, request: Request) -> Response:
        try:
            routes = await asyncio.shield(self._open())
        except StartupError as error:
            self._on_failure(error)
            return Response(503, str(error).encode(), "text/plain; charset=utf-8")
        return await routes.answer(request)

    def _open(self) -> asyncio.Task[Routes]:
        if self._opening is None:
            self._opening = asyncio.get_running_loop().create_task(self._opened(), name="ledger-open")
        return self._opening

    async def _opened(self) -> Routes:
        from outlive.ledger.http.routes import Routes
        from outlive.ledger.service import Service

        service = Service(database_at(self._place), contents=self._contents)
        await service.open()
        self._service = service
        self._watching = asyncio.get_running_loop().create_task(self._watch(service), name="ledger-watch")
        return Routes(service, self._secret)

    def forget_run(self, namespace: str, run_id: str) -> None:
        """A run has been deleted: contents that were kept for it alone go."""
        if self._service is not None:
            self._service.forget_owner(namespace, run_id)

    async def _watch(self, service: Service) -> None:
        self._on_failure(await service.wait_failed())

    async def stop(self, grace_s: float) -> None:
        """Answer what is under way, write what is waiting, and let the database go."""
        if self._service is not None:
            self._service.stop_waiting()
        await self._http.stop(grace_s)
        if self._opening is not None:
            await asyncio.wait({self._opening})
        if self._watching is not None:
            self._watching.cancel()
        if self._service is not None:
            await self._service.close()
