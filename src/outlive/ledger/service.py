"""The ledger in this process: its parts put together on one database. It is a `Ledger` like the client over HTTP."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from types import TracebackType

from outlive.clock import Clock, SystemClock
from outlive.ledger.approvals import Approvals
from outlive.ledger.blobs import blobs_at
from outlive.ledger.book import Book
from outlive.ledger.cache import Cache
from outlive.ledger.calls import Calls
from outlive.ledger.contents import Contents
from outlive.ledger.limits_kept import KeptLimits
from outlive.ledger.prices import Prices
from outlive.ledger.rules.admission import Admission
from outlive.ledger.store.commits import Commits
from outlive.ledger.store.port import Database
from outlive.ledger.streams import Streams
from outlive.limits import HOUR, SECOND

SIGNING_KEY_BYTES = 32


class Service:
    """Every operation of the ledger, each by the part that it belongs to. Used on one event loop.

    `contents` says where contents lie: see `blobs_at`.
    """

    def __init__(self, database: Database, clock: Clock | None = None, contents: str = "own") -> None:
        clock = clock or SystemClock()
        admission = Admission()
        self._database = database
        self._failed: asyncio.Future[BaseException] | None = None
        book = Book(database)
        calls = self._calls = Calls(database, book, Prices(), admission, clock)
        limits = self._limits = KeptLimits(database, admission, clock, calls.keep_changes)
        cache = Cache(database, clock)
        kept = self._contents = Contents(database, blobs_at(contents, database), clock)
        streams = self._streams = Streams(database, clock)
        approvals = self.inbox = Approvals(database, clock, partial(os.urandom, SIGNING_KEY_BYTES))
        self._sweeper: asyncio.Task[None] | None = None
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
        self.cache_get = cache.cache_get
        self.cache_put = cache.cache_put
        self.cache_clear = cache.cache_clear
        self.put_content = kept.put_content
        self.keep_content = kept.keep_content
        self.get_content = kept.get_content
        self.release_content = kept.release_content
        self.content_owners = kept.content_owners
        self.forget_owner = kept.forget_owner
        self.append = streams.append
        self.read = streams.read
        self.follow = streams.follow
        self.ask_approval = approvals.ask_approval
        self.approval = approvals.approval
        self.approvals = approvals.approvals
        self.decide = approvals.decide
        self.cancel_approval = approvals.cancel_approval
        self.sign = approvals.sign

    async def open(self) -> None:
        """Take the database and go on from where it was left. Raises StartupError with a sentence for people."""
        self._failed = asyncio.get_running_loop().create_future()
        if isinstance(self._database, Commits):
            self._database.on_failure = self._fail
        await self._database.open()
        span = await self._limits.begin()
        await self._calls.begin(span)
        await self.inbox.begin()
        await self._database.committed()
        self._sweeper = asyncio.get_running_loop().create_task(self._sweep(), name="ledger-sweep")

    async def _sweep(self) -> None:
        """Once an hour, remove what nobody needs any more."""
        while True:
            await asyncio.sleep(HOUR / SECOND)
            self._limits.sweep()
            await self._contents.sweep()
            await self._streams.sweep()

    def _fail(self, error: BaseException) -> None:
        if self._failed is not None and not self._failed.done():
            self._failed.set_result(error)

    async def wait_failed(self) -> BaseException:
        """Wait until the ledger cannot go on, and say why."""
        assert self._failed is not None, "the ledger has not been opened"
        return await asyncio.shield(self._failed)

    def stop_waiting(self) -> None:
        """Answer those who wait for a turn: they are told to ask again."""
        self._calls.stop()

    async def close(self) -> None:
        """Write what is waiting, and let the database go."""
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.inbox.stop()
        self._calls.stop()
        await self._database.close()

    async def __aenter__(self) -> Service:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
