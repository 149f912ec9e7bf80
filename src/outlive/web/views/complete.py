"""Completion of a list filter: what may come where the cursor is, by the grammar of list filters.

    filter     name operator value { AND | OR  name operator value }

Where a value is due, it is one that runs really have: the types and task queues of the newest ones, statuses, times.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from outlive.web.views import times
from outlive.web.views.status import RUN_STATUSES

_TOKEN: Final = re.compile(
    r"'(?:[^'\\]|\\.)*'?|\"(?:[^\"\\]|\\.)*\"?|`[^`]*`?|[A-Za-z_][\w.]*|[0-9.+-]+|!=|>=|<=|[=<>(),]"
)
_KIND_OPERATORS: Final = {
    "Text": ("=", "IS NOT NULL"),
    "Keyword": ("=", "!=", "IN (", "STARTS_WITH", "IS NULL", "IS NOT NULL"),
    "KeywordList": ("=", "IN (", "IS NULL", "IS NOT NULL"),
    "Bool": ("=", "!=", "IS NULL"),
}
_ORDERED: Final = ("=", "!=", ">", ">=", "<", "<=", "BETWEEN", "IS NULL", "IS NOT NULL")
_SHOWN: Final = 12  # suggestions: what a person takes in


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to put in place of what is there. ``hint`` says what it is."""

    text: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Suggestions:
    """What may stand from ``start`` to ``end`` (characters of the filter)."""

    start: int
    end: int
    items: list[Suggestion]


def suggest(
    text: str, cursor: int, kinds: Mapping[str, str], seen: Mapping[str, Sequence[str]], now: datetime
) -> Suggestions:
    """What may come at the cursor. ``kinds`` are attributes with their types, ``seen`` values by attribute."""
    before = text[:cursor]
    tokens = [(found.group(), found.start()) for found in _TOKEN.finditer(before)]
    start, partial = cursor, ""
    if tokens and tokens[-1][1] + len(tokens[-1][0]) == len(before) and _unfinished(tokens[-1][0]):
        partial, start = tokens.pop()
    due, name = _due([token for token, _ in tokens])
    found = _items(due, name, kinds, seen, now)
    wanted = partial.strip("'\"`").lower()
    fits = [one for one in found if wanted in one.text.lower()]
    fits.sort(key=lambda one: not one.text.lower().lstrip("'").startswith(wanted))
    return Suggestions(start, cursor, fits[:_SHOWN])


def _unfinished(token: str) -> bool:
    if token[0] in "'\"`":
        return len(token) == 1 or token[-1] != token[0]
    return token[0].isalnum() or token[0] == "_"


def _due(tokens: Sequence[str]) -> tuple[str, str]:
    """What is due after the tokens (``name``, ``operator``, ``value``, ``more``, ``joiner``), and of which name."""
    due, name, listing, ranging = "name", "", False, False
    for token in tokens:
        word = token.upper()
        if due == "name":
            if token != "(" and word != "NOT":
                due, name = "operator", token.strip("`")
        elif due == "operator":
            listing, ranging = word == "IN", word == "BETWEEN"
            if word == "IS":
                due = "null"
            elif word != "NOT":
                due = "value"
        elif due == "null":
            due = "null" if word == "NOT" else "joiner"
        elif due == "value":
            if token != "(" or not listing:
                due = "more" if listing else "between" if ranging else "joiner"
        elif due == "more":
            due = "value" if token == "," else "joiner" if token == ")" else "more"
        elif due == "between":
            due, ranging = "value", False
        elif word in ("AND", "OR"):
            due = "name"
    return due, name


def _items(
    due: str, name: str, kinds: Mapping[str, str], seen: Mapping[str, Sequence[str]], now: datetime
) -> list[Suggestion]:
    kind = kinds.get(name, "Keyword")
    match due:
        case "name":
            return [Suggestion(f"{one} ", kinds[one]) for one in _by_use(kinds)]
        case "operator":
            return [Suggestion(f"{one} " if one[-1] != "(" else one) for one in _KIND_OPERATORS.get(kind, _ORDERED)]
        case "value":
            return _values(name, kind, seen, now)
        case "more":
            return [Suggestion(", "), Suggestion(") ")]
        case "null":
            return [Suggestion("NULL "), Suggestion("NOT NULL ")]
        case "between":
            return [Suggestion("AND ")]
        case _:
            return [Suggestion("AND "), Suggestion("OR ")]


_FIRST: Final = (
    "WorkflowType",
    "WorkflowId",
    "ExecutionStatus",
    "StartTime",
    "CloseTime",
    "TaskQueue",
    "ExecutionDuration",
)


def _by_use(kinds: Mapping[str, str]) -> list[str]:
    """Names that people ask for first; then those of their own, then the rest."""
    first = [name for name in _FIRST if name in kinds]
    rest = sorted((name for name in kinds if name not in first), key=lambda name: (name.startswith("Temporal"), name))
    return first + rest


def _values(name: str, kind: str, seen: Mapping[str, Sequence[str]], now: datetime) -> list[Suggestion]:
    if name == "ExecutionStatus":
        return [Suggestion(f"'{status.value}' ", status.label) for status in RUN_STATUSES]
    if name in seen:
        return [Suggestion(f"{quoted(value)} ") for value in seen[name]]
    if kind == "Datetime":
        ago = (("an hour ago", 1), ("a day ago", 24), ("a week ago", 168), ("30 days ago", 720))
        return [Suggestion(f"'{times.iso(now - timedelta(hours=hours))}' ", words) for words, hours in ago]
    if name == "ExecutionDuration":
        return [Suggestion(f"'{text}' ") for text in ("10s", "1m", "10m", "1h", "24h")]
    if kind == "Bool":
        return [Suggestion("true "), Suggestion("false ")]
    return []


def quoted(text: str) -> str:
    """The text as a string of a list filter."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
