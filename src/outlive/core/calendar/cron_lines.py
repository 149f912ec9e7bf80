"""Cron lines of schedules (`ScheduleSpec.cron_string`): calendars and intervals in another notation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from google.protobuf.duration_pb2 import Duration
from temporalio.api.schedule.v1 import CalendarSpec, IntervalSpec, StructuredCalendarSpec

from outlive.core.calendar.durations import parse_duration
from outlive.core.calendar.fields import FIELDS, BadSpec, parse_ranges

_SHORTHANDS: Final = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_FIELDS_OF_SEVEN: Final = ("second", "minute", "hour", "day_of_month", "month", "day_of_week", "year")


@dataclass(frozen=True, slots=True)
class CronLine:
    """What a line stands for: a calendar or an interval. `zone` is empty if the line has none."""

    calendar: StructuredCalendarSpec | None
    interval: IntervalSpec | None
    zone: str


def structured(spec: CalendarSpec) -> StructuredCalendarSpec:
    """A calendar of texts as one of ranges; what is not given is midnight, or every day. Raises BadSpec."""
    made = StructuredCalendarSpec(comment=spec.comment)
    for field in FIELDS:
        getattr(made, field.attribute).extend(parse_ranges(field, getattr(spec, field.attribute)))
    return made


def parse_cron_line(text: str) -> CronLine:
    """Five to seven fields, `@daily` and its kin, or `@every 1h/15m` (a phase may follow the slash).

    A zone may come first (`CRON_TZ=Europe/Berlin`) and a comment last (`# lunch`). Raises BadSpec.
    """
    line, _, comment = (part.strip() for part in text.partition("#"))
    zone = ""
    if line.startswith(("TZ=", "CRON_TZ=")):
        head, space, line = line.partition(" ")
        if not space:
            raise BadSpec(f"CronString has time zone but missing fields: {text!r}")
        zone, line = head.partition("=")[2], line.strip()
    if line.startswith("@every"):
        return CronLine(None, _interval(line), "")
    parts = _SHORTHANDS.get(line, line).split()
    if not 5 <= len(parts) <= 7:
        raise BadSpec(f"CronString does not have 5-7 fields: {text!r}")
    names = _FIELDS_OF_SEVEN if len(parts) == 7 else _FIELDS_OF_SEVEN[1 : len(parts) + 1]
    spec = CalendarSpec(comment=comment, **dict(zip(names, parts, strict=True)))
    return CronLine(structured(spec), None, zone)


def _interval(line: str) -> IntervalSpec:
    _, space, spans = line.partition(" ")
    if not space:
        raise BadSpec(f"CronString does not have interval after @every: {line!r}")
    interval, slash, phase = spans.partition("/")
    made = IntervalSpec(interval=_duration(interval))
    if slash and phase:
        made.phase.CopyFrom(_duration(phase))
    return made


def _duration(text: str) -> Duration:
    nanoseconds = parse_duration(text)
    if nanoseconds is None:
        raise BadSpec(f"invalid duration {text!r}; write 90s, 1h30m or 2d")
    duration = Duration()
    duration.FromNanoseconds(nanoseconds)
    return duration
