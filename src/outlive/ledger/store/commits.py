"""Sharing commits: what is written while one commit is under way goes into the next.

Rules
- Writes keep their order. What is written in one turn of the loop goes into one commit.
- Nothing is answered before the commit that holds it. If one fails, so does all that comes later: the ledger stops.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable

from outlive.errors import StorageFailed
from outlive.ledger.store.port import Row

Batch = list[tuple[str, tuple[Row, ...]]]


class Commits:
    """The writing half of a database. Used on one event loop."""

    def __init__(self) -> None:
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self._batch: Batch = []
        self._next: asyncio.Future[None] | None = None
        self._writing: asyncio.Task[None] | None = None
        self._current: asyncio.Future[None] | None = None
        self._failed: StorageFailed | None = None

    @abstractmethod
    async def commit_batch(self, batch: Batch) -> None:
        """Write all of it, or nothing, and have it on disk."""

    def write(self, statement: str, *rows: Row) -> asyncio.Future[None]:
        """Run the statement for each row in the next commit."""
        self._batch.append((statement, rows))
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            self._next.add_done_callback(_heard)
            if self._failed is not None:
                failed, self._next = self._next, None
                failed.set_exception(self._failed)
                return failed
            if self._writing is None:
                self._writing = loop.create_task(self._write_all(), name="ledger-commits")
        return self._next

    def committed(self) -> asyncio.Future[None]:
        """Done when everything written so far is on disk."""
        waiting = self._next or self._current
        if waiting is None:
            waiting = asyncio.get_running_loop().create_future()
            if self._failed is not None:
                waiting.set_exception(self._failed)
            else:
                waiting.set_result(None)
        return waiting

    async def _write_all(self) -> None:
        await asyncio.sleep(0)  # the rest of this turn writes along
        while self._next is not None:
            self._current, self._next = self._next, None
            batch, self._batch = self._batch, []
            try:
                await self.commit_batch(batch)
            except Exception as error:  # whatever it is, what waits for this commit must hear that it failed
                self._fail(error)
                break
            self._current.set_result(None)
            self._current = None
        self._writing = None

    def _fail(self, error: Exception) -> None:
        self._failed = StorageFailed(f"the ledger's database could not be written: {error}")
        for future in (self._current, self._next):
            if future is not None and not future.done():
                future.set_exception(self._failed)
        self._current = self._next = None
        self.on_failure(self._failed)

    async def finish(self) -> None:
        """Wait for what is under way."""
        while self._writing is not None:
            await asyncio.wait({self._writing})


def _heard(future: asyncio.Future[None]) -> None:
    """A commit that failed is told once; a caller that has gone need not hear of it."""
    if not future.cancelled():
        future.exception()
