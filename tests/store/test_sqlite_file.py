"""The file: its versions, what is no file of ours, and a disk that fails under the writer."""

from __future__ import annotations

import asyncio
from dataclasses import fields, replace
from pathlib import Path

import apsw
import pytest
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes

from outlive.core.runs import Origin, open_run
from outlive.core.state import State, Timer
from outlive.core.transition import Context
from outlive.engine.descriptions import record_of
from outlive.engine.runs import pending_of
from outlive.errors import StartupError, StorageFailed
from outlive.limits import ExecutionLimits
from outlive.store.migrations import prepare
from outlive.store.port import EntityRow
from outlive.store.schema import ENTITIES, VERSION
from outlive.store.sqlite import SqliteStore
from outlive.store.writer import GroupWriter

NOW = 1_700_000_000_000_000_000


def opened(key: int) -> State:
    """A run that has just started."""
    context = Context(
        new_id=lambda: "id",
        new_key=lambda: key,
        limits=ExecutionLimits(),
        retention=0,
        attribute_types={},
        namespace_id_of=lambda name: name,
    )
    started = WorkflowExecutionStartedEventAttributes(
        workflow_id=f"wf-{key}", original_execution_run_id=f"run-{key}", first_execution_run_id=f"run-{key}", attempt=1
    )
    started.workflow_type.name, started.task_queue.name = "T", "q"
    started.workflow_task_timeout.seconds = 10
    t = open_run(context, NOW, Origin("ns", "ns", f"run-{key}", f"request-{key}"), started)
    t.finish()
    return t.state


def writer_of(store: SqliteStore, failures: list[BaseException]) -> GroupWriter:
    return GroupWriter(
        store, visibility_of=lambda state: record_of(state, {}), pending_of=pending_of, on_failure=failures.append
    )


async def test_what_was_written_is_loaded_again(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    writer = writer_of(store, [])
    state = opened(1)
    state.timers.put("t", Timer("t", 3, NOW + 1))
    await writer.submit((state,))
    await writer.close()
    store.close()
    again = SqliteStore(tmp_path / "a.db")
    loaded = again.load(1)
    assert loaded is not None
    assert (loaded.start, loaded.info, loaded.attributes) == (state.start, state.info, state.attributes)
    assert loaded.timers.rows == {"t": Timer("t", 3, NOW + 1)}
    assert loaded.wake_at == NOW + 1
    kinds = [HistoryEvent.FromString(data).WhichOneof("attributes") for data in again.events(1, 1, 10)]
    assert kinds == ["workflow_execution_started_event_attributes", "workflow_task_scheduled_event_attributes"]
    assert again.recovery().pending == [1]
    again.close()


async def test_deleting_leaves_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    writer = writer_of(store, [])
    await writer.submit((opened(1), opened(2)))
    await writer.delete(1, "ns", "run-1")
    tables = [name for (name,) in store.write_connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    for table in ("run", "info", "event", "attributes", "current_run"):
        assert table in tables
        column = "key" if table == "run" else "run"
        rows = store.write_connection.execute(f"SELECT DISTINCT {column} FROM {table}").fetchall()
        assert rows == [(2,)], table
    await writer.close()
    store.close()


# -- a disk, or a value, that cannot be written ---------------------------------------------------------------


async def test_a_value_that_no_file_can_hold_fails_the_writer_instead_of_wedging_it(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    failures: list[BaseException] = []
    writer = writer_of(store, failures)
    bad = opened(1)
    bad.start = replace(bad.start, run_timeout=1 << 70)
    with pytest.raises(StorageFailed):
        await asyncio.wait_for(asyncio.shield(writer.submit((bad,))), 10)
    assert len(failures) == 1
    with pytest.raises(StorageFailed):
        await asyncio.wait_for(asyncio.shield(writer.submit((opened(2),))), 10)
    assert len(failures) == 1, "the server is told once"
    store.close()
    again = SqliteStore(tmp_path / "a.db")
    assert again.recovery().last_key == 0, "nothing of the failed commit is there"
    again.close()


async def test_a_full_disk_fails_the_writer_and_acknowledges_nothing(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    failures: list[BaseException] = []
    writer = writer_of(store, failures)
    await writer.submit((opened(1),))
    pages = store.write_connection.execute("PRAGMA page_count").get
    store.write_connection.execute(f"PRAGMA max_page_count = {pages}")
    acknowledged = 1
    with pytest.raises(StorageFailed):
        for key in range(2, 500):
            await asyncio.wait_for(asyncio.shield(writer.submit((opened(key),))), 10)
            acknowledged = key
    assert len(failures) == 1
    store.close()
    again = SqliteStore(tmp_path / "a.db")
    assert again.recovery().last_key == acknowledged
    again.close()


# -- versions ------------------------------------------------------------------------------------------------


def test_a_newer_file_is_refused_with_what_to_do(tmp_path: Path) -> None:
    SqliteStore(tmp_path / "a.db").close()
    connection = apsw.Connection(str(tmp_path / "a.db"))
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    with pytest.raises(StartupError, match="newer outlive"):
        SqliteStore(tmp_path / "a.db")


def test_an_older_file_is_brought_up_in_one_transaction(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    SqliteStore(path).close()
    connection = apsw.Connection(str(path))

    def add(to: apsw.Connection) -> None:
        to.execute("CREATE TABLE added (x)")

    def fail(to: apsw.Connection) -> None:
        to.execute("CREATE TABLE half (x)")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        prepare(connection, "a.db", migrations=[*[lambda to: None] * (VERSION - 1), fail], version=VERSION + 1)
    assert connection.pragma("user_version") == VERSION
    assert connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").get == 0
    prepare(connection, "a.db", migrations=[*[lambda to: None] * (VERSION - 1), add], version=VERSION + 1)
    assert connection.pragma("user_version") == VERSION + 1
    assert connection.execute("SELECT count(*) FROM added").get == 0
    connection.close()


async def test_a_file_that_lacks_tables_and_columns_gets_them_and_keeps_its_runs(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    store = SqliteStore(path)
    writer = writer_of(store, [])
    await writer.submit((opened(1),))
    await writer.close()
    store.close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE entity; DROP INDEX info_wake")
    connection.execute("ALTER TABLE info DROP COLUMN task_attempt; ALTER TABLE info DROP COLUMN pause_reason")
    connection.execute("ALTER TABLE activity DROP COLUMN priority; PRAGMA user_version = 1")
    connection.close()
    store = SqliteStore(path)
    assert store.write_connection.pragma("user_version") == VERSION
    state = store.load(1)
    assert state is not None
    assert (state.info.task_attempt, state.info.pause_reason, len(state.activities)) == (1, "", 0)
    assert store.entities("schedule") == []
    assert store.write_connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'info_wake'").get == 1
    store.close()


async def test_entities_come_back_by_kind_and_are_forgotten(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    writer = writer_of(store, [])
    first, second = EntityRow("schedule", "ns", "a", b"1"), EntityRow("schedule", "ns", "b", b"2")
    other = EntityRow("batch", "ns", "a", b"3")
    for row in (first, second, other, replace(second, data=b"4")):
        writer.put_entity(row)
    writer.delete_entity("schedule", "ns", "a")
    await writer.close()
    store.close()
    store = SqliteStore(tmp_path / "a.db")
    assert store.entities("schedule") == [replace(second, data=b"4")]
    assert store.entities("batch") == [other]
    store.close()


def test_the_file_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    with pytest.raises(StartupError, match="another program"):
        SqliteStore(path)
    text = tmp_path / "text.db"
    text.write_text("this is a letter, not a database, and it is long enough to have a header " * 20)
    with pytest.raises(StartupError, match="not an SQLite database"):
        SqliteStore(text)


def test_columns_mirror_the_rows(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "a.db")
    for table in ENTITIES.values():
        found = [row[1] for row in store.write_connection.execute(f"PRAGMA table_info({table.name})")]
        assert found == ["run", *(field.name for field in fields(table.row))]
    store.close()
