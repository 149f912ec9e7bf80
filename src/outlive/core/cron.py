"""Cron strings of workflows: five fields, names, steps, `@daily` and its like, `@every`, a time zone.

A workflow's cron takes Sunday as 0 only. Both day of month and day of week must match where both are
given, unless one of them is `*`: then the other decides. (Schedules have calendars of their own.)
"""

from __future__ import annotations

import datetime
import re
import zoneinfo
from dataclasses import dataclass
from typing import Final

from outlive.errors import InvalidArgument
from outlive.limits import DAY, HOUR, MINUTE, MS, SECOND

_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_SHORT: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_UNITS: Final = {"ns": 1, "us": 1000, "µs": 1000, "ms": MS, "s": SECOND, "m": MINUTE, "h": HOUR}
_SEARCH_YEARS: Final = 5  # a slot further away than this does not exist: 29 February comes every four


@dataclass(frozen=True, slots=True)
class Cron:
    """When a cron string fires: at slots of a calendar, or every so often."""

    every: int  # nanoseconds; 0: by the calendar
    minutes: frozenset[int] = frozenset()
    hours: frozenset[int] = frozenset()
    days: frozenset[int] = frozenset()
    months: frozenset[int] = frozenset()
    weekdays: frozenset[int] = frozenset()  # 0 is Sunday
    any_day: bool = True  # the day of month is *
    any_weekday: bool = True
    zone: datetime.tzinfo = datetime.UTC

    def next_after(self, after: int) -> int | None:
        """The first slot later than `after` (nanoseconds since the epoch), or None if there is none."""
        if self.every:
            return after + self.every
        moment = datetime.datetime.fromtimestamp(after // SECOND, datetime.UTC).replace(second=0)
        day = (moment + datetime.timedelta(minutes=1)).astimezone(self.zone).date()
        last = day.replace(year=day.year + _SEARCH_YEARS, day=min(day.day, 28))
        while day <= last:
            if self._day_matches(day):
                slot = self._in_day(day, after)
                if slot is not None:
                    return slot
            day += datetime.timedelta(days=1)
        return None

    def _day_matches(self, day: datetime.date) -> bool:
        if day.month not in self.months:
            return False
        weekday = day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return weekday and day.day in self.days
        return weekday or day.day in self.days

    def _in_day(self, day: datetime.date, after: int) -> int | None:
        """The first slot of the day later than `after`. A local time that does not exist is left out."""
        found: list[int] = []
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                local = datetime.datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone)
                moment = local.astimezone(datetime.UTC)
                if moment.astimezone(self.zone).replace(tzinfo=None) != local.replace(tzinfo=None):
                    continue
                slot = int(moment.timestamp()) * SECOND
                if slot > after:
                    found.append(slot)
        return min(found, default=None)


def parse_cron(text: str) -> Cron:
    """Read a cron string. Raises InvalidArgument if it is none, or can never fire."""
    body, zone = _zone(text.strip())
    if body.startswith("@every "):
        return Cron(every=max(_duration(body.removeprefix("@every ").strip()), SECOND))
    fields = _SHORT.get(body.lower(), body).split()
    if len(fields) != 5:
        raise _bad(text)
    try:
        cron = Cron(
            every=0,
            minutes=_field(fields[0], 0, 59, ()),
            hours=_field(fields[1], 0, 23, ()),
            days=_field(fields[2], 1, 31, ()),
            months=_field(fields[3], 1, 12, _MONTHS),
            weekdays=_field(fields[4], 0, 6, _DAYS),
            any_day=fields[2] in ("*", "?"),
            any_weekday=fields[4] in ("*", "?"),
            zone=zone,
        )
    except ValueError:
        raise _bad(text) from None
    if cron.next_after(0) is None:
        raise _bad(text)
    return cron


def _bad(text: str) -> InvalidArgument:
    return InvalidArgument(f"invalid CronSchedule {text!r}: give minute, hour, day, month, weekday, or @every 1h")


def _zone(text: str) -> tuple[str, datetime.tzinfo]:
    match = re.match(r"(?:CRON_TZ|TZ)=(\S+)\s+(.*)", text)
    if match is None:
        return text, datetime.UTC
    try:
        return match[2], zoneinfo.ZoneInfo(match[1])
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise InvalidArgument(f"invalid CronSchedule {text!r}: unknown time zone {match[1]}") from None


def _duration(text: str) -> int:
    """A span such as 1h30m, in nanoseconds."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    parts = re.findall(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", rest)
    if rest != "0" and (not parts or "".join(a + b for a, b in parts) != rest):
        raise InvalidArgument(f"invalid CronSchedule: {text!r} is not a duration such as 1h30m")
    return sign * min(sum(int(float(number) * _UNITS[unit]) for number, unit in parts), 36_500 * DAY)


def _field(text: str, low: int, high: int, names: tuple[str, ...]) -> frozenset[int]:
    values: set[int] = set()
    for part in text.split(","):
        span, _, step_text = part.partition("/")
        step = int(step_text) if step_text else 1
        if span in ("*", "?"):
            first, last = low, high
        else:
            first_text, dash, last_text = span.partition("-")
            first = _number(first_text, low, names)
            last = _number(last_text, low, names) if dash else (high if step_text else first)
        if step < 1 or first < low or last > high or first > last:
            raise ValueError(part)
        values.update(range(first, last + 1, step))
    return frozenset(values)


def _number(text: str, low: int, names: tuple[str, ...]) -> int:
    if text.lower() in names:
        return names.index(text.lower()) + (1 if low == 1 else 0)
    if not text.isdigit():
        raise ValueError(text)
    return int(text)
