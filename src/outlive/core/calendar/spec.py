"""Schedule specs: their canonical form, and the times that they stand for."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import tzinfo
from typing import Final

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.schedule.v1 import IntervalSpec, ScheduleSpec, StructuredCalendarSpec

from outlive.core.calendar.cron_lines import parse_cron_line, structured
from outlive.core.calendar.fields import FIELDS, BadSpec, check_ranges, with_defaults
from outlive.core.calendar.matching import Calendar
from outlive.core.calendar.zones import UnknownZone, load_zone, zone_of_data
from outlive.errors import InvalidArgument

COMMENT_MAX: Final = 200  # bytes
MATCHING_TIMES_MAX: Final = 1_000  # of one ListScheduleMatchingTimes
EXCLUDED_MAX: Final = 10_000  # excluded times (or whole minutes, hours, days of them) passed over for one match
_SECOND: Final = 1_000_000_000
_LATEST: Final = 253_370_764_800 * _SECOND  # the year 9999 in all zones: what messages and calendars can hold
_MILLISECOND: Final = 1_000_000
_JITTER_MAX: Final = 2**32 - 1  # milliseconds: 49 days


@dataclass(frozen=True, slots=True)
class Match:
    """A time of a schedule, in nanoseconds since the epoch: as the spec says it, and with its jitter."""

    nominal: int
    actual: int


@dataclass(frozen=True, slots=True)
class CompiledSpec:
    """A spec ready to be asked for times. `canonical` is what DescribeSchedule shows."""

    canonical: ScheduleSpec
    _calendars: tuple[Calendar, ...]
    _exclusions: tuple[Calendar, ...]
    _intervals: tuple[tuple[int, int], ...]  # seconds: interval, phase

    def next_time(self, after: int, seed: str) -> Match | None:
        """The first match after a time, None if there is none.

        The jitter follows from the nominal time and the seed alone, and never reaches the next nominal time.
        """
        start, end = self._start(), self._end()
        if after < start:
            after = start - _SECOND
        for _ in range(EXCLUDED_MAX):
            nominal = self._next_raw(after)
            if nominal is None or nominal > _LATEST or (end is not None and nominal > end):
                return None
            seconds = nominal // _SECOND
            excluding = [calendar for calendar in self._exclusions if calendar.matches(seconds)]
            if not excluding:
                return Match(nominal, nominal + self._jitter(nominal, seed))
            after = max(calendar.end_of_match(seconds) for calendar in excluding) * _SECOND
        return None

    def matching_times(self, start: int, end: int, seed: str) -> list[int]:
        """Actual times after `start`, up to and with `end`; at most MATCHING_TIMES_MAX."""
        times: list[int] = []
        while len(times) < MATCHING_TIMES_MAX:
            match = self.next_time(start, seed)
            if match is None or match.actual > end:
                break
            times.append(match.actual)
            start = match.nominal
        return times

    def _start(self) -> int:
        """The first time that may match, in whole seconds as all times are; never 1970 itself or before."""
        start = self.canonical.start_time
        return max(start.ToNanoseconds() // _SECOND * _SECOND, _SECOND)

    def _end(self) -> int | None:
        return self.canonical.end_time.ToNanoseconds() if self.canonical.HasField("end_time") else None

    def _next_raw(self, after: int) -> int | None:
        """The next time, be it excluded or not."""
        seconds = after // _SECOND
        times = [time for calendar in self._calendars if (time := calendar.next_after(seconds)) is not None]
        times += [((seconds - phase) // interval + 1) * interval + phase for interval, phase in self._intervals]
        return min(times) * _SECOND if times else None

    def _jitter(self, nominal: int, seed: str) -> int:
        longest = self.canonical.jitter.ToNanoseconds()
        if longest <= 0:
            return 0
        following = self._next_raw(nominal)
        if following is not None:
            longest = min(longest, following - nominal)
        digest = hashlib.blake2b(f"{nominal // _SECOND} {seed}".encode(), digest_size=4).digest()
        milliseconds = min(longest // _MILLISECOND, _JITTER_MAX)
        return (int.from_bytes(digest) * milliseconds >> 32) * _MILLISECOND


def compile_spec(spec: ScheduleSpec) -> CompiledSpec:
    """Check a schedule's spec. Raises InvalidArgument, which says what is wrong with it."""
    try:
        canonical = _canonical(spec)
        zone = _zone(canonical)
        for excluded in canonical.exclude_structured_calendar:
            _check_steps(excluded)
        return CompiledSpec(
            canonical,
            tuple(Calendar.of(each, zone) for each in canonical.structured_calendar),
            tuple(Calendar.of(each, zone) for each in canonical.exclude_structured_calendar),
            tuple(map(_seconds, canonical.interval)),
        )
    except (BadSpec, UnknownZone) as error:
        raise InvalidArgument(f"Invalid schedule spec: {error}") from None


def _canonical(spec: ScheduleSpec) -> ScheduleSpec:
    """Texts and cron lines as structured calendars and intervals, ranges with their ends and steps."""
    made = ScheduleSpec()
    made.CopyFrom(spec)
    made.structured_calendar.extend(structured(each) for each in spec.calendar)
    made.exclude_structured_calendar.extend(structured(each) for each in spec.exclude_calendar)
    zones = []
    for text in spec.cron_string:
        line = parse_cron_line(text)
        zones.append(line.zone)
        if line.calendar is not None:
            made.structured_calendar.append(line.calendar)
        if line.interval is not None:
            made.interval.append(line.interval)
    _adopt_zone(made, zones)
    for attribute in ("calendar", "exclude_calendar", "cron_string"):
        made.ClearField(attribute)
    for calendar in made.structured_calendar:
        _check_calendar(calendar)
    for interval in made.interval:
        _check_interval(interval)
    for name in ("start_time", "end_time"):
        _check_time(name, getattr(made, name))
    for calendar in (*made.structured_calendar, *made.exclude_structured_calendar):
        _write_defaults(calendar)
    return made


def _adopt_zone(spec: ScheduleSpec, zones: list[str]) -> None:
    """All cron lines must name the same zone, or none, and not another than the spec."""
    if any(zone != zones[0] for zone in zones):
        raise BadSpec(f"conflicting timezone names: {', '.join(dict.fromkeys(zone or 'none' for zone in zones))}")
    if not zones or not zones[0]:
        return
    if spec.timezone_data or spec.timezone_name not in ("", zones[0]):
        raise BadSpec(f"conflicting timezone names: {zones[0]} and {spec.timezone_name or 'timezone_data'}")
    spec.timezone_name = zones[0]


def _check_calendar(calendar: StructuredCalendarSpec) -> None:
    for field in FIELDS:
        check_ranges(field, getattr(calendar, field.attribute))
    if len(calendar.comment.encode()) > COMMENT_MAX:
        raise BadSpec(f"invalid calendar spec: comment is too long: more than {COMMENT_MAX} bytes")


def _check_steps(calendar: StructuredCalendarSpec) -> None:
    """Exclusions may be out of bounds, where nothing matches them, but a step back leads nowhere."""
    for field in FIELDS:
        for made in getattr(calendar, field.attribute):
            if made.step < 0:
                raise BadSpec(f"invalid calendar spec: {field.title} has invalid Step: {made.step}")


def _check_interval(spec: IntervalSpec) -> None:
    interval, phase = spec.interval.ToNanoseconds(), spec.phase.ToNanoseconds()
    if interval < _SECOND:
        raise BadSpec(f"interval is too small: {interval / _SECOND} s; the least is 1 s")
    if phase < 0:
        raise BadSpec(f"phase is negative: {phase / _SECOND} s")
    if phase >= interval:
        raise BadSpec(f"phase cannot be greater than Interval: {phase / _SECOND} s of {interval / _SECOND} s")


def _check_time(name: str, time: Timestamp) -> None:
    try:
        time.ToNanoseconds()
    except ValueError:
        raise BadSpec(f"{name} is not between the years 1 and 9999") from None


def _write_defaults(calendar: StructuredCalendarSpec) -> None:
    for field in FIELDS:
        ranges = getattr(calendar, field.attribute)
        written = [with_defaults(made) for made in ranges]
        del ranges[:]
        ranges.extend(written)


def _zone(spec: ScheduleSpec) -> tzinfo:
    if spec.timezone_data:
        return zone_of_data(spec.timezone_name, spec.timezone_data)
    return load_zone(spec.timezone_name)


def _seconds(spec: IntervalSpec) -> tuple[int, int]:
    return spec.interval.ToNanoseconds() // _SECOND, spec.phase.ToNanoseconds() // _SECOND
