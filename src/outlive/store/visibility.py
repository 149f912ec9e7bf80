"""Visibility on SQLite: what runs there are, found by list filters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import apsw
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from outlive.core.filter import ParsedFilter
from outlive.core.filter.values import STATUS_NAMES
from outlive.core.visibility import TEXT, IndexedAttribute, VisibilityRecord
from outlive.store.visibility_plan import FEW, Path, choose, conjuncts, division_of, excludes_open
from outlive.store.visibility_rows import (
    FIND,
    ROW,
    UPSERT,
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

_OPEN_STATUSES: Final = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
)

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


class VisibilityStore:
    """The visibility tables of one connection, on which `SCHEMA` has been run. Synchronous.

    Writes belong to the caller's transaction. Reads see what their connection sees.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    # ---- writing ----

    def upsert(self, record: VisibilityRecord) -> None:
        """Write a run's row: a new one, or the changed state of one that is there.

        What a run is from its start on (ids, type, start time, parent, root) is written once.
        """
        unversioned, attributes = split(record.indexed)
        digest = digest_of(attributes) if attributes else None
        before = self._find(record) if attributes else None
        values = values_of(record, unversioned, digest)
        try:
            self._connection.execute(UPSERT, values)
        except apsw.ConstraintError:  # the namespace's first row
            self._connection.execute(
                "INSERT INTO visibility_namespace (namespace_id) VALUES (?)", (record.namespace_id,)
            )
            self._connection.execute(UPSERT, values)
        if attributes and (before is None or before[1] != digest):
            self._index(before[0] if before else self._connection.last_insert_rowid(), attributes)

    def _find(self, record: VisibilityRecord) -> tuple[int, bytes | None] | None:
        row = self._connection.execute(FIND, (record.namespace_id, record.run_id)).fetchone()
        return (row[0], row[1]) if row else None

    def _index(self, row: int, attributes: Sequence[IndexedAttribute]) -> None:
        execute = self._connection.execute
        for name, kind, value in attributes:
            if kind == TEXT:
                execute(
                    "INSERT INTO visibility_text (execution, name, namespace)"
                    " SELECT id, ?, namespace FROM visibility WHERE id = ?",
                    (name, row),
                )
                text = (self._connection.last_insert_rowid(), value)
                execute("INSERT INTO visibility_words (rowid, words) VALUES (?, ?)", text)
                continue
            for each in elements(kind, value):
                execute(
                    "INSERT INTO visibility_attribute"
                    " (execution, name, kind, value, namespace, closed, started)"
                    " SELECT id, ?, ?, ?, namespace, closed, started FROM visibility WHERE id = ?",
                    (name, int(kind), each, row),
                )

    def delete(self, namespace_id: str, run_id: str) -> None:
        """Forget a run; nothing happens if it is not there."""
        self._connection.execute(
            "DELETE FROM visibility WHERE run_id = ?"
            " AND namespace = (SELECT id FROM visibility_namespace WHERE namespace_id = ?)",
            (run_id, namespace_id),
        )

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
            where, path, closed_only = self._plan(query, namespace, "visibility_order")
            rows: _Rows = []
            for part in _parts(path, closed_only, after):
                rows += self._rows(path, [where, part], page_size - len(rows))
                if len(rows) == page_size:
                    break
        last = rows[-1] if len(rows) == page_size else None
        return Page([record_of(namespace_id, row) for row in rows], pack(last[-3:]) if last else b"")

    def count(self, query: ParsedFilter, namespace_id: str) -> Count:
        """How many records meet the filter, in groups if it has GROUP BY."""
        with self._connection:
            namespace = self._namespace(namespace_id)
            if namespace is None:
                return Count(0, [])
            column = COLUMNS[query.group_by.name] if query.group_by else "namespace"
            index = "visibility_status" if column == "status" else "visibility_order"
            filter_, path, _ = self._plan(query, namespace, index)
            where = _all([path.where, filter_])
            rows: _Rows = self._connection.execute(
                f"SELECT v.{column}, count(*) FROM {path.source.text} WHERE {where.text} GROUP BY v.{column}",
                path.source.parameters + where.parameters,
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

    def _plan(self, query: ParsedFilter, namespace: int, index: str) -> tuple[Sql, Path, bool]:
        """The filter as SQL, the path to its rows, and whether none of them is open."""
        where = normal(query.where) if query.where is not None else None
        conditions = conjuncts(where)
        division = division_of(conditions, query.names_division, query.division)
        path = choose(conditions, namespace, division, self._count_probe, index)
        return condition(where) if where else Sql("1"), path, excludes_open(conditions, _OPEN_STATUSES)

    def _count_probe(self, probe: Sql) -> int:
        limited = f"SELECT count(*) FROM (SELECT 1 FROM ({probe.text}) LIMIT {FEW + 1})"
        rows: _Rows = self._connection.execute(limited, probe.parameters).fetchall()
        return int(rows[0][0])

    def _rows(self, path: Path, conditions: Sequence[Sql], limit: int) -> _Rows:
        where = _all([path.where, *conditions])
        order = ", ".join(f"{column} DESC" for column in path.key)
        return self._connection.execute(
            f"SELECT {ROW}, {', '.join(path.key)} FROM {path.source.text} WHERE {where.text}"
            f" ORDER BY {order} LIMIT ?",
            (*path.source.parameters, *where.parameters, limit),
        ).fetchall()


def _all(conditions: Sequence[Sql]) -> Sql:
    text = " AND ".join(each.text for each in conditions)
    return Sql(text, tuple(parameter for each in conditions for parameter in each.parameters))


def _parts(path: Path, closed_only: bool, after: tuple[int, int, int] | None) -> list[Sql]:
    """What is left of a list, in one part or two.

    Along an ordered path the open runs are a query of their own: there a bound on the start time is a
    range of the index, and lists of closed runs need not pass by all that are open.
    """
    closed, started, row = path.key
    rest = Sql("1") if after is None else Sql(f"({closed}, {started}, {row}) < (?, ?, ?)", after)
    if not path.ordered:
        return [rest]
    parts = [Sql(f"{closed} < {STILL_OPEN} AND {rest.text}", rest.parameters)]
    if not closed_only and (after is None or after[0] == STILL_OPEN):
        parts.insert(0, Sql(f"{closed} = {STILL_OPEN} AND {rest.text}", rest.parameters))
    return parts
