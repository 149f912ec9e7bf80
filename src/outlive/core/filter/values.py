"""A literal of a filter as a value of the attribute that it is compared with."""

from __future__ import annotations

import re
from typing import Final

from temporalio.api.enums.v1 import WorkflowExecutionStatus

from outlive.core.calendar.durations import parse_duration
from outlive.core.filter.nodes import Attribute, FilterValue
from outlive.core.visibility import (
    BOOL,
    DATETIME,
    DOUBLE,
    INT,
    INT64_MAX,
    TEXT,
    TYPE_NAMES,
    parse_datetime,
)

WORDS_MAX: Final = 1_000  # words to look for in a Text, of which a value has hardly more: its limit is 2 KiB
_STATUS_PREFIX: Final = "WORKFLOW_EXECUTION_STATUS_"


def _status_names() -> dict[str, int]:
    names = {}
    for long_name, number in WorkflowExecutionStatus.items():
        short_name = "".join(word.capitalize() for word in long_name.removeprefix(_STATUS_PREFIX).split("_"))
        names[short_name] = names[long_name] = int(number)
    return names


STATUS_NUMBERS: Final = _status_names()
"""Both spellings of each status, `TimedOut` and `WORKFLOW_EXECUTION_STATUS_TIMED_OUT`."""

STATUS_NAMES: Final = {n: name for name, n in STATUS_NUMBERS.items() if not name.startswith(_STATUS_PREFIX)}
"""Short names by number."""


class Mismatch(Exception):
    """The literal is no value of the attribute; the argument says why."""


def convert(attribute: Attribute, literal: FilterValue, *, status_is_text: bool) -> FilterValue:
    """The literal as a value of the attribute. Raises Mismatch."""
    if attribute.name == "ExecutionStatus" and not status_is_text:
        return _status(literal)
    if attribute.name == "ExecutionDuration":
        return _duration(literal)
    kind = attribute.kind
    if kind == BOOL:
        fits = isinstance(literal, bool)
    elif kind in (INT, DOUBLE):
        fits = isinstance(literal, int | float) and not isinstance(literal, bool)
    elif kind == DATETIME:
        return _datetime(attribute, literal)
    else:
        fits = isinstance(literal, str)
    if not fits:
        raise _mismatch(attribute, literal)
    if kind == TEXT:
        words = len(str(literal).split())
        if not 0 < words <= WORDS_MAX:
            number = "no words" if words == 0 else f"more than {WORDS_MAX} words"
            raise Mismatch(f"{number} to look for in {attribute.name}")
    return literal


def _mismatch(attribute: Attribute, literal: FilterValue) -> Mismatch:
    kind = TYPE_NAMES.get(attribute.kind, "known type")
    return Mismatch(f"{show(literal)} is no value for {attribute.name}, which is of type {kind}")


def show(literal: FilterValue) -> str:
    """A literal as a filter would write it."""
    if isinstance(literal, bool):
        return "true" if literal else "false"
    return f"'{literal}'" if isinstance(literal, str) else str(literal)


def _status(literal: FilterValue) -> int:
    if isinstance(literal, str) and literal in STATUS_NUMBERS:
        return STATUS_NUMBERS[literal]
    if isinstance(literal, int) and not isinstance(literal, bool) and literal in STATUS_NAMES:
        return literal
    names = ", ".join(STATUS_NAMES.values())
    raise Mismatch(f"invalid ExecutionStatus value {show(literal)}; it is one of {names}")


def _datetime(attribute: Attribute, literal: FilterValue) -> int:
    if isinstance(literal, str):
        value = parse_datetime(literal)
        if value is None:
            wanted = "a time such as '2026-01-31T09:00:00Z'"
            raise Mismatch(f"{attribute.name} needs {wanted}, not {show(literal)}")
        return value
    if isinstance(literal, bool) or not isinstance(literal, int):
        raise _mismatch(attribute, literal)
    return literal


_CLOCK = re.compile(r"\+?(\d+):([0-5]?\d):([0-5]?\d)(?:\.(\d+))?", re.ASCII)


def _duration(literal: FilterValue) -> int:
    """`1h30m`, `2d`, `01:30:00`, or nanoseconds as a number or digits."""
    value: int | None = None
    if isinstance(literal, str):
        value = _parse_duration(literal)
    elif isinstance(literal, int) and not isinstance(literal, bool):
        value = literal
    if value is None or abs(value) > INT64_MAX:
        raise Mismatch(f"ExecutionDuration needs a duration such as '1h30m', not {show(literal)}")
    return value


def _parse_duration(text: str) -> int | None:
    if re.fullmatch(r"[+-]?\d+", text, re.ASCII):
        return int(text) if len(text) <= 20 else None
    clock = _CLOCK.fullmatch(text)
    if clock is None:
        return parse_duration(text)
    seconds = int(clock[1][:12]) * 3600 + int(clock[2]) * 60 + int(clock[3])
    return seconds * 1_000_000_000 + int((clock[4] or "0")[:9].ljust(9, "0"))
