"""The times that a structured calendar stands for."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Final

from temporalio.api.schedule.v1 import StructuredCalendarSpec

from outlive.core.calendar.fields import FIELD, values_of
from outlive.core.calendar.zones import instant_of, local_time

_LAST_YEAR: Final = FIELD["year"].last
_HOUR: Final = 3_600


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

    def next_after(self, instant: int) -> int | None:
        """The first match after an instant, None if there is none up to the end of 2100.

        Around a change of clocks: a clock that is skipped does not match. In an hour that clocks show
        twice, each showing matches, provided that the zone's whole hours are two hours of time apart there.
        """
        if not (self.months and self.days and self.weekdays and self.hours and self.minutes and self.seconds):
            return None
        start = local_time(self.zone, instant)
        repeated = local_time(self.zone, instant - _HOUR).hour == start.hour
        for year, month, day in self._dates(start):
            today = (year, month, day) == (start.year, start.month, start.day)
            for hour in self.hours:
                if today and hour < start.hour:
                    continue
                if today and hour == start.hour:
                    clocks = self._clocks(start.minute, start.second + 1)
                    found = self._in_hour(year, month, day, hour, clocks, second_pass=repeated)
                else:
                    found = self._in_hour(year, month, day, hour, self._clocks(0, 0), second_pass=False)
                if found is not None:
                    return found
        return None

    def _dates(self, start: datetime) -> Iterator[tuple[int, int, int]]:
        for year in range(start.year, _LAST_YEAR + 1):
            if self.years and year not in self.years:
                continue
            for month in self.months:
                if (year, month) < (start.year, start.month):
                    continue
                for day in self.days:
                    if (year, month, day) < (start.year, start.month, start.day):
                        continue
                    if day <= calendar.monthrange(year, month)[1] and self._is_weekday(
                        year, month, day, start
                    ):
                        yield year, month, day

    def _is_weekday(self, year: int, month: int, day: int, start: datetime) -> bool:
        if len(self.weekdays) == 7:
            return True
        return (calendar.weekday(year, month, day) + 1) % 7 in self.weekdays

    def _in_hour(
        self,
        year: int,
        month: int,
        day: int,
        hour: int,
        clocks: Iterator[tuple[int, int]],
        *,
        second_pass: bool,
    ) -> int | None:
        """The first match among some clocks (minute, second) of an hour, or in its second showing."""
        for minute, second in clocks:
            instant = instant_of(self.zone, year, month, day, hour, minute, second)
            if local_time(self.zone, instant).hour != hour:
                return None  # the hour is skipped
            return instant + _HOUR if second_pass else instant
        if second_pass:
            return None
        whole = instant_of(self.zone, year, month, day, hour, 0, 0)
        following = instant_of(self.zone, year, month, day, hour + 1, 0, 0)
        if following - whole <= _HOUR:
            return None
        return self._in_hour(year, month, day, hour, self._clocks(0, 0), second_pass=True)

    def _clocks(self, minute: int, second: int) -> Iterator[tuple[int, int]]:
        """Matching minutes and seconds of an hour, from one on."""
        for each in self.minutes:
            if each == minute:
                yield from ((each, s) for s in self.seconds if s >= second)
            elif each > minute:
                yield from ((each, s) for s in self.seconds)


def _weekday(at: datetime) -> int:
    return at.isoweekday() % 7
