"""Schedule specs: canonical forms, what is refused, and the times that they stand for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st
from temporalio.api.schedule.v1 import Range, ScheduleSpec, StructuredCalendarSpec

from outlive.core.calendar import MATCHING_TIMES_MAX, CompiledSpec, compile_spec
from outlive.core.calendar.matching import Calendar
from outlive.errors import InvalidArgument

SECOND = 1_000_000_000
HOUR = 3600 * SECOND
EVERY_DAY = {
    "second": [{}],
    "minute": [{}],
    "hour": [{}],
    "day_of_month": [{"start": 1, "end": 31}],
    "month": [{"start": 1, "end": 12}],
    "day_of_week": [{"end": 6}],
}
ALWAYS = EVERY_DAY | {"second": [{"end": 59}], "minute": [{"end": 59}], "hour": [{"end": 23}]}


def compiled(**spec: Any) -> CompiledSpec:
    return compile_spec(json_format.ParseDict(spec, ScheduleSpec()))


def cron(*lines: str, **spec: Any) -> CompiledSpec:
    return compiled(cron_string=list(lines), **spec)


def ns(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000) * 1_000_000


def times(spec: CompiledSpec, start: str, end: str) -> list[str]:
    """Matching times in UTC, to the minute (and the second if there is one)."""
    shown = []
    for time in spec.matching_times(ns(start), ns(end), "seed"):
        text = datetime.fromtimestamp(time // SECOND, UTC).strftime("%m-%d %H:%M:%S")
        shown.append(text.removesuffix(":00"))
    return shown


# ---- canonical forms ----


def ranges(made: Any) -> list[tuple[int, int, int]]:
    return [(each.start, each.end, each.step) for each in made]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("*", [(0, 6, 1)]),
        ("0-7", [(0, 6, 1)]),
        ("1-7", [(0, 6, 1)]),
        ("7", [(0, 0, 1)]),
        ("7/2", [(0, 0, 1)]),
        ("5-7", [(0, 0, 1), (5, 6, 1)]),
        ("3,5-7", [(3, 3, 1), (0, 0, 1), (5, 6, 1)]),
        ("*/2", [(0, 6, 2)]),
        ("*/7", [(0, 0, 1), (0, 6, 7)]),
        ("1-7/3", [(0, 0, 1), (1, 6, 3)]),
        ("4-7/2", [(4, 6, 2)]),
        ("6/1", [(0, 0, 1), (6, 6, 1)]),
        ("mon-wed/2,fri", [(1, 3, 2), (5, 5, 1)]),
        ("SUND", [(0, 0, 1)]),
        ("su-tu", [(0, 2, 1)]),
    ],
)
def test_days_of_the_week(text: str, expected: list[tuple[int, int, int]]) -> None:
    assert ranges(cron(f"0 0 * * {text}").canonical.structured_calendar[0].day_of_week) == expected


@pytest.mark.parametrize(
    ("line", "comment", "zone"),
    [
        ("0 9 * * *", "", ""),
        ("0 9 * * * # a # b ", "a # b", ""),
        ("0 9 * * *#", "", ""),
        ("@daily#c", "c", ""),
        (" CRON_TZ=UTC 0 9 * * *", "", "UTC"),
        ("TZ=Europe/Berlin  0 9 * * * # x", "x", "Europe/Berlin"),
        ("CRON_TZ= 0 9 * * *", "", ""),
        ("0\t9\n* * *", "", ""),
    ],
)
def test_cron_lines(line: str, comment: str, zone: str) -> None:
    canonical = cron(line).canonical
    (calendar,) = canonical.structured_calendar
    assert (calendar.comment, canonical.timezone_name) == (comment, zone)
    assert not canonical.cron_string


@pytest.mark.parametrize(
    ("fields", "attribute", "expected"),
    [
        ("+5 9 * * *", "minute", [(5, 5, 1)]),
        ("05 009 * * *", "hour", [(9, 9, 1)]),
        ("5,*/20 9 * * *", "minute", [(5, 5, 1), (0, 59, 20)]),
        ("59/7 9 * * *", "minute", [(59, 59, 7)]),
        ("0 0 * sept-dec *", "month", [(9, 12, 1)]),
        ("0 0 1 1 * *", "year", []),
        ("0 0 1 1 * */2", "year", [(2000, 2100, 2)]),
        ("0 0 1 1 * 2026/2", "year", [(2026, 2100, 2)]),
        ("15 0 0 1 1 * 2026", "second", [(15, 15, 1)]),
    ],
)
def test_cron_fields(fields: str, attribute: str, expected: list[tuple[int, int, int]]) -> None:
    assert ranges(getattr(cron(fields).canonical.structured_calendar[0], attribute)) == expected


@pytest.mark.parametrize(
    ("line", "interval", "phase"),
    [
        ("@every 90m", 5400, 0),
        ("@every 1d12h", 129_600, 0),
        ("@every 1.5h", 5400, 0),
        (" @every 1h/15m # c", 3600, 900),
        ("@every 1h/", 3600, 0),
        ("@everyone 1h", 3600, 0),
        ("CRON_TZ=Nowhere/City @every 1h", 3600, 0),
    ],
)
def test_cron_intervals(line: str, interval: int, phase: int) -> None:
    (made,) = cron(line).canonical.interval
    assert (made.interval.seconds, made.phase.seconds) == (interval, phase)
    assert made.HasField("phase") == bool(phase)


def test_the_canonical_form_is_its_own() -> None:
    spec = compiled(
        structured_calendar=[EVERY_DAY | {"hour": [{"start": 9}], "comment": "nine"}],
        calendar=[{"hour": "10", "day_of_week": "fri-7"}],
        exclude_calendar=[{"month": "may"}],
        exclude_structured_calendar=[{"hour": [{"start": 25}]}],
        cron_string=["CRON_TZ=Europe/Berlin 0 11 * * *"],
        interval=[{"interval": "60s", "phase": "5s"}],
        jitter="5s",
        start_time="2026-01-01T00:00:00Z",
    )
    again = compile_spec(spec.canonical)
    assert again.canonical == spec.canonical
    assert len(spec.canonical.structured_calendar) == 3
    assert not spec.canonical.calendar
    assert not spec.canonical.exclude_calendar


# ---- what is refused ----


@pytest.mark.parametrize(
    "line",
    [
        *(
            "",
            "# c",
            "* * * *",
            "* * * * * * * *",
            "@reboot",
            "@HOURLY",
            "not a cron",
            "CRON_TZ=UTC",
            "CRON_TZ=UTC # c",
        ),
        *(
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 13 *",
            "* * * mayo *",
            "* * * * 8",
            "* * * * s",
        ),
        *(
            "*/0 * * * *",
            "*/-1 * * * *",
            "5/ * * * *",
            "/5 * * * *",
            "1/2/3 * * * *",
            "1-2-3 * * * *",
            "5-1 * * * *",
        ),
        *(
            "-5 * * * *",
            "5- * * * *",
            "1,,2 * * * *",
            ", * * * *",
            "? * * * *",
            "5.0 * * * *",
            "٣ * * * *",
            "L * * * *",
        ),
        *(
            "0 0 * * fri-sun",
            "0 0 1 1 * 1999",
            "0 0 1 1 * 2101",
            "CRON_TZ=UTC\t0 9 * * *",
            "0 9 * * * # " + "c" * 201,
        ),
        *(
            "@every",
            "@every/1h",
            "@every\t1h",
            "@every  1h",
            "@every 10",
            "@every 0",
            "@every 500ms",
            "@every -1h",
        ),
        *(
            "@every 1h/ 5m",
            "@every 1h/1h",
            "@every 1h/-1m",
            "@every 1h/5m/1m",
            "@every 1h 5m",
            "@every 3000000h",
        ),
        *("CRON_TZ=Nowhere/City 0 9 * * *", "TZ=america/new_york\0 0 9 * * *", "TZ=../UTC 0 9 * * *"),
    ],
)
def test_refused_lines(line: str) -> None:
    with pytest.raises(InvalidArgument, match="Invalid schedule spec: "):
        cron(line)


@pytest.mark.parametrize(
    "spec",
    [
        {"cron_string": ["CRON_TZ=UTC 0 0 * * *", "0 0 * * *"]},
        {"cron_string": ["CRON_TZ=UTC 0 0 * * *"], "timezone_name": "EST"},
        {"cron_string": ["CRON_TZ=UTC 0 0 * * *"], "timezone_data": "AAAA"},
        {"timezone_name": "CEST"},
        {"timezone_name": "+02:00"},
        {"timezone_name": "America"},
        {"timezone_name": "/etc/localtime"},
        {"timezone_data": "bm9uc2Vuc2U="},
        {"timezone_data": "VFppZg=="},
        {"calendar": [{"hour": "25"}]},
        {"calendar": [{"comment": "ü" * 101}]},
        {"exclude_calendar": [{"hour": "25"}]},
        {"structured_calendar": [{"hour": [{"start": 24}]}]},
        {"structured_calendar": [{"hour": [{"start": 9, "end": 24}]}]},
        {"structured_calendar": [{"hour": [{"start": 9, "end": 8}]}]},
        {"structured_calendar": [{"hour": [{"start": 9, "step": -1}]}]},
        {"structured_calendar": [{"day_of_week": [{"start": 7}]}]},
        {"exclude_structured_calendar": [{"hour": [{"start": 9, "step": -1}]}]},
        {"interval": [{}]},
        {"interval": [{"interval": "0.9s"}]},
        {"interval": [{"interval": "60s", "phase": "60s"}]},
        {"interval": [{"interval": "60s", "phase": "-1s"}]},
    ],
)
def test_refused_specs(spec: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument, match="Invalid schedule spec: "):
        compiled(**spec)


# ---- times ----


def test_calendars_intervals_and_exclusions_together() -> None:
    spec = compiled(
        cron_string=["30 12 * * *"],
        interval=[{"interval": "21600s"}],
        exclude_calendar=[{"hour": "18", "minute": "*"}],
    )
    assert times(spec, "2026-05-04T00:00Z", "2026-05-05T00:00Z") == [
        "05-04 06:00",
        "05-04 12:00",
        "05-04 12:30",
        "05-05 00:00",
    ]


def test_every_field_but_the_year_must_be_given() -> None:
    assert (
        times(compiled(structured_calendar=[{"hour": [{"start": 9}]}]), "2026-01-01T00:00Z", "2030-01-01T00:00Z") == []
    )
    assert compiled().next_time(0, "") is None


def test_a_month_without_the_day_is_passed_over() -> None:
    assert times(cron("0 0 31 * *"), "2026-01-31T00:00Z", "2026-06-01T00:00Z") == [
        "03-31 00:00",
        "05-31 00:00",
    ]
    assert times(cron("0 0 30 2 *"), "2026-01-01T00:00Z", "2099-01-01T00:00Z") == []
    assert len(times(cron("0 0 29 2 *"), "2026-01-01T00:00Z", "2100-12-31T00:00Z")) == 18


def test_start_and_end_are_within() -> None:
    spec = compiled(
        interval=[{"interval": "3600s"}], start_time="2026-05-04T10:00:00Z", end_time="2026-05-04T12:00:00Z"
    )
    assert times(spec, "2026-05-04T00:00Z", "2026-05-05T00:00Z") == [
        "05-04 10:00",
        "05-04 11:00",
        "05-04 12:00",
    ]


def test_a_start_within_a_second_takes_the_whole_second() -> None:
    spec = compiled(interval=[{"interval": "3600s"}], start_time="2026-05-04T10:00:00.5Z")
    assert times(spec, "2026-05-04T00:00Z", "2026-05-04T11:00Z") == ["05-04 10:00", "05-04 11:00"]


def test_windows_leave_out_their_start_and_take_their_end() -> None:
    spec = compiled(interval=[{"interval": "3600s"}])
    assert times(spec, "2026-05-04T10:00:00Z", "2026-05-04T11:00:00Z") == ["05-04 11:00"]
    assert times(spec, "2026-05-04T09:59:59.500Z", "2026-05-04T10:59:59.500Z") == ["05-04 10:00"]
    assert times(spec, "2026-05-04T11:00:00Z", "2026-05-04T10:00:00Z") == []
    assert times(spec, "1969-12-31T20:00:00Z", "1970-01-01T02:00:00Z") == ["01-01 01:00", "01-01 02:00"]
    assert len(spec.matching_times(0, 10**19, "")) == MATCHING_TIMES_MAX


def test_calendars_end_with_2100() -> None:
    assert times(cron("0 9 * * *"), "2100-12-30T12:00Z", "2110-01-01T00:00Z") == ["12-31 09:00"]


@pytest.mark.parametrize(
    ("zone", "line", "start", "end", "expected"),
    [
        (
            "America/New_York",
            "30 2 * * *",
            "2026-03-07T00:00Z",
            "2026-03-10T00:00Z",
            ["03-07 07:30", "03-09 06:30"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2026-11-01T00:00Z",
            "2026-11-02T00:00Z",
            ["11-01 05:30", "11-01 06:30"],
        ),
        (
            "America/New_York",
            "0 0-2 * * *",
            "2026-11-01T00:00Z",
            "2026-11-02T00:00Z",
            ["11-01 04:00", "11-01 05:00", "11-01 06:00", "11-01 07:00"],
        ),
        ("Europe/Berlin", "30 2 * * *", "2026-10-25T00:00Z", "2026-10-26T00:00Z", ["10-25 01:30"]),
        (
            "Europe/Berlin",
            "30 1 * * *",
            "2026-10-24T22:30Z",
            "2026-10-25T04:00Z",
            ["10-24 23:30", "10-25 00:30"],
        ),
        (
            "Europe/Berlin",
            "0 * * * *",
            "2026-10-24T22:30Z",
            "2026-10-25T03:00Z",
            ["10-24 23:00", "10-25 00:00", "10-25 02:00", "10-25 03:00"],
        ),
        ("Australia/Lord_Howe", "45 1 * * *", "2026-04-04T00:00Z", "2026-04-05T00:00Z", ["04-04 15:15"]),
        ("Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00Z", "2026-10-04T00:00Z", ["10-03 15:45"]),
        (
            "Africa/Cairo",
            "0 0 * * *",
            "2026-04-22T00:00Z",
            "2026-04-25T00:00Z",
            ["04-22 22:00", "04-24 21:00"],
        ),
        ("America/Santiago", "0 2 * * 0", "2026-09-04T00:00Z", "2026-09-08T00:00Z", []),
        (
            "America/Havana",
            "0 16 * * 6",
            "2026-03-07T00:00Z",
            "2026-03-09T00:00Z",
            ["03-07 21:00", "03-08 20:00"],
        ),
        ("America/Havana", "0 0,16 * * 6", "2026-03-07T12:00Z", "2026-03-09T00:00Z", ["03-07 21:00"]),
    ],
)
def test_changes_of_clocks(zone: str, line: str, start: str, end: str, expected: list[str]) -> None:
    """As recorded from Temporal's server."""
    assert times(cron(line, timezone_name=zone), start, end) == expected


def test_a_zone_of_the_clients_own() -> None:
    data = bytearray(b"TZif2" + bytes(15))
    for width in (4, 8):
        data += b"" if width == 4 else b"TZif2" + bytes(15)
        data += b"".join(n.to_bytes(4) for n in (0, 0, 0, 0, 1, 4)) + (5400).to_bytes(4) + b"\0\0ABC\0"
    spec = ScheduleSpec(cron_string=["0 9 * * *"], timezone_name="My/Zone", timezone_data=bytes(data) + b"\n\n")
    assert times(compile_spec(spec), "2026-05-04T00:00Z", "2026-05-05T00:00Z") == ["05-04 07:30"]


def test_everything_excluded() -> None:
    always = [ALWAYS]
    assert compiled(interval=[{"interval": "1s"}], exclude_structured_calendar=always).next_time(HOUR, "") is None
    spec = cron("0 9 * * *", exclude_structured_calendar=always)
    assert spec.next_time(HOUR, "") is None
    odd = ALWAYS | {"second": [{"start": 0, "end": 58, "step": 2}]}
    assert compiled(interval=[{"interval": "2s"}], exclude_structured_calendar=[odd]).next_time(HOUR, "") is None


def test_long_exclusions_are_passed_over() -> None:
    """A second a day, of all seconds: 86,399 of them are excluded in between."""
    but_noon = [
        ALWAYS | {"hour": [{"end": 11}, {"start": 13, "end": 23}]},
        ALWAYS | {"minute": [{"start": 1, "end": 59}]},
        ALWAYS | {"second": [{"start": 1, "end": 59}]},
    ]
    spec = compiled(interval=[{"interval": "1s"}], exclude_structured_calendar=but_noon)
    assert times(spec, "2026-05-04T00:00Z", "2026-05-06T00:00Z") == ["05-04 12:00", "05-05 12:00"]


def test_exclusions_far_out_of_bounds_cost_nothing() -> None:
    wide = ALWAYS | {"hour": [{"start": -(2**31), "end": 2**31 - 1, "step": 24}]}
    spec = cron("0 * * * *", exclude_structured_calendar=[wide])
    excluded = -(2**31) % 24
    assert f"05-04 {excluded:02}:00" not in times(spec, "2026-05-04T00:00Z", "2026-05-04T23:30Z")
    assert len(times(spec, "2026-05-04T00:00Z", "2026-05-05T00:00Z")) == 23


@pytest.mark.parametrize("start", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_the_ends_of_time(start: str) -> None:
    for zone in ("Pacific/Kiritimati", "Pacific/Pago_Pago", ""):
        spec = compiled(
            interval=[{"interval": "315576000000s"}],
            cron_string=["0 9 * * *"],
            start_time=start,
            timezone_name=zone,
            exclude_calendar=[{"hour": "5"}],
        )
        match = spec.next_time(0, "")
        assert match is None or Timestamp(seconds=match.actual // SECOND).ToJsonString()


# ---- jitter ----


def test_jitter_follows_from_time_and_seed() -> None:
    spec = compiled(interval=[{"interval": "3600s"}], jitter="600s")
    first, again, other = (spec.next_time(0, seed) for seed in ("a", "a", "b"))
    assert first == again != other
    offsets = {spec.next_time(hour * HOUR, "a").actual % HOUR for hour in range(1, 200)}  # type: ignore[union-attr]
    assert len(offsets) > 190
    assert max(offsets) < 600 * SECOND
    assert max(offsets) > 500 * SECOND
    assert min(offsets) < 100 * SECOND


@pytest.mark.parametrize(("jitter", "bound"), [("7200s", HOUR), ("0.5s", SECOND // 2), ("-5s", 1), ("0s", 1)])
def test_jitter_stays_before_the_next_time(jitter: str, bound: int) -> None:
    spec = compiled(interval=[{"interval": "3600s"}], jitter=jitter)
    for hour in range(1, 100):
        match = spec.next_time(hour * HOUR, "seed")
        assert match is not None
        assert match.nominal == (hour + 1) * HOUR
        assert 0 <= match.actual - match.nominal < bound


# ---- the same as looking at each second ----


def made_ranges(first: int, last: int) -> st.SearchStrategy[list[Range]]:
    number = st.integers(first, last)
    one = st.tuples(number, number, st.integers(0, 7)).map(lambda t: Range(start=min(t[:2]), end=max(t[:2]), step=t[2]))
    return st.lists(one, min_size=1, max_size=2)


calendars = st.builds(
    StructuredCalendarSpec,
    second=st.just([Range()]) | made_ranges(0, 59),
    minute=made_ranges(0, 59),
    hour=made_ranges(0, 23),
    day_of_month=st.just([Range(start=1, end=31)]) | made_ranges(1, 31),
    month=st.just([Range(start=1, end=12)]),
    day_of_week=st.just([Range(end=6)]) | made_ranges(0, 6),
)


@settings(max_examples=60, deadline=None)
@given(
    calendars,
    st.integers(1_750_000_000, 1_800_000_000),
    st.sampled_from(["UTC", "Asia/Kathmandu", "Asia/Tokyo"]),
)
def test_the_next_time_is_the_first_second_that_matches(spec: StructuredCalendarSpec, start: int, zone: str) -> None:
    calendar = Calendar.of(spec, ZoneInfo(zone))
    span = 2 * 3600
    expected = [t for t in range(start + 1, start + span + 1) if calendar.matches(t)]
    found, at = [], calendar.next_after(start)
    while at is not None and at <= start + span:
        found.append(at)
        at = calendar.next_after(at)
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(calendars, max_size=2),
    st.lists(st.tuples(st.integers(1, 10_000), st.integers(0, 9_999)), max_size=2),
    st.lists(calendars, max_size=1),
    st.integers(0, 1_800_000_000),
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe"]),
    st.integers(0, 100),
)
def test_times_increase(
    calendars: list[StructuredCalendarSpec],
    intervals: list[tuple[int, int]],
    excluded: list[StructuredCalendarSpec],
    start: int,
    zone: str,
    jitter: int,
) -> None:
    spec = ScheduleSpec(structured_calendar=calendars, exclude_structured_calendar=excluded, timezone_name=zone)
    for interval, phase in intervals:
        made = spec.interval.add()
        made.interval.FromSeconds(interval)
        made.phase.FromSeconds(phase % interval)
    spec.jitter.FromSeconds(jitter)
    compiled = compile_spec(spec)
    after = start * SECOND + 7
    for _ in range(20):
        match = compiled.next_time(after, "seed")
        if match is None:
            break
        assert match.nominal > after // SECOND * SECOND
        assert 0 <= match.actual - match.nominal <= jitter * SECOND
        instant = match.nominal // SECOND
        by_interval = any((instant - phase % i) % i == 0 for i, phase in intervals)
        assert by_interval or calendars
        assert not any(Calendar.of(each, ZoneInfo(zone)).matches(instant) for each in excluded)
        after = match.nominal
