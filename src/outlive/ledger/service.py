"""The ledger in this process: its parts put together on one database. It is a `Ledger` like the client over HTTP."""

from __future__ import annotations

import asyncio
from types import TracebackType

from outlive.clock import Clock, SystemClock
from outlive.ledger.book import Book
from outlive.ledger.calls import Calls
from outlive.ledger.limits_kept import KeptLimits
from outlive.ledger.prices import Prices
from outlive.ledger.rules.admission import Admission
from outlive.ledger.store.commits import Commits
from outlive.ledger.store.port import Database


class Service:
    """Every operation of the ledger, each by the part that it belongs to. Used on one event loop."""

    def __init__(self, database: Database, clock: Clock | None = None, prices: Prices | None = None) -> None:
        clock = clock or SystemClock()
        admission = Admission()
        self._database = database
        self._failed: asyncio.Future[BaseException] | None = None
        book = Book(database)
        calls = self._calls = Calls(database, book, prices or Prices(), admission, clock)
        limits = self._limits = KeptLimits(database, admission, clock, calls.keep_changes)
        self.reserve = calls.reserve
        self.turns = calls.turns
        self.start = calls.start
        self.renew = calls.renew
        self.settle = calls.settle
        self.release = calls.release
        self.record = calls.record
        self.waiting = calls.waiting
        self.put_quota = limits.put_quota
        self.delete_quota = limits.delete_quota
        self.quotas = limits.quotas
        self.put_budget = limits.put_budget
        self.raise_budget = limits.raise_budget
        self.delete_budget = limits.delete_budget
        self.budgets = limits.budgets
        self.attempt = book.attempt
        self.attempts = book.attempts
        self.costs = book.costs

    async def open(self) -> None:
        """Take the database and go on from where it was left. Raises StartupError with a sentence for people."""
        self._failed = asyncio.get_running_loop().create_future()
        if isinstance(self._database, Commits):
            self._database.on_failure = self._fail
        await self._database.open()
        span = await self._limits.begin()
        await self._calls.begin(span)
        await self._database.committed()

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    async def wait_failed(self) -> BaseException:
        """Wait until the ledger cannot go on, and say why."""
        assert self._failed is not None, "the ledger has not been opened"
        return await asyncio.shield(self._failed)

    async def close(self) -> None:
        """Write what is waiting, and let the database go."""
        self._calls.stop()
        await self._database.close()

    async def __aenter__(self) -> Service:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
