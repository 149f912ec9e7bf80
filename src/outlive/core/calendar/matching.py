"""The times that a structured calendar stands for."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from temporalio.api.schedule.v1 import StructuredCalendarSpec

from outlive.core.calendar.fields import FIELD, values_of
from outlive.core.calendar.zones import Clock, Date, instant_of, local_time

_LAST_YEAR: Final = FIELD["year"].last
_HOUR: Final = 3_600
_END: Final = calendar.timegm((_LAST_YEAR + 1, 1, 3, 0, 0, 0))  # it is past the last year in all zones


@dataclass(frozen=True, slots=True)
class Calendar:
    """The values of each field, in order, and the zone whose clocks it means.

    A time matches if every field has its value: day of month and day of week both. No years means all.
    """

    zone: tzinfo
    years: tuple[int, ...]
    months: tuple[int, ...]
    days: tuple[int, ...]
    weekdays: tuple[int, ...]  # 0 is Sunday
    hours: tuple[int, ...]
    minutes: tuple[int, ...]
    seconds: tuple[int, ...]

    @classmethod
    def of(cls, spec: StructuredCalendarSpec, zone: tzinfo) -> Calendar:
        """The calendar of a checked spec."""
        return cls(
            zone,
            values_of(FIELD["year"], spec.year),
            values_of(FIELD["month"], spec.month),
            values_of(FIELD["day_of_month"], spec.day_of_month),
            values_of(FIELD["day_of_week"], spec.day_of_week),
            values_of(FIELD["hour"], spec.hour),
            values_of(FIELD["minute"], spec.minute),
            values_of(FIELD["second"], spec.second),
        )

    def matches(self, instant: int) -> bool:
        """Whether the local date and clock of an instant match."""
        at = local_time(self.zone, instant)
        return (
            at.second in self.seconds
            and at.minute in self.minutes
            and at.hour in self.hours
            and at.day in self.days
            and at.month in self.months
            and _weekday(at) in self.weekdays
            and (not self.years or at.year in self.years)
        )

    def end_of_match(self, instant: int) -> int:
        """The last of the instants from a matching one on that match as well, as far as is plain to see."""
        at = local_time(self.zone, instant)
        if len(self.seconds) < 60:
            return instant
        if len(self.minutes) < 60:
            return instant + 59 - at.second
        end_of_hour = instant + _HOUR - 1 - at.minute * 60 - at.second
        if len(self.hours) < 24:
            return end_of_hour
        return max(end_of_hour, instant_of(self.zone, (at.year, at.month, at.day), (24, 0, 0)) - 1)

    def next_after(self, instant: int) -> int | None:
        """The first match after an instant, None if there is none up to the end of 2100.

        Around changes of clocks it gives the times that Temporal gives, faults included: a clock that is
        skipped does not match; an hour that is shown twice matches twice in America, while in Europe some
        times between the two showings are passed over; and a day that begins with a skipped midnight counts
        as the weekday before, west of Greenwich.
        """
        if not (self.months and self.days and self.weekdays and self.hours and self.minutes and self.seconds):
            return None
        if instant > _END:
            return None
        start = local_time(self.zone, instant)
        repeated = local_time(self.zone, instant - _HOUR).hour == start.hour
        for date in self._dates(start):
            today = date == (start.year, start.month, start.day)
            for hour in self.hours:
                if today and hour < start.hour:
                    continue
                if today and hour == start.hour:
                    clocks = self._clocks(start.minute, start.second + 1)
                    found = self._in_hour(date, hour, clocks, second_pass=repeated)
                else:
                    found = self._in_hour(date, hour, self._clocks(0, 0), second_pass=False)
                if found is not None:
                    return found
                if not self._is_weekday(date, (hour + 1, 0, 0)):
                    break
        return None

    def _dates(self, start: datetime) -> Iterator[Date]:
        first = (start.year, start.month, start.day)
        for year in range(start.year, _LAST_YEAR + 1):
            if self.years and year not in self.years:
                continue
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self.days:
                    date = (year, month, day)
                    if date < first or day > calendar.monthrange(year, month)[1]:
                        continue
                    clock = (start.hour, start.minute, start.second) if date == first else (0, 0, 0)
                    if self._is_weekday(date, clock):
                        yield date

    def _is_weekday(self, date: Date, clock: Clock) -> bool:
        """By the instant that a clock of that day stands for; so a skipped midnight is of the day before."""
        if len(self.weekdays) == 7:
            return True
        return _weekday(local_time(self.zone, instant_of(self.zone, date, clock))) in self.weekdays

    def _in_hour(self, date: Date, hour: int, clocks: Iterator[tuple[int, int]], *, second_pass: bool) -> int | None:
        """The first match among some clocks (minute, second) of an hour, or in its second showing."""
        for minute, second in clocks:
            instant = instant_of(self.zone, date, (hour, minute, second))
            if local_time(self.zone, instant).hour != hour:
                return None  # the hour is skipped
            return instant + _HOUR if second_pass else instant
        if second_pass:
            return None
        whole = instant_of(self.zone, date, (hour, 0, 0))
        following = instant_of(self.zone, date, (hour + 1, 0, 0))
        if following - whole <= _HOUR:
            return None
        return self._in_hour(date, hour, self._clocks(0, 0), second_pass=True)

    def _clocks(self, minute: int, second: int) -> Iterator[tuple[int, int]]:
        """Matching minutes and seconds of an hour, from one on."""
        for each in self.minutes:
            if each == minute:
                yield from ((each, s) for s in self.seconds if s >= second)
            elif each > minute:
                yield from ((each, s) for s in self.seconds)


def _weekday(at: datetime) -> int:
    return at.isoweekday() % 7
