"""The one writer: many transitions share a commit, and nobody hears of one before it is on disk.

Rules (all of them live in this file)
- Statements run on the event loop's thread: a second Python thread binding rows would only fight for the
  interpreter. The COMMIT, which waits for the disk, runs on a thread of its own, so that the loop goes on.
- What is submitted in one turn of the loop and in the next goes into one commit: a task that is scheduled
  in one is taken by a waiting worker in the next. What is submitted while a commit is under way goes into
  the commit after it; and while commits are shared by several, they are spaced a little, so that more can
  share the next: each costs the same, whatever it holds.
- A state is drained once per commit, however many transitions it went through.
- If a statement or a commit fails, every waiting future fails, and so does all that comes later: the
  server stops rather than run ahead of its disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import astuple
from functools import partial
from operator import attrgetter
from queue import SimpleQueue
from threading import Thread
from typing import Any

import apsw

from outlive.core.state import TABLES, Info, Start, State
from outlive.core.visibility import VisibilityRecord
from outlive.errors import StorageFailed
from outlive.limits import COMMIT_GATHER, SECOND
from outlive.store.port import EntityRow, NamespaceRow
from outlive.store.schema import ENTITIES, INFO_COLUMNS, START_COLUMNS, columns_of
from outlive.store.sqlite import SqliteStore

_START = f"INSERT INTO run ({', '.join(START_COLUMNS)}) VALUES ({', '.join('?' * len(START_COLUMNS))})"
_INFO = (
    f"INSERT OR REPLACE INTO info (run, {', '.join(INFO_COLUMNS)}, wake_at, pending)"
    f" VALUES ({', '.join('?' * (len(INFO_COLUMNS) + 3))})"
)
_CURRENT = "INSERT OR REPLACE INTO current_run (namespace_id, workflow_id, run) VALUES (?, ?, ?)"
_ATTRIBUTES = "INSERT OR REPLACE INTO attributes (run, memo, search_attributes) VALUES (?, ?, ?)"
_EVENT = "INSERT INTO event (run, id, data) VALUES (?, ?, ?)"
_NAMESPACE = f"INSERT OR REPLACE INTO namespace VALUES ({', '.join('?' * 9)})"
_NO_NAMESPACE = tuple(f"DELETE FROM {table} WHERE namespace_id = ?" for table in ("entity", "namespace"))
_ENTITY = "INSERT OR REPLACE INTO entity (kind, namespace_id, entity_id, data) VALUES (?, ?, ?, ?)"
_NO_ENTITY = "DELETE FROM entity WHERE kind = ? AND namespace_id = ? AND entity_id = ?"
_UPSERTS = {field: table.upsert for field, table in ENTITIES.items()}
_DELETES = {field: table.delete for field, table in ENTITIES.items()}
_PER_RUN = ("info", "attributes", "event", "buffered_event", *(table.name for table in ENTITIES.values()))


class GroupWriter:
    """The writer of a `SqliteStore`. Made and used on one event loop."""

    def __init__(
        self,
        store: SqliteStore,
        *,
        visibility_of: Callable[[State], VisibilityRecord],
        pending_of: Callable[[State], bool],
        on_failure: Callable[[BaseException], None],
    ) -> None:
        self._store = store
        self._connection = store.write_connection
        self._visibility_of = visibility_of
        self._pending_of = pending_of
        self._on_failure = on_failure
        self.on_events: Callable[[int, list[tuple[int, bytes]]], None] = lambda key, events: None
        self.on_deleted: Callable[[str, str], None] = lambda namespace_id, run_id: None
        self._dirty: dict[int, State] = {}
        self._others: list[Callable[[], None]] = []  # namespaces, entities, deletions
        self._next: Commit | None = None  # the commit that is being collected
        self._committing: Commit | None = None
        self._shared = 0  # how many changes the last commit held
        self._failed: StorageFailed | None = None
        self._thread = _CommitThread(self._connection) if store.path is not None else None

    # -- submitting

    def submit(self, states: Sequence[State]) -> asyncio.Future[None]:
        """Have these executions' changes in the next commit."""
        for state in states:
            self._dirty[state.start.key] = state
        return self._collect()

    def put_namespace(self, row: NamespaceRow) -> asyncio.Future[None]:
        self._others.append(lambda: self._run(_NAMESPACE, astuple(row)))
        return self._collect()

    def delete_namespace(self, namespace_id: str) -> asyncio.Future[None]:
        for sql in _NO_NAMESPACE:
            self._others.append(partial(self._run, sql, (namespace_id,)))
        return self._collect()

    def put_entity(self, row: EntityRow) -> asyncio.Future[None]:
        self._others.append(lambda: self._run(_ENTITY, astuple(row)))
        return self._collect()

    def delete_entity(self, kind: str, namespace_id: str, entity_id: str) -> asyncio.Future[None]:
        self._others.append(lambda: self._run(_NO_ENTITY, (kind, namespace_id, entity_id)))
        return self._collect()

    def put_visible(self, record: VisibilityRecord) -> asyncio.Future[None]:
        self._others.append(lambda: self._store.visibility.upsert(record))
        return self._collect()

    def delete_visible(self, namespace_id: str, run_id: str) -> asyncio.Future[None]:
        self._others.append(lambda: self._store.visibility.delete(namespace_id, run_id))
        return self._collect()

    def delete(self, key: int, namespace_id: str, run_id: str) -> asyncio.Future[None]:
        """Forget a run with everything it has."""
        self.on_deleted(namespace_id, run_id)
        self._dirty.pop(key, None)
        self._others.append(lambda: self._delete(key, namespace_id, run_id))
        return self._collect()

    async def flush(self) -> None:
        """Wait until everything submitted so far is durable."""
        waiting = self._next or self._committing
        if waiting is not None:
            await waiting
        if self._failed is not None:
            raise self._failed

    async def close(self) -> None:
        """Commit what is waiting, and let the thread go."""
        if self._failed is None:
            await self.flush()
        if self._thread is not None:
            self._thread.stop()

    def _collect(self) -> asyncio.Future[None]:
        """The future of the commit that is being collected."""
        loop = asyncio.get_running_loop()
        if self._next is None:
            self._next = Commit(loop=loop)
            self._next.add_done_callback(_retrieved)
            if self._failed is not None:
                future, self._next = self._next, None
                future.set_exception(self._failed)
                return future
            if self._committing is None:
                loop.call_soon(loop.call_soon, self._flush)
        return self._next

    # -- committing

    def _flush(self) -> None:
        future, self._next = self._next, None
        if future is None:
            return
        states, self._dirty = list(self._dirty.values()), {}
        others, self._others = self._others, []
        self._committing = future
        self._shared = len(states) + len(others)
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            for state in states:
                self._write(state)
            for write in others:
                write()
        except Exception as error:  # whatever it is, what waits for this commit must hear that it failed
            self._fail(error)
            return
        if self._thread is None:
            self._commit_inline()
            return
        self._thread.commit(self._committed)

    def _commit_inline(self) -> None:
        try:
            self._run("COMMIT")
        except apsw.Error as error:
            self._fail(error)
            return
        self._done()

    def _committed(self, error: BaseException | None) -> None:
        if error is not None:
            self._fail(error)
        else:
            self._done()

    def _done(self) -> None:
        future, self._committing = self._committing, None
        if future is not None:
            future.set_result(None)
        if self._next is None:
            return
        if self._shared > 1:
            asyncio.get_running_loop().call_later(COMMIT_GATHER / SECOND, self._flush)
        else:
            self._flush()

    def _fail(self, error: BaseException) -> None:
        self._failed = StorageFailed(f"the database could not be written: {error}")
        for future in (self._committing, self._next):
            if future is not None and not future.done():
                future.set_exception(self._failed)
        self._committing = self._next = None
        self._on_failure(self._failed)

    # -- statements

    def _run(self, sql: str, values: tuple[Any, ...] = ()) -> None:
        self._connection.execute(sql, values)

    def _write(self, state: State) -> None:
        """Write what the execution has changed since it was last written."""
        key = state.start.key
        run = self._connection.execute
        if not state.saved:
            run(_START, _START_VALUES(state.start))
            run(_CURRENT, (state.start.namespace_id, state.start.workflow_id, key))
            state.saved = True
        run(_INFO, (key, *_INFO_VALUES(state.info), state.wake_at, self._pending_of(state)))
        if state.attributes_changed:
            run(_ATTRIBUTES, (key, state.attributes.memo, state.attributes.search_attributes))
            state.attributes_changed = False
        if state.unsaved:
            events = [(event.event_id, event.SerializeToString()) for event in state.unsaved]
            state.unsaved.clear()
            self._connection.executemany(_EVENT, [(key, event_id, data) for event_id, data in events])
            self.on_events(key, events)
        for field in TABLES:
            table = getattr(state, field)
            if table.changed:
                self._write_rows(key, field, table.drain())
        if state.buffer_changed:
            run("DELETE FROM buffered_event WHERE run = ?", (key,))
            for place, event in enumerate(state.buffered):
                run("INSERT INTO buffered_event VALUES (?, ?, ?)", (key, place, event.SerializeToString()))
            state.buffer_changed = False
        if state.visibility_changed:
            self._store.visibility.upsert(self._visibility_of(state))
            state.visibility_changed = False

    def _write_rows(self, key: int, field: str, changes: list[tuple[Any, Any]]) -> None:
        for row_key, row in changes:
            if row is None:
                self._run(_DELETES[field], (key, row_key))
            else:
                self._run(_UPSERTS[field], (key, *_ROW_VALUES[field](row)))

    def _delete(self, key: int, namespace_id: str, run_id: str) -> None:
        for table in _PER_RUN:
            self._run(f"DELETE FROM {table} WHERE run = ?", (key,))
        self._run("DELETE FROM current_run WHERE run = ?", (key,))
        self._run("DELETE FROM run WHERE key = ?", (key,))
        self._store.visibility.delete(namespace_id, run_id)


class Commit(asyncio.Future[None]):
    """One commit, awaited by many: a caller that goes away takes it from nobody else."""

    def cancel(self, msg: Any | None = None) -> bool:
        return False


class _CommitThread:
    """Makes commits, one at a time, where waiting for the disk holds nobody up."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection
        self._jobs: SimpleQueue[Callable[[BaseException | None], None] | None] = SimpleQueue()
        self._loop = asyncio.get_running_loop()
        self._thread = Thread(target=self._work, name="commit", daemon=True)
        self._thread.start()

    def commit(self, done: Callable[[BaseException | None], None]) -> None:
        """Commit the open transaction; `done` is then called on the loop, with what went wrong."""
        self._jobs.put(done)

    def stop(self) -> None:
        self._jobs.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (done := self._jobs.get()) is not None:
            error: BaseException | None = None
            try:
                self._connection.execute("COMMIT")
            except Exception as caught:  # told to who waits: the thread goes on to hear that it is over
                error = caught
            self._loop.call_soon_threadsafe(done, error)


def _getter(row: type[Any]) -> Callable[[Any], tuple[Any, ...]]:
    """Takes the values of a row of the core, in the order of its columns."""
    return attrgetter(*columns_of(row))


_START_VALUES = _getter(Start)
_INFO_VALUES = _getter(Info)
_ROW_VALUES = {field: _getter(table.row) for field, table in ENTITIES.items()}


def _retrieved(future: asyncio.Future[None]) -> None:
    """A commit that failed is told to the server once; a caller that has gone need not hear of it."""
    if not future.cancelled():
        future.exception()
