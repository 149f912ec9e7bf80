"""The ledger on PostgreSQL, by psycopg 3 (`pip install 'outlive[postgres]'`).

One ledger at a time holds the database, by an advisory lock of its session: what is open and what waits is decided in
that process alone. A second one waits at the door for TAKEOVER, so a supervisor that starts it again and again makes
it a stand-by: the lock goes when the first one's connection does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

from outlive.base_errors import StartupError
from outlive.ledger.store.commits import Batch, Commits
from outlive.ledger.store.port import POSTGRES, Row
from outlive.ledger.store.schema import APPLICATION_ID, VERSION, statements
from outlive.limits import LEDGER_TAKEOVER, MS, SECOND

if TYPE_CHECKING:
    import psycopg

_LOCK: Final = "SELECT pg_try_advisory_lock(%s)"


class PostgresDatabase(Commits):
    """A database on PostgreSQL, named by its address: `postgresql://user@host/name`."""

    dialect = POSTGRES

    def __init__(self, address: str) -> None:
        super().__init__()
        self._address = address
        self._writer: psycopg.AsyncConnection[Row] | None = None
        self._reader: psycopg.AsyncConnection[Row] | None = None
        self._committing: asyncio.Task[None] | None = None  # held so that it is not collected
        self._scanner: psycopg.AsyncConnection[Row] | None = None

    async def open(self) -> None:
        try:
            import psycopg
        except ImportError:
            raise StartupError("PostgreSQL needs one more package: pip install 'outlive[postgres]'.") from None
        connect = psycopg.AsyncConnection[Row].connect
        try:
            self._writer = await connect(self._address)
            await self._take()
            await self._prepare()
            self._reader = await connect(self._address, autocommit=True)
            self._scanner = await connect(self._address, autocommit=True)
        except psycopg.Error as error:
            await self.close()
            said = " ".join(str(error).split())
            raise StartupError(f"the PostgreSQL database cannot be opened: {said}") from None
        except StartupError:
            await self.close()
            raise

    async def _take(self) -> None:
        assert self._writer is not None
        patience = LEDGER_TAKEOVER
        while True:
            cursor = await self._writer.execute(_LOCK, (APPLICATION_ID,))
            row = await cursor.fetchone()
            await self._writer.commit()
            if row is not None and row[0]:
                return
            if patience <= 0:
                raise StartupError(
                    "the PostgreSQL database is in use by another ledger: stop that one, or start this one when it "
                    "has ended (a supervisor that starts it again makes it a stand-by)."
                )
            patience -= 200 * MS
            await asyncio.sleep(200 * MS / SECOND)

    async def _prepare(self) -> None:
        assert self._writer is not None
        run = self._writer.execute
        there = await (await run("SELECT to_regclass('setting') IS NOT NULL")).fetchone()
        if there is not None and there[0]:
            row = await (await run("SELECT value FROM setting WHERE name = 'version'")).fetchone()
            found = int(row[0]) if row is not None else 0
            if found != VERSION:
                raise StartupError(
                    f"the PostgreSQL database has a ledger of version {found}, and this outlive knows {VERSION}: "
                    "upgrade with `pip install --upgrade outlive`."
                )
        else:
            for statement in statements(POSTGRES):
                await run(statement.encode())
            await run("INSERT INTO setting VALUES ('version', %s)", (str(VERSION),))
        await self._writer.commit()

    def commit_batch(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        committing = self._committing = asyncio.get_running_loop().create_task(self._commit(batch))
        committing.add_done_callback(lambda ended: done(_error_of(ended)))

    async def _commit(self, batch: Batch) -> None:
        """One transaction, sent in one go: answers are read when all has been sent."""
        connection = self._writer
        assert connection is not None
        async with connection.pipeline():
            for statement, rows in batch:
                text = _placed(statement)
                for row in rows:
                    await connection.execute(text, row, prepare=True)
            await connection.commit()

    async def read(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        assert self._reader is not None
        cursor = await self._reader.execute(_placed(statement), tuple(values), prepare=True)
        return await cursor.fetchall()

    async def scan(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        assert self._scanner is not None
        cursor = await self._scanner.execute(_placed(statement), tuple(values))
        return await cursor.fetchall()

    async def close(self) -> None:
        await self.finish()
        for connection in (self._scanner, self._reader, self._writer):
            if connection is not None:
                await connection.close()


def _error_of(ended: asyncio.Task[None]) -> Exception | None:
    if ended.cancelled():
        return RuntimeError("the commit was cancelled")
    error = ended.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(str(error))


def _placed(statement: str) -> bytes:
    """With psycopg's sign for a value. Statements here hold no question marks or per cent signs otherwise."""
    return statement.replace("?", "%s").encode()
