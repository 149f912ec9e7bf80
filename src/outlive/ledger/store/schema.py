"""The tables, once for both databases. The book's columns are the fields of `Attempt`."""

from __future__ import annotations

import json
from dataclasses import fields
from operator import attrgetter
from typing import Any, Final

from outlive.ledger.store.port import Dialect, Row
from outlive.ledger.types import Attempt
from outlive.ledger.wire import to_json

VERSION: Final = 1
APPLICATION_ID: Final = 0x6F6C6467  # "oldg": an SQLite file that is a ledger

ATTEMPT_COLUMNS: Final = tuple(field.name for field in fields(Attempt))
_KINDS: Final = {field.name: str(field.type) for field in fields(Attempt)}
_BOOLEANS: Final = tuple(name for name, kind in _KINDS.items() if kind == "bool")

_BOOLEAN_PLACES: Final = tuple(ATTEMPT_COLUMNS.index(name) for name in _BOOLEANS)
_LABELS: Final = ATTEMPT_COLUMNS.index("labels")
_VALUES: Final = attrgetter(*ATTEMPT_COLUMNS)
_ALL: Final = (*ATTEMPT_COLUMNS, "terms")
ATTEMPT_UPSERT: Final = (
    f"INSERT INTO attempt ({', '.join(_ALL)}) VALUES ({', '.join('?' * len(_ALL))})"
    f" ON CONFLICT (key) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _ALL[1:])}"
)
ATTEMPT_SELECT: Final = f"SELECT {', '.join(_ALL)} FROM attempt"


def attempt_row(attempt: Attempt, terms: str = "") -> Row:
    """The row's values in the order of its columns. `terms`: the call as it was asked for, while it may be needed."""
    values: list[Any] = list(_VALUES(attempt))
    values[_LABELS] = to_json(dict(attempt.labels)) if attempt.labels else "{}"
    for place in _BOOLEAN_PLACES:
        values[place] = int(values[place])
    values.append(terms)
    return tuple(values)


def attempt_of(row: Row) -> Attempt:
    """The attempt that a row holds."""
    values = dict(zip(ATTEMPT_COLUMNS, row, strict=False))  # the terms come after
    values["labels"] = json.loads(values["labels"])
    for name in _BOOLEANS:
        values[name] = bool(values[name])
    return Attempt(**values)


def _attempt_columns(dialect: Dialect) -> str:
    lines = []
    for name, kind in _KINDS.items():
        if kind in ("int", "bool"):
            line = f"{dialect.integer} NOT NULL DEFAULT 0"
        elif kind == "float | None":
            line = dialect.real
        else:
            line = "TEXT NOT NULL DEFAULT ''"
        lines.append(f"{name} {line}{' PRIMARY KEY' if name == 'key' else ''}")
    lines.append("terms TEXT NOT NULL DEFAULT ''")
    return ", ".join(lines)


def statements(dialect: Dialect) -> list[str]:
    """What makes an empty database a ledger."""
    integer, blob = dialect.integer, dialect.blob
    return [
        f"CREATE TABLE attempt ({_attempt_columns(dialect)})",
        "CREATE INDEX attempt_by_time ON attempt (granted_at, key)",
        "CREATE INDEX attempt_by_run ON attempt (run)",
        "CREATE INDEX attempt_by_workflow ON attempt (namespace, workflow_id)",
        "CREATE INDEX attempt_open ON attempt (key) WHERE outcome = 'open'",
        f"CREATE TABLE ticket (key TEXT PRIMARY KEY, call TEXT NOT NULL, need TEXT NOT NULL, since {integer} NOT NULL)",
        "CREATE TABLE quota (name TEXT PRIMARY KEY, data TEXT NOT NULL)",
        "CREATE TABLE budget (name TEXT PRIMARY KEY, data TEXT NOT NULL)",
        f"CREATE TABLE counter (budget TEXT NOT NULL, labels TEXT NOT NULL, period_start {integer} NOT NULL,"
        f" spent {integer} NOT NULL, unconfirmed {integer} NOT NULL, warned_at {integer} NOT NULL,"
        " PRIMARY KEY (budget, labels, period_start))",
        f"CREATE TABLE block (provider TEXT NOT NULL, provider_key TEXT NOT NULL, model TEXT NOT NULL,"
        f" until {integer} NOT NULL, PRIMARY KEY (provider, provider_key, model))",
        f"CREATE TABLE response (namespace TEXT NOT NULL, digest TEXT NOT NULL, value {blob} NOT NULL,"
        f" stored_at {integer} NOT NULL, expires_at {integer} NOT NULL, used_at {integer} NOT NULL,"
        f" hits {integer} NOT NULL, cost {integer} NOT NULL, usage TEXT NOT NULL, model TEXT NOT NULL,"
        f" size {integer} NOT NULL, PRIMARY KEY (namespace, digest))",
        "CREATE INDEX response_by_use ON response (namespace, used_at)",
        f"CREATE TABLE content (digest TEXT PRIMARY KEY, size {integer} NOT NULL, since {integer} NOT NULL,"
        f" data {blob})",
        f"CREATE TABLE content_owner (namespace TEXT NOT NULL, owner TEXT NOT NULL, digest TEXT NOT NULL,"
        f" since {integer} NOT NULL, PRIMARY KEY (namespace, owner, digest))",
        "CREATE INDEX content_owner_by_digest ON content_owner (digest)",
        f"CREATE TABLE stream (name TEXT PRIMARY KEY, next {integer} NOT NULL, attempt {integer} NOT NULL,"
        f" began {integer} NOT NULL, first {integer} NOT NULL, closed {integer} NOT NULL, used_at {integer} NOT NULL)",
        f"CREATE TABLE chunk (stream TEXT NOT NULL, place {integer} NOT NULL, attempt {integer} NOT NULL,"
        f" data TEXT NOT NULL, at {integer} NOT NULL, PRIMARY KEY (stream, place))",
        f"CREATE TABLE approval (id TEXT PRIMARY KEY, namespace TEXT NOT NULL, state TEXT NOT NULL,"
        f" assignee TEXT NOT NULL, asked_at {integer} NOT NULL, data TEXT NOT NULL)",
        "CREATE INDEX approval_by_state ON approval (state, asked_at)",
        "CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    ]
