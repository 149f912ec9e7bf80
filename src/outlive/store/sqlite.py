"""The store on one SQLite file (or in memory): opening it, and every read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import apsw
from temporalio.api.history.v1 import HistoryEvent

from outlive.core.deadlines import rebuild
from outlive.core.state import Attributes, Info, Start, State, Table
from outlive.errors import StartupError
from outlive.filelock import FileLock
from outlive.store.migrations import prepare
from outlive.store.port import EntityRow, Found, NamespaceRow, Recovery
from outlive.store.schema import ENTITIES, INFO_COLUMNS, START_COLUMNS
from outlive.store.visibility import VisibilityStore

_PRAGMAS: Final = {
    "journal_mode": "WAL",  # readers and the writer do not wait for each other
    "synchronous": "FULL",  # a commit is on disk when it returns
    "busy_timeout": "5000",  # milliseconds, for backup tools that read along
    "cache_size": "-16384",  # KiB of pages, of the writer: the system's own cache has the rest
    "wal_autocheckpoint": "4000",  # pages: fewer, longer checkpoints
    "foreign_keys": "OFF",
}
_START: Final = f"SELECT {', '.join(START_COLUMNS)} FROM run WHERE key = ?"
_INFO: Final = f"SELECT {', '.join(INFO_COLUMNS)} FROM info WHERE run = ?"


class SqliteStore:
    """Storage on SQLite. `path` None keeps everything in memory."""

    def __init__(self, path: Path | None, pragmas: Mapping[str, str] | None = None) -> None:
        self.path = path
        self._lock = FileLock(path) if path is not None else None
        self._pragmas = {**_PRAGMAS, **(pragmas or {})}
        name = str(path) if path is not None else "the database in memory"
        try:
            self.write_connection = self._connect()
            prepare(self.write_connection, name)
            self._reader = self.write_connection if path is None else self._connect(read_only=True)
            self._slow_reader = self.write_connection if path is None else self._connect(read_only=True)
        except apsw.Error as error:
            self.release()
            raise StartupError(f"{name} cannot be opened: {_said(error)}.") from None
        except StartupError:
            self.release()
            raise
        self.visibility = VisibilityStore(self.write_connection)
        self._visibility_reads = VisibilityStore(self._slow_reader)
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="visibility")

    def release(self) -> None:
        """Let another server have the file."""
        if self._lock is not None:
            self._lock.release()

    def close(self) -> None:
        self._executor.shutdown(wait=True)
        for connection in {id(c): c for c in (self._slow_reader, self._reader, self.write_connection)}.values():
            connection.close()
        self.release()

    def _connect(self, *, read_only: bool = False) -> apsw.Connection:
        if self.path is None:
            return apsw.Connection(":memory:")
        flags = apsw.SQLITE_OPEN_READWRITE | (0 if read_only else apsw.SQLITE_OPEN_CREATE)
        connection = apsw.Connection(os.fspath(self.path), flags=flags, statementcachesize=200)
        for pragma, value in self._pragmas.items():
            connection.execute(f"PRAGMA {pragma} = {value}")
        if read_only:
            connection.execute("PRAGMA query_only = ON; PRAGMA cache_size = -8192")
        return connection

    # -- runs

    def load(self, key: int) -> State | None:
        start = self._reader.execute(_START, (key,)).fetchone()
        info = self._reader.execute(_INFO, (key,)).fetchone()
        if start is None or info is None:
            return None
        state = State(start=Start(*start), info=_info(info), saved=True)
        kept = self._reader.execute("SELECT memo, search_attributes FROM attributes WHERE run = ?", (key,)).fetchone()
        if kept is not None:
            state.attributes = Attributes(*kept)
        state.attributes_changed = state.visibility_changed = False
        for field, table in ENTITIES.items():
            rows = [table.row(*values) for values in self._reader.execute(table.select, (key,))]
            setattr(state, field, Table({getattr(row, table.key): row for row in rows}))
        state.activity_ids = {row.activity_id: row.scheduled_event_id for row in state.activities}
        buffered = self._reader.execute("SELECT data FROM buffered_event WHERE run = ? ORDER BY place", (key,))
        state.buffered = [HistoryEvent.FromString(data) for (data,) in buffered]
        rebuild(state)
        return state

    def current(self, namespace_id: str, workflow_id: str) -> Found | None:
        row = self._reader.execute(
            "SELECT c.run, r.run_id FROM current_run c JOIN run r ON r.key = c.run"
            " WHERE c.namespace_id = ? AND c.workflow_id = ?",
            (namespace_id, workflow_id),
        ).fetchone()
        return Found(*row) if row is not None else None

    def find(self, namespace_id: str, workflow_id: str, run_id: str) -> Found | None:
        row = self._reader.execute(
            "SELECT key, run_id FROM run WHERE namespace_id = ? AND workflow_id = ? AND run_id = ?",
            (namespace_id, workflow_id, run_id),
        ).fetchone()
        return Found(*row) if row is not None else None

    def events(self, key: int, first: int, last: int, *, max_bytes: int = 0) -> list[bytes]:
        result: list[bytes] = []
        total = 0
        for (data,) in self._reader.execute(
            "SELECT data FROM event WHERE run = ? AND id BETWEEN ? AND ? ORDER BY id", (key, first, last)
        ):
            total += len(data)
            if max_bytes and total > max_bytes and result:
                break
            result.append(data)
        return result

    def events_reverse(self, key: int, last: int, count: int) -> list[bytes]:
        rows = self._reader.execute(
            "SELECT data FROM event WHERE run = ? AND id <= ? ORDER BY id DESC LIMIT ?", (key, last, count)
        )
        return [data for (data,) in rows]

    def due(self, until: int, limit: int) -> list[tuple[int, int]]:
        rows = self._reader.execute(
            "SELECT wake_at, run FROM info WHERE wake_at > 0 AND wake_at <= ? ORDER BY wake_at LIMIT ?",
            (until, limit),
        )
        return [(wake_at, key) for wake_at, key in rows]

    def wake_at(self, key: int) -> int:
        row = self._reader.execute("SELECT wake_at FROM info WHERE run = ?", (key,)).fetchone()
        return int(row[0]) if row is not None else 0

    def recovery(self) -> Recovery:
        last = self._reader.execute("SELECT max(key) FROM run").get or 0
        pending = self._reader.execute("SELECT run FROM info WHERE pending = 1 ORDER BY run")
        return Recovery(int(last), [key for (key,) in pending])

    # -- namespaces

    def namespaces(self) -> list[NamespaceRow]:
        rows = self._reader.execute(
            "SELECT namespace_id, name, state, description, owner_email, retention, data, search_attributes, extra"
            " FROM namespace"
        )
        return [NamespaceRow(*row) for row in rows]

    def runs_of(self, namespace_id: str, limit: int) -> list[int]:
        rows = self._reader.execute("SELECT key FROM run WHERE namespace_id = ? LIMIT ?", (namespace_id, limit))
        return [key for (key,) in rows]

    def kept_otherwise(self, namespace_id: str, retention: int, after: int, limit: int) -> list[int]:
        rows = self._reader.execute(
            "SELECT r.key FROM run r JOIN info i ON i.run = r.key WHERE r.key > ? AND +r.namespace_id = ?"
            " AND i.forget_at > 0 AND i.forget_at != i.close_time + ? ORDER BY r.key LIMIT ?",
            (after, namespace_id, retention, limit),
        )
        return [key for (key,) in rows]

    # -- what is no execution

    def entities(self, kind: str) -> list[EntityRow]:
        rows = self._reader.execute(
            "SELECT kind, namespace_id, entity_id, data FROM entity WHERE kind = ? ORDER BY namespace_id, entity_id",
            (kind,),
        )
        return [EntityRow(*row) for row in rows]

    # -- visibility

    async def read_visibility(self, operation: str, /, *args: Any, **kwargs: Any) -> Any:
        method = getattr(self._visibility_reads, operation)
        if self.path is None:
            return method(*args, **kwargs)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, lambda: method(*args, **kwargs))


def _info(values: Any) -> Info:
    info = Info(*values)
    info.parent_notified = bool(info.parent_notified)
    info.cancel_requested = bool(info.cancel_requested)
    info.task_sticky = bool(info.task_sticky)
    return info


def _said(error: apsw.Error) -> str:
    """SQLite's words, with what people can do about the common ones."""
    if isinstance(error, apsw.CantOpenError):
        return "no such folder, or no permission to write there"
    if isinstance(error, apsw.ReadOnlyError):
        return "it is not writable"
    if isinstance(error, apsw.NotADBError):
        return "it is not an SQLite database"
    if isinstance(error, apsw.FullError):
        return "the disk is full"
    return str(error)
