"""The tables of an outlive file, and which rows of the core go where.

A run is known by its key, a number given at its start. Its fixed facts are a row of `run`, its scalars a
row of `info`, which also carries what the engine looks for: when to wake it, and whether it owes effects.
The entity tables mirror the core's rows field by field.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from typing import Any, Final

from outlive.core.state import (
    Activity,
    Child,
    Info,
    Outgoing,
    Request,
    Start,
    Timer,
    Update,
)
from outlive.store.visibility import SCHEMA as VISIBILITY

APPLICATION_ID: Final = 0x6F75746C  # "outl"
VERSION: Final = 2

_SQL_TYPES: Final = {"int": "INTEGER", "str": "TEXT", "bytes": "BLOB", "float": "REAL", "bool": "INTEGER"}
_ZEROES: Final = {"INTEGER": "0", "TEXT": "''", "BLOB": "x''", "REAL": "0.0"}


@dataclass(frozen=True, slots=True)
class TableOf:
    """Where one kind of row of the core is kept."""

    name: str
    row: type[Any]
    key: str  # the field that is unique within a run
    columns: tuple[str, ...]

    @property
    def upsert(self) -> str:
        marks = ", ".join("?" for _ in range(len(self.columns) + 1))
        return f"INSERT OR REPLACE INTO {self.name} (run, {', '.join(self.columns)}) VALUES ({marks})"

    @property
    def delete(self) -> str:
        return f"DELETE FROM {self.name} WHERE run = ? AND {self.key} = ?"

    @property
    def select(self) -> str:
        return f"SELECT {', '.join(self.columns)} FROM {self.name} WHERE run = ?"


def columns_of(row: type[Any]) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))


def _table(name: str, row: type[Any], key: str) -> TableOf:
    return TableOf(name, row, key, columns_of(row))


ENTITIES: Final[Mapping[str, TableOf]] = {
    "activities": _table("activity", Activity, "scheduled_event_id"),
    "timers": _table("timer", Timer, "timer_id"),
    "children": _table("child", Child, "initiated_event_id"),
    "signals": _table("outgoing_signal", Outgoing, "initiated_event_id"),
    "cancels": _table("outgoing_cancel", Outgoing, "initiated_event_id"),
    "requests": _table("request", Request, "request_id"),
    "updates": _table("workflow_update", Update, "update_id"),
}

START_COLUMNS: Final = columns_of(Start)
INFO_COLUMNS: Final = columns_of(Info)


def _declared(row: type[Any]) -> Sequence[str]:
    """The columns of a row's fields, with their types; a field that may be None has no NOT NULL.

    Every other one has a default, so that a column which an older file lacks can be added to its rows.
    """
    lines = []
    for field in fields(row):
        kind = str(field.type)
        sql = _SQL_TYPES[kind.split(" ")[0]]
        if "None" in kind:
            lines.append(f"{field.name} {sql}")
        else:
            default = _ZEROES[sql] if field.default is MISSING else _literal(field.default)
            lines.append(f"{field.name} {sql} NOT NULL DEFAULT {default}")
    return lines


def _literal(value: Any) -> str:
    """A default of a row's field in SQL."""
    return f"'{value}'" if isinstance(value, str) else str(float(value) if isinstance(value, float) else int(value))


def _entity_sql(table: TableOf) -> str:
    columns = ", ".join(_declared(table.row))
    return f"CREATE TABLE {table.name} (run INTEGER NOT NULL, {columns}, PRIMARY KEY (run, {table.key})) WITHOUT ROWID;"


def schema() -> str:
    """The whole schema, for a new file."""
    start = ", ".join(line for line in _declared(Start) if not line.startswith("key "))
    return "\n".join(
        [
            f"CREATE TABLE run (key INTEGER PRIMARY KEY, {start});",
            "CREATE UNIQUE INDEX run_by_name ON run (namespace_id, workflow_id, run_id);",
            f"CREATE TABLE info (run INTEGER PRIMARY KEY, {', '.join(_declared(Info))},"
            " wake_at INTEGER NOT NULL, pending INTEGER NOT NULL);",
            "CREATE INDEX info_wake ON info (wake_at) WHERE wake_at > 0;",
            "CREATE INDEX info_pending ON info (run) WHERE pending = 1;",
            "CREATE TABLE attributes (run INTEGER PRIMARY KEY, memo BLOB, search_attributes BLOB);",
            "CREATE TABLE event (run INTEGER NOT NULL, id INTEGER NOT NULL, data BLOB NOT NULL,"
            " PRIMARY KEY (run, id)) WITHOUT ROWID;",
            "CREATE TABLE buffered_event (run INTEGER NOT NULL, place INTEGER NOT NULL, data BLOB NOT NULL,"
            " PRIMARY KEY (run, place)) WITHOUT ROWID;",
            "CREATE TABLE current_run (namespace_id TEXT NOT NULL, workflow_id TEXT NOT NULL,"
            " run INTEGER NOT NULL, PRIMARY KEY (namespace_id, workflow_id)) WITHOUT ROWID;",
            "CREATE TABLE namespace (namespace_id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE,"
            " state INTEGER NOT NULL, description TEXT NOT NULL, owner_email TEXT NOT NULL,"
            " retention INTEGER NOT NULL, data TEXT NOT NULL, search_attributes TEXT NOT NULL,"
            " extra TEXT NOT NULL) WITHOUT ROWID;",
            "CREATE TABLE entity (kind TEXT NOT NULL, namespace_id TEXT NOT NULL, entity_id TEXT NOT NULL,"
            " data BLOB NOT NULL, PRIMARY KEY (kind, namespace_id, entity_id)) WITHOUT ROWID;",
            *(_entity_sql(table) for table in ENTITIES.values()),
            VISIBILITY,
        ]
    )
