"""Kinds of values: how each is read from JSON or YAML, and how it is shown.

A reader raises ValueError with what the value should have been, to follow "takes".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from outlive.core.calendar.durations import parse_duration
from outlive.limits import SECOND

T = TypeVar("T")
_UNITS = ((3600 * SECOND, "h"), (60 * SECOND, "m"), (SECOND, "s"), (1_000_000, "ms"), (1, "ns"))


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How values of a key are read and shown."""

    name: str
    read: Callable[[object], T]
    show: Callable[[T], object]  # as JSON


@dataclass(frozen=True, slots=True)
class AddressRule:
    """Addresses that match `pattern`, a host with an optional port, in which * stands for anything."""

    pattern: str
    allow_insecure: bool  # plain http as well

    def allows(self, scheme: str, address: str) -> bool:
        """Whether a URL's scheme and its host with port are allowed."""
        return (self.allow_insecure or scheme == "https") and matches(self.pattern, address)


def matches(pattern: str, text: str) -> bool:
    """Whether the text is the pattern, in which * stands for anything."""
    return re.fullmatch(".*".join(re.escape(part) for part in pattern.split("*")), text, re.IGNORECASE) is not None


def _whole(value: object) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("a whole number from 0")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError("a number from 0")
    return float(value)


def _span(value: object) -> int:
    """Nanoseconds. A bare number counts seconds, as Temporal reads it."""
    duration: int | None = None
    if isinstance(value, str):
        duration = parse_duration(value)
    elif isinstance(value, int | float) and not isinstance(value, bool) and value < 10**9:
        duration = int(value * SECOND)
    if duration is None or duration < 0:
        raise ValueError("a duration such as 3m or 10s")
    return duration


def _shown_span(nanoseconds: int) -> str:
    for unit, name in _UNITS:
        if nanoseconds % unit == 0:
            return f"{nanoseconds // unit}{name}" if nanoseconds else "0s"
    raise AssertionError("a nanosecond divides everything")


def _switch(value: object) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not all(isinstance(each, str) for each in value):
        raise ValueError("a list of names")
    return tuple(value)


def _rules(value: object) -> tuple[AddressRule, ...]:
    problem = "a list of rules such as {Pattern: '*.example.com', AllowInsecure: false}"
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ValueError(problem)
    return tuple(_rule(each, problem) for each in value)


def _rule(value: object, problem: str) -> AddressRule:
    if not isinstance(value, Mapping):
        raise ValueError(problem)
    fields = {str(name).lower(): each for name, each in value.items()}
    pattern, insecure = fields.pop("pattern", None), fields.pop("allowinsecure", False)
    if not isinstance(pattern, str) or not pattern or not isinstance(insecure, bool) or fields:
        raise ValueError(problem)
    return AddressRule(pattern, insecure)


WHOLE: Kind[int] = Kind("whole number", _whole, lambda value: value)
NUMBER: Kind[float] = Kind("number", _number, lambda value: value)
SPAN: Kind[int] = Kind("duration", _span, _shown_span)
SWITCH: Kind[bool] = Kind("switch", _switch, lambda value: value)
NAMES: Kind[Sequence[str]] = Kind("names", _names, list)
RULES: Kind[Sequence[AddressRule]] = Kind(
    "address rules",
    _rules,
    lambda rules: [{"Pattern": rule.pattern, "AllowInsecure": rule.allow_insecure} for rule in rules],
)
