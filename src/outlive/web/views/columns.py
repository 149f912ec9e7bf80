"""Columns of the list of runs: those that every server has, and search attributes by their names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from outlive.web.views.runs import RunRow


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``sorts``: rows can be put in its order."""

    key: str
    label: str
    kind: str = ""
    sorts: bool = True


BUILT_IN: Final = (
    Column("status", "Status", "c-status"),
    Column("workflow", "Workflow", "c-id"),
    Column("type", "Type", "c-type"),
    Column("start", "Started", "c-start"),
    Column("close", "Closed", "c-close"),
    Column("duration", "Duration", "c-duration number"),
    Column("queue", "Task queue"),
    Column("run", "Run"),
    Column("parent", "Parent"),
    Column("events", "Events", "number"),
    Column("bytes", "History size", "number"),
)
DEFAULT: Final = tuple(column.key for column in BUILT_IN[:6])
_BY_KEY: Final = {column.key: column for column in BUILT_IN}
_MAX: Final = 16  # columns: a table wider than that is read by nobody


def chosen(keys: Iterable[str]) -> list[Column]:
    """The columns with these keys, the workflow among them; a key that is not built in is a search attribute."""
    wanted = list(dict.fromkeys(key for key in keys if key))[:_MAX] or list(DEFAULT)
    if "workflow" not in wanted:
        wanted.insert(0, "workflow")
    return [_BY_KEY.get(key) or Column(key, key, "c-attribute") for key in wanted]


def value(row: RunRow, key: str) -> str | float | datetime | None:
    """What rows are put in order by."""
    known: dict[str, str | float | datetime | None] = {
        "status": row.status.value,
        "workflow": row.workflow_id,
        "type": row.type,
        "start": row.start,
        "close": row.close,
        "duration": row.seconds,
        "queue": row.task_queue,
        "run": row.run_id,
        "parent": row.parent.workflow_id if row.parent else None,
        "events": row.events,
        "bytes": row.bytes,
    }
    return known[key] if key in known else row.attributes.get(key)


def in_order(rows: list[RunRow], sort: str) -> list[RunRow]:
    """The rows by a column's key, ``-`` before it for the other way round; what has no value comes last."""
    key, falling = sort.removeprefix("-"), sort.startswith("-")
    there = [row for row in rows if value(row, key) is not None]
    rest = [row for row in rows if value(row, key) is None]

    def place(row: RunRow) -> tuple[int, float | str | datetime]:
        found = value(row, key)
        number = _number(found)
        return (0, number) if number is not None else (1, found if found is not None else "")

    return sorted(there, key=place, reverse=falling) + rest


def _number(found: str | float | datetime | None) -> float | None:
    if isinstance(found, datetime):
        return found.timestamp()
    if isinstance(found, str):
        try:
            return float(found)
        except ValueError:
            return None
    return found
