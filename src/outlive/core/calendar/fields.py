"""The fields of a calendar: their bounds, their names for values, and ranges written as text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from temporalio.api.schedule.v1 import Range

_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_DAYS: Final = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")


class BadSpec(Exception):
    """A spec that cannot be; the argument says why."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of ``temporal.api.schedule.v1.StructuredCalendarSpec`` and of ``CalendarSpec``.

    `names` stand for `first` and on, and may be cut down to `shortest` letters. Text may go up to
    `last_in_text`, which is above `last` for days of the week: there 7 is Sunday too.
    """

    attribute: str
    title: str
    first: int
    last: int
    default: str  # in text
    names: tuple[str, ...] = ()
    shortest: int = 0
    last_in_text: int = 0

    @property
    def text_end(self) -> int:
        return self.last_in_text or self.last


FIELDS: Final = (
    Field("second", "Second", 0, 59, "0"),
    Field("minute", "Minute", 0, 59, "0"),
    Field("hour", "Hour", 0, 23, "0"),
    Field("day_of_month", "DayOfMonth", 1, 31, "*"),
    Field("month", "Month", 1, 12, "*", _MONTHS, 3),
    Field("year", "Year", 2000, 2100, "*"),
    Field("day_of_week", "DayOfWeek", 0, 6, "*", _DAYS, 2, last_in_text=7),
)
FIELD: Final = {field.attribute: field for field in FIELDS}


def parse_ranges(field: Field, text: str) -> list[Range]:
    """The ranges that a text such as `1,5-10,20/5` or `mon-fri` stands for. Raises BadSpec."""
    text = text or field.default
    if field.attribute == "year" and text == "*":
        return []  # every year is what no year at all means
    return [made for part in text.split(",") for made in _parse_range(field, part)]


def _parse_range(field: Field, text: str) -> list[Range]:
    span, slash, step_text = text.partition("/")
    if "/" in step_text:
        raise BadSpec(f"{field.title} has too many slashes: {text!r}")
    if slash and not step_text:
        raise BadSpec(f"{field.title} missing step value: {text!r}")
    step = _integer(step_text) if slash else 1
    if step is None or step < 1:
        raise BadSpec(f"{field.title} has invalid Step: {text!r}")
    bounds = f"[{field.first}-{field.text_end}]"
    if span == "*":
        start, end = field.first, field.text_end
    elif "-" in span:
        first, last = _ends(field, span)
        start, end = _value(field, first), _value(field, last)
        if not field.first <= start <= field.text_end:
            raise BadSpec(f"{field.title} Start is not in range {bounds}: {span!r}")
        if not start <= end <= field.text_end:
            raise BadSpec(f"{field.title} End is before Start or not in range {bounds}: {span!r}")
    else:
        start = _value(field, span)
        if not field.first <= start <= field.text_end:
            raise BadSpec(f"{field.title} is not in range {bounds}: {span!r}")
        end = field.text_end if slash else start
    return _week(start, end, step) if field.last_in_text else [Range(start=start, end=end, step=step)]


def _ends(field: Field, span: str) -> tuple[str, str]:
    first, _, last = span.partition("-")
    if "-" in last:
        raise BadSpec(f"{field.title} has too many dashes: {span!r}")
    return first, last


def _week(start: int, end: int, step: int) -> list[Range]:
    """A range of days of the week, where 7 is Sunday, as ranges where it is not."""
    if end < 7:
        return [Range(start=start, end=end, step=step)]
    if start == 7:
        return [Range(start=0, end=0, step=1)]
    if step == 1 and start <= 1:
        return [Range(start=0, end=6, step=1)]
    days = Range(start=start, end=6, step=step)
    return [days] if (7 - start) % step else [Range(start=0, end=0, step=1), days]


def _value(field: Field, text: str) -> int:
    """A number or a name; -1 if it is neither."""
    if field.names and len(text) >= field.shortest:
        for place, name in enumerate(field.names):
            if name.startswith(text.lower()):
                return field.first + place
    number = _integer(text)
    return -1 if number is None else number


def _integer(text: str) -> int | None:
    return int(text) if re.fullmatch(r"[+-]?\d{1,9}", text, re.ASCII) else None


def with_defaults(made: Range) -> Range:
    """A range with its end and step written out, as DescribeSchedule shows it."""
    return Range(start=made.start, end=max(made.start, made.end), step=made.step or 1)


def check_ranges(field: Field, ranges: Iterable[Range]) -> None:
    """Raises BadSpec for a range that is not within the field's bounds."""
    bounds = f"[{field.first}-{field.last}]"
    for made in ranges:
        if not field.first <= made.start <= field.last:
            raise BadSpec(f"invalid calendar spec: {field.title} Start is not in range {bounds}: {made.start}")
        if made.end != 0 and not made.start <= made.end <= field.last:
            reason = f"{field.title} End is before Start or not in range {bounds}: {made.end}"
            raise BadSpec(f"invalid calendar spec: {reason}")
        if made.step < 0:
            raise BadSpec(f"invalid calendar spec: {field.title} has invalid Step: {made.step}")


def values_of(field: Field, ranges: Iterable[Range]) -> tuple[int, ...]:
    """All values of some ranges that the field can have, in order."""
    values: set[int] = set()
    for made in map(with_defaults, ranges):
        skipped = max(0, -((made.start - field.first) // made.step))  # steps that end before the field begins
        values.update(range(made.start + skipped * made.step, min(made.end, field.last) + 1, made.step))
    return tuple(sorted(values))
