"""The ledger on one SQLite file, or in memory."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import apsw

from outlive.base_errors import StartupError
from outlive.filelock import FileLock
from outlive.ledger.store.commits import Batch, Commits
from outlive.ledger.store.port import SQLITE, Row
from outlive.ledger.store.schema import APPLICATION_ID, VERSION, statements
from outlive.limits import LEDGER_COMMIT_QUICK

_PRAGMAS: Final = {
    "journal_mode": "WAL",  # readers and the writer do not wait for each other
    "synchronous": "FULL",  # a commit is on disk when it returns
    "busy_timeout": "5000",  # milliseconds, for backup tools that read along
    "cache_size": "-8192",  # KiB of pages, per connection
}


class SqliteDatabase(Commits):
    """A database on SQLite. `path` None keeps everything in memory."""

    dialect = SQLITE

    def __init__(self, path: Path | None) -> None:
        super().__init__()
        self.path = path
        self._lock: FileLock | None = None
        self._writer: apsw.Connection | None = None
        self._reader: apsw.Connection | None = None
        self._scanner: apsw.Connection | None = None
        self._commit_takes = 0  # nanoseconds, of late
        self._commit_thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-commit")
        self._scan_thread = ThreadPoolExecutor(1, thread_name_prefix="ledger-scan")

    async def open(self) -> None:
        name = str(self.path) if self.path is not None else "the ledger in memory"
        if self.path is not None:
            self._lock = FileLock(self.path)
        try:
            self._writer = self._connect()
            _prepare(self._writer, name)
            self._reader = self._writer if self.path is None else self._connect(read_only=True)
        except apsw.Error as error:
            await self.close()
            raise StartupError(f"{name} cannot be opened: {error}.") from None
        except StartupError:
            await self.close()
            raise

    def _connect(self, *, read_only: bool = False) -> apsw.Connection:
        if self.path is None:
            return apsw.Connection(":memory:")
        flags = apsw.SQLITE_OPEN_READWRITE | (0 if read_only else apsw.SQLITE_OPEN_CREATE)
        connection = apsw.Connection(os.fspath(self.path), flags=flags, statementcachesize=100)
        for pragma, value in _PRAGMAS.items():
            connection.execute(f"PRAGMA {pragma} = {value}")
        if read_only:
            connection.execute("PRAGMA query_only = ON")
        return connection

    def commit_batch(self, batch: Batch, done: Callable[[Exception | None], None]) -> None:
        """Statements run here; the COMMIT, which waits for the disk, on a thread where the disk is slow.

        On a quick disk (0.4 ms) handing it to a thread and hearing back costs more than waiting for it.
        """
        connection = self._writer
        assert connection is not None
        connection.execute("BEGIN IMMEDIATE")
        for statement, rows in batch:
            if len(rows) == 1:
                connection.execute(statement, rows[0])
            else:
                connection.executemany(statement, rows)
        if self.path is None or self._commit_takes < LEDGER_COMMIT_QUICK:
            self._commit()
            done(None)
            return
        committing = asyncio.get_running_loop().run_in_executor(self._commit_thread, self._commit)
        committing.add_done_callback(lambda ended: done(_error_of(ended)))

    def _commit(self) -> None:
        assert self._writer is not None
        began = time.perf_counter_ns()
        self._writer.execute("COMMIT")
        self._commit_takes += (time.perf_counter_ns() - began - self._commit_takes) // 4

    async def read(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        assert self._reader is not None
        return self._reader.execute(statement, tuple(values)).fetchall()

    async def scan(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        if self.path is None:
            return await self.read(statement, values)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._scan_thread, self._scan, statement, tuple(values))

    def _scan(self, statement: str, values: Row) -> list[Row]:
        if self._scanner is None:
            self._scanner = self._connect(read_only=True)
        return self._scanner.execute(statement, values).fetchall()

    async def close(self) -> None:
        await self.finish()
        self._commit_thread.shutdown(wait=True)
        self._scan_thread.shutdown(wait=True)
        for connection in {id(c): c for c in (self._scanner, self._reader, self._writer) if c is not None}.values():
            connection.close()
        if self._lock is not None:
            self._lock.release()


def _error_of(ended: asyncio.Future[None]) -> Exception | None:
    error = ended.exception()
    return error if error is None or isinstance(error, Exception) else RuntimeError(str(error))


def _prepare(connection: apsw.Connection, name: str) -> None:
    found = int(connection.pragma("user_version"))
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if tables and int(connection.pragma("application_id")) != APPLICATION_ID:
        raise StartupError(f"{name} is a database of another program: name another file with --db.")
    if found > VERSION:
        raise StartupError(
            f"{name} was written by a newer outlive (ledger version {found}, this one knows {VERSION}): "
            "upgrade with `pip install --upgrade outlive`."
        )
    if found == VERSION:
        return
    with connection:
        for statement in statements(SQLITE):
            connection.execute(statement)
        connection.pragma("application_id", APPLICATION_ID)
        connection.pragma("user_version", VERSION)
