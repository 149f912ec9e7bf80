"""Cron strings of workflows (`cron_schedule` of StartWorkflowExecution and its kin).

Not those of schedules, which are another language (`outlive.core.calendar`): here Sunday is 0 only, there
are five fields and no comments, and if day of month and day of week are both given, either will do.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, tzinfo
from typing import Final, NamedTuple

from outlive.core.calendar.durations import parse_duration
from outlive.core.calendar.zones import UnknownZone, instant_of, load_zone, local_time
from outlive.errors import InvalidArgument

_SECOND: Final = 1_000_000_000
_MINUTE_S: Final = 60
_SEARCH_YEARS: Final = 9  # 29 February comes within eight
_SHORTHANDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class _Bounds(NamedTuple):
    title: str
    first: int
    last: int
    names: tuple[str, ...] = ()


_FIELDS: Final = (
    _Bounds("minute", 0, 59),
    _Bounds("hour", 0, 23),
    _Bounds("day of month", 1, 31),
    _Bounds("month", 1, 12, _MONTHS),
    _Bounds("day of week", 0, 6, _DAYS),
)


class _Field(NamedTuple):
    values: frozenset[int]
    is_star: bool  # it has a `*` or `?` without a step


@dataclass(frozen=True, slots=True)
class Cron:
    """When a cron string fires: at times of a calendar in a zone, or every so often."""

    every: int  # nanoseconds, in whole seconds; 0: by the calendar
    zone: tzinfo = UTC
    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()  # 0 is Sunday
    either_day: bool = False  # day of month or day of week, not both

    def next_after(self, after: int) -> int | None:
        """The first time later than `after`, both in nanoseconds since the epoch; None if there is none.

        Of `@every`, that much later, in whole seconds. Of a calendar, the first instant at which clocks in
        the zone show a match: a clock that is skipped does not match, one that is shown twice does so twice.
        """
        if self.every:
            return after // _SECOND * _SECOND + self.every
        at = (after // (_MINUTE_S * _SECOND) + 1) * _MINUTE_S
        local = local_time(self.zone, at)
        last_year = local.year + _SEARCH_YEARS
        while local.year <= last_year:
            if local.month not in self.months:
                at = self._begin_of_day(at, local.year + local.month // 12, local.month % 12 + 1, 1)
            elif not self._is_day(local.year, local.month, local.day):
                at = self._begin_of_day(at, local.year, local.month, local.day + 1)
            elif local.hour not in self.hours:
                at += (60 - local.minute) * _MINUTE_S
            elif local.minute not in self.minutes:
                at += _MINUTE_S
            else:
                return at * _SECOND
            local = local_time(self.zone, at)
        return None

    def _is_day(self, year: int, month: int, day: int) -> bool:
        in_month = day in self.days
        in_week = (calendar.weekday(year, month, day) + 1) % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week

    def _begin_of_day(self, after: int, year: int, month: int, day: int) -> int:
        """The begin of a local day, or an hour later than `after` if clocks skip it."""
        begin = instant_of(self.zone, (year, month, day), (0, 0, 0))
        return begin if begin > after else after + 60 * _MINUTE_S


def parse_cron(text: str) -> Cron:
    """Read a cron string. Raises InvalidArgument if it is none, or can never fire."""
    line, zone = text, ""
    if text.startswith(("TZ=", "CRON_TZ=")):
        head, space, line = text.partition(" ")
        if not space:
            raise _bad(text, "nothing follows the time zone")
        zone, line = head.partition("=")[2], line.strip()
    if line.startswith("@every "):
        return Cron(_every(text, line.removeprefix("@every ")))
    parts = _SHORTHANDS.get(line, line).split()
    if len(parts) != len(_FIELDS):
        raise _bad(text, "it needs five fields, or @daily and its like, or @every 1h")
    fields = [_parse_field(text, bounds, part) for bounds, part in zip(_FIELDS, parts, strict=True)]
    minutes, hours, days, months, weekdays = (field.values for field in fields)
    either_day = not fields[2].is_star and not fields[4].is_star
    if not (minutes and hours and _has_a_day(days, months, weekdays, either_day)):
        raise _bad(text, "no time can be found to satisfy the schedule")
    try:
        loaded = load_zone(zone)
    except UnknownZone as unknown:
        raise _bad(text, str(unknown)) from None
    return Cron(0, loaded, minutes, hours, days, months, weekdays, either_day)


def _bad(text: str, reason: str) -> InvalidArgument:
    shown = text if len(text) <= 100 else text[:97] + "..."
    return InvalidArgument(f"invalid CronSchedule {shown!r}: {reason}")


def _every(text: str, span: str) -> int:
    """Nanoseconds of `@every`: whole seconds, and one at least."""
    nanoseconds = parse_duration(span, days=False)
    if nanoseconds is None:
        raise _bad(text, f"{span!r} is no duration; write 90s or 1h30m")
    return max(nanoseconds // _SECOND, 1) * _SECOND


def _parse_field(text: str, bounds: _Bounds, field: str) -> _Field:
    values: set[int] = set()
    is_star = False
    for part in filter(None, field.split(",")):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        step = _number(step_text) if slash else 1
        if first_text in ("*", "?"):
            first, last = bounds.first, bounds.last
            is_star |= step == 1
        else:
            first = _value(bounds, first_text)
            last = _value(bounds, last_text) if dash else bounds.last if slash else first
        if step < 1 or not bounds.first <= first <= last <= bounds.last:
            raise _bad(text, f"{part!r} is no {bounds.title}: {bounds.first} to {bounds.last}")
        values.update(range(first, last + 1, step))
    return _Field(frozenset(values), is_star)


def _value(bounds: _Bounds, text: str) -> int:
    """A number or a name; -1 if it is neither."""
    if text.lower() in bounds.names:
        return bounds.first + bounds.names.index(text.lower())
    return _number(text)


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"\+?\d{1,9}", text, re.ASCII) else -1


def _has_a_day(days: frozenset[int], months: frozenset[int], weekdays: frozenset[int], either_day: bool) -> bool:
    """Whether any day of any year matches."""
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    in_month = any(day <= longest[month - 1] for month in months for day in days)
    in_week = bool(months and weekdays)
    return in_month or in_week if either_day else in_month and in_week
