"""Sharing commits: what is written while one commit is under way goes into the next.

Rules
- Writes keep their order. What is written in one turn of the loop goes into one commit.
- Nothing is answered before the commit that holds it. If one fails, so does all that comes later: the ledger stops.
"""

from __future__ import annotations

import asyncio
from abc import abstractmethod
from collections.abc import Callable, Hashable

from outlive.base_errors import StorageFailed
from outlive.ledger.store.port import Row

Batch = list[tuple[str, tuple[Row, ...]]]


class Commits:
    """The writing half of a database. Used on one event loop."""

    def __init__(self) -> None:
        self.on_failure: Callable[[BaseException], None] = lambda error: None
        self._batch: Batch = []
        self._last: dict[Hashable, tuple[str, Row]] = {}  # rows of which only the newest counts
        self._next: asyncio.Future[None] | None = None
        self._busy = False  # a batch is being collected in this turn, or written
        self._current: asyncio.Future[None] | None = None
        self._failed: StorageFailed | None = None

    @abstractmethod
    def commit_batch(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        """Write all of it, or nothing; `done` is called once, when it is on disk or has failed."""

    def write(self, statement: str, *rows: Row) -> asyncio.Future[None]:
        """Run the statement for each row in the next commit."""
        self._batch.append((statement, rows))
        return self._collected()

    def write_last(self, name: Hashable, statement: str, row: Row) -> asyncio.Future[None]:
        """Run the statement in the next commit, after all others; of those of one name only the last."""
        self._last[name] = statement, row
        return self._collected()

    def _collected(self) -> asyncio.Future[None]:
        """The commit that is being collected."""
        if self._next is None:
            loop = asyncio.get_running_loop()
            self._next = loop.create_future()
            self._next.add_done_callback(_heard)
            if self._failed is not None:
                failed, self._next = self._next, None
                failed.set_exception(self._failed)
                return failed
            if not self._busy:
                self._busy = True
                loop.call_soon(self._write_next)  # the rest of this turn writes along
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

    def _write_next(self) -> None:
        self._current, self._next = self._next, None
        if self._current is None:
            self._busy = False
            return
        batch, self._batch = self._batch, []
        batch.extend((statement, (row,)) for statement, row in self._last.values())
        self._last.clear()
        try:
            self.commit_batch(batch, self._written)
        except Exception as error:  # whatever it is, what waits for this commit must hear that it failed
            self._fail(error)

    def _written(self, error: Exception | None) -> None:
        if error is not None:
            self._fail(error)
            return
        if self._current is not None:
            self._current.set_result(None)
            self._current = None
        if self._next is None:
            self._busy = False
        else:
            asyncio.get_running_loop().call_soon(self._write_next)

    def _fail(self, error: Exception) -> None:
        self._failed = StorageFailed(f"the ledger's database could not be written: {error}")
        for future in (self._current, self._next):
            if future is not None and not future.done():
                future.set_exception(self._failed)
        self._current = self._next = None
        self._busy = False
        self.on_failure(self._failed)

    async def finish(self) -> None:
        """Wait for what is under way."""
        while (waiting := self._next or self._current) is not None:
            await asyncio.wait({waiting})


def _heard(future: asyncio.Future[None]) -> None:
    """A commit that failed is told once; a caller that has gone need not hear of it."""
    if not future.cancelled():
        future.exception()
