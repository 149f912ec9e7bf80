"""Visibility on SQLite: what runs there are, found by list filters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from outlive.core.filter import ParsedFilter
from outlive.core.filter.nodes import Condition
from outlive.core.filter.values import STATUS_NAMES
from outlive.core.visibility import TEXT, IndexedAttribute, VisibilityRecord
from outlive.store.visibility_plan import (
    FEW,
    Division,
    Path,
    choose,
    conjuncts,
    division_of,
    may_have_status,
    with_status,
)
from outlive.store.visibility_rows import (
    DELETE,
    FIND,
    INSERT_ATTRIBUTE,
    INSERT_NAMESPACE,
    INSERT_TEXT,
    INSERT_WORDS,
    ROW,
    UPSERT,
    closed_of,
    digest_of,
    elements,
    pack,
    record_of,
    split,
    unpack,
    values_of,
)
from outlive.store.visibility_schema import SCHEMA, STILL_OPEN
from outlive.store.visibility_sql import COLUMNS, Sql, condition, normal

__all__ = ["SCHEMA", "Count", "Page", "VisibilityStore"]

_RUNNING: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
_PAUSED: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED

_Rows = list[Any]  # `list` is a method's name below


@dataclass(frozen=True, slots=True)
class Page:
    """Records in the order of lists; `token` leads to those that follow, empty if the page was not full."""

    records: list[VisibilityRecord]
    token: bytes


@dataclass(frozen=True, slots=True)
class Count:
    """How many, and of each value of GROUP BY's attribute (a status' name; the empty text for null)."""

    total: int
    groups: list[tuple[str, int]]


@dataclass(frozen=True, slots=True)
class _Plan:
    """How a filter is answered: all of it as SQL, its conditions that AND joins, the path to its rows."""

    where: Sql
    conditions: list[Condition]
    division: Division
    path: Path


class VisibilityStore:
    """The visibility tables of one connection, on which `SCHEMA` has been run. Synchronous.

    Writes belong to the caller's transaction. Reads see what their connection sees.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    # ---- writing ----

    def upsert(self, record: VisibilityRecord) -> None:
        """Write a run's row: a new one, or the changed state of one that is there.

        What a run is from its start on (ids, type, task queue, start time, parent, root) is written once.
        """
        unversioned, attributes = split(record.indexed)
        digest = digest_of(attributes) if attributes else None
        key = (record.namespace_id, record.run_id)
        found: _Rows = self._connection.execute(FIND, key).fetchall() if attributes else []
        values = values_of(record, unversioned, digest)
        try:
            self._connection.execute(UPSERT, values)
        except apsw.ConstraintError:  # the namespace's first row
            self._connection.execute(INSERT_NAMESPACE, (record.namespace_id,))
            self._connection.execute(UPSERT, values)
        if not found and attributes:
            self._index(self._connection.last_insert_rowid(), record, attributes)
        elif found and found[0][1] != digest:
            self._index(found[0][0], record, attributes)

    def _index(self, row: int, record: VisibilityRecord, attributes: Sequence[IndexedAttribute]) -> None:
        head = (record.namespace_id, closed_of(record), record.start_time, row)
        values: _Rows = []
        for name, kind, value in attributes:
            if kind == TEXT:
                self._connection.execute(INSERT_TEXT, (record.namespace_id, row, name))
                self._connection.execute(INSERT_WORDS, (self._connection.last_insert_rowid(), value))
            else:
                values += [(*head, name, int(kind), each) for each in elements(kind, value)]
        self._connection.executemany(INSERT_ATTRIBUTE, values)

    def delete(self, namespace_id: str, run_id: str) -> None:
        """Forget a run; nothing happens if it is not there."""
        self._connection.execute(DELETE, (namespace_id, run_id))

    # ---- reading ----

    def list(self, query: ParsedFilter, namespace_id: str, page_size: int, token: bytes = b"") -> Page:
        """Up to `page_size` records: open runs first, newest start first, then closed ones, last close first.

        Pages go on from the last record's place in that order, so that rows which come, go or change
        between pages do not shift the rest. Raises InvalidArgument for a token that is none.
        """
        after = unpack(token) if token else None
        with self._connection:  # one snapshot for all statements
            namespace = self._namespace(namespace_id)
            if namespace is None:
                return Page([], b"")
            plan = self._plan(query, namespace, "visibility_order")
            rows: _Rows = []
            for path, part in _parts(plan, namespace, after):
                rows += self._rows(path, [plan.where, part], page_size - len(rows))
                if len(rows) == page_size:
                    break
        full = bool(rows) and len(rows) == page_size
        return Page([record_of(namespace_id, row) for row in rows], pack(rows[-1][-3:]) if full else b"")

    def count(self, query: ParsedFilter, namespace_id: str) -> Count:
        """How many records meet the filter, in groups if it has GROUP BY."""
        with self._connection:
            namespace = self._namespace(namespace_id)
            if namespace is None:
                return Count(0, [])
            column = COLUMNS[query.group_by.name] if query.group_by else "namespace"
            plan = self._plan(query, namespace, "")
            source, where = plan.path.source, _all([plan.path.where, plan.where])
            rows: _Rows = self._connection.execute(
                f"SELECT v.{column}, count(*) FROM {source.text} WHERE {where.text} GROUP BY v.{column}",
                source.parameters + where.parameters,
            ).fetchall()
        total = sum(number for _, number in rows)
        if query.group_by is None:
            return Count(total, [])
        if column == "status":
            return Count(total, [(STATUS_NAMES.get(value, str(value)), number) for value, number in rows])
        return Count(total, [(value or "", number) for value, number in rows])

    def _namespace(self, namespace_id: str) -> int | None:
        select = "SELECT id FROM visibility_namespace WHERE namespace_id = ?"
        row = self._connection.execute(select, (namespace_id,)).fetchone()
        return row[0] if row else None

    def _plan(self, query: ParsedFilter, namespace: int, index: str) -> _Plan:
        where = normal(query.where) if query.where is not None else None
        conditions = conjuncts(where)
        division = division_of(conditions, query.names_division, query.division)
        path = choose(conditions, namespace, division, self._count_probe, index)
        return _Plan(condition(where) if where else Sql("1"), conditions, division, path)

    def _count_probe(self, probe: Sql) -> int:
        limited = f"SELECT count(*) FROM (SELECT 1 FROM ({probe.text}) LIMIT {FEW + 1})"
        rows: _Rows = self._connection.execute(limited, probe.parameters).fetchall()
        return int(rows[0][0])

    def _rows(self, path: Path, conditions: Sequence[Sql], limit: int) -> _Rows:
        where = _all([path.where, *conditions])
        order = "" if path.sorted else f"ORDER BY {', '.join(f'{column} DESC' for column in path.key)} "
        return self._connection.execute(
            f"SELECT {ROW}, {', '.join(path.key)} FROM {path.source.text} WHERE {where.text} {order}LIMIT ?",
            (*path.source.parameters, *where.parameters, limit),
        ).fetchall()


def _all(conditions: Sequence[Sql]) -> Sql:
    text = " AND ".join(each.text for each in conditions)
    return Sql(text, tuple(parameter for each in conditions for parameter in each.parameters))


def _parts(plan: _Plan, namespace: int, after: tuple[int, int, int] | None) -> Iterator[tuple[Path, Sql]]:
    """What is left of a list: one query, or along an ordered path one for open runs, then one for closed.

    So a bound on the start time is a range of the index among open runs, and a list that cannot have
    running ones does not look at each of them.
    """
    path = plan.path
    if not path.ordered:
        yield path, _following(path, "", after)
        return
    if after is None or after[0] == STILL_OPEN:
        opened = path
        if not may_have_status(plan.conditions, _RUNNING) and plan.division.known:
            opened = with_status(_PAUSED, namespace, plan.division)
        yield opened, _following(opened, "=", after)
    yield path, _following(path, "<", after)


def _following(path: Path, operator: str, after: tuple[int, int, int] | None) -> Sql:
    """What comes after a sort key, of open (=), closed (<) or all runs."""
    part = f"{path.key[0]} {operator} {STILL_OPEN}" if operator else "1"
    if after is None:
        return Sql(part)
    return Sql(f"{part} AND ({', '.join(path.key)}) < (?, ?, ?)", after)
