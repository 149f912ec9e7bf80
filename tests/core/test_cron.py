"""Cron strings of workflows: what is taken, and when they fire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core.cron import parse_cron
from outlive.errors import InvalidArgument

SECOND = 1_000_000_000


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * SECOND


def fires(cron: str, after: str, count: int) -> list[str]:
    """Times in UTC, minutes only."""
    parsed, at, times = parse_cron(cron), ns(after), []
    for _ in range(count):
        following = parsed.next_after(at)
        assert following is not None
        assert following > at
        at = following
        times.append(datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%d %H:%M"))
    return times


RECORDED_AT = 1_795_431_756_259_626_990  # Monday, 23 November 2026, 11:02:36 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("* * * * *", 24),
        (" *  *\t* * * ", 24),
        ("*/1 * * * *", 24),
        ("0 0 * * */2", 46_644),
        ("0 0 1 * */2", 46_644),
        ("0 0 */2 * 1", 133_044),
        ("0 0 1-31/2 * 1-5/2", 133_044),
        ("1,,2 * * * *", 3_504),
        ("1, * * * *", 3_504),
        ("*-5 * * * *", 24),
        ("?/5 * * * *", 144),
        ("+5 * * * *", 144),
        ("05 * * * *", 144),
        ("5/1 * * * *", 144),
        ("*/100 * * * *", 3_444),
        ("0 0 ? * ?", 46_644),
        ("0 0 * * Mon", 565_044),
        ("0 0 * * sun-sat", 46_644),
        ("0 0 * JAN-mar *", 3_329_844),
        ("0 0 29 2 *", 39_963_444),
        ("0 0 30 2 1", 6_008_244),
        ("0 0 30 2 */2", 6_094_644),
        ("0 0 ? 1 1", 3_589_044),
        ("0 12 13 * 5", 349_044),
        ("CRON_TZ=UTC  0 9 * * *", 79_044),
        ("TZ= 0 9 * * *", 79_044),
        ("TZ=Local 0 9 * * *", 79_044),
        ("TZ=EST 0 9 * * *", 10_644),
        ("TZ=America/New_York 30 2 8 3 *", 9_059_244),
        ("CRON_TZ=America/New_York @daily", 64_644),
        ("@hourly", 3_444),
        ("@daily", 46_644),
        ("@midnight", 46_644),
        ("@weekly", 478_644),
        ("@monthly", 651_444),
        ("@yearly", 3_329_844),
        ("@annually", 3_329_844),
        ("@every 1h", 3_600),
        ("CRON_TZ=UTC @every 1h", 3_600),
        ("@every 1.5h", 5_400),
        ("@every 1500ms", 1),
        ("@every 0", 1),
        ("@every 0s", 1),
        ("@every -1h", 1),
    ],
)
def test_the_wait_that_temporal_gave(text: str, seconds: int) -> None:
    """Recorded as first_workflow_task_backoff of a run that started then: whole seconds, rounded up."""
    following = parse_cron(text).next_after(RECORDED_AT)
    assert following is not None
    assert -(-(following - RECORDED_AT) // SECOND) == seconds


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "not a cron",
            "* * * *",
            "* * * * * *",
            "@reboot",
            "@Hourly",
            "@hourly ",
            " @hourly",
            "@daily # c",
        ),
        *(
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "* * 32 * *",
            "* * * 0 *",
            "* * * 13 *",
            "* * * * 7",
            "* * * * 8",
        ),
        *(
            "5-1 * * * *",
            "-5 * * * *",
            "5- * * * *",
            "1-5-7 * * * *",
            "1/2/3 * * * *",
            "*/0 * * * *",
            "*/-1 * * * *",
        ),
        *(
            "*/ * * * *",
            "/5 * * * *",
            "L * * * *",
            "1.5 * * * *",
            "١ * * * *",
            "99999999999999999999 * * * *",
        ),
        *(
            "0 0 * * 0-7",
            "0 0 * * sat-sun",
            "0 0 * * MONDAY",
            "0 0 * january *",
            "0 0 * * 1#1",
            "0 9 * * * # c",
        ),
        *("@every", "@every 1d", "@every  1h", "@every 1h ", "@every 1h/15m", "@every 10", "@every 3000000h"),
        *(
            "CRON_TZ=Nowhere/City 0 9 * * *",
            "CRON_TZ=UTC",
            " CRON_TZ=UTC 0 9 * * *",
            "CRON_TZ=UTC\t0 9 * * *",
        ),
        *("TZ=../UTC 0 9 * * *", "TZ=/etc/localtime 0 9 * * *", "x" * 5000),
    ],
)
def test_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="invalid CronSchedule"):
        parse_cron(text)


@pytest.mark.parametrize("text", ["0 0 30 2 *", "0 0 31 2,4,6,9,11 *", ", * * * *", "* , * * *"])
def test_what_never_fires_is_refused(text: str) -> None:
    with pytest.raises(InvalidArgument, match="no time can be found"):
        parse_cron(text)


def test_every_counts_from_the_time_before_in_whole_seconds() -> None:
    cron = parse_cron("@every 90s")
    assert cron.next_after(5 * SECOND + 1) == 95 * SECOND
    assert cron.next_after(95 * SECOND) == 185 * SECOND


def test_leap_days_over_a_century_that_is_none() -> None:
    assert fires("0 0 29 2 *", "2095-01-01T00:00+00:00", 2) == ["2096-02-29 00:00", "2104-02-29 00:00"]


@pytest.mark.parametrize(
    ("cron", "after", "times"),
    [
        # New York: forward on 8 March, 2:00 to 3:00; back on 1 November, 2:00 to 1:00
        ("30 2 * * *", "2026-03-07T06:00-05:00", ["2026-03-09 06:30"]),
        ("0 * * * *", "2026-03-08T01:30-05:00", ["2026-03-08 07:00", "2026-03-08 08:00"]),
        (
            "30 1 * * *",
            "2026-11-01T00:00-04:00",
            ["2026-11-01 05:30", "2026-11-01 06:30", "2026-11-02 06:30"],
        ),
        ("0 2 * * *", "2026-11-01T00:00-04:00", ["2026-11-01 07:00"]),
        (
            "*/30 * * * *",
            "2026-11-01T01:00-04:00",
            ["2026-11-01 05:30", "2026-11-01 06:00", "2026-11-01 06:30"],
        ),
    ],
)
def test_changes_of_clocks(cron: str, after: str, times: list[str]) -> None:
    assert fires(f"CRON_TZ=America/New_York {cron}", after, len(times)) == times


@pytest.mark.parametrize(
    ("zone", "cron", "after", "times"),
    [
        ("Europe/Berlin", "30 2 * * *", "2026-10-24T12:00+02:00", ["2026-10-25 00:30", "2026-10-25 01:30"]),
        (
            "America/Havana",
            "0 0 * * *",
            "2026-03-07T12:00-05:00",
            ["2026-03-09 04:00"],
        ),  # midnight is skipped
        ("America/Havana", "0 9 * * 0", "2026-03-07T12:00-05:00", ["2026-03-08 13:00"]),
        ("Africa/Cairo", "0 0 24 4 *", "2026-04-01T00:00+00:00", ["2027-04-23 22:00"]),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2026-04-04T12:00+00:00",
            ["2026-04-04 14:45", "2026-04-04 15:15"],
        ),
        ("Asia/Kathmandu", "0 6 * * *", "2026-05-04T00:00+00:00", ["2026-05-04 00:15"]),
        ("Pacific/Kiritimati", "0 0 1 * *", "2026-05-04T00:00+00:00", ["2026-05-31 10:00"]),
    ],
)
def test_other_zones(zone: str, cron: str, after: str, times: list[str]) -> None:
    assert fires(f"TZ={zone} {cron}", after, len(times)) == times


def field(first: int, last: int) -> st.SearchStrategy[str]:
    number = st.integers(first, last)
    span = st.tuples(number, number).map(lambda ends: f"{min(ends)}-{max(ends)}")
    stepped = st.tuples(st.one_of(span, st.just("*")), st.integers(2, 9)).map(lambda both: f"{both[0]}/{both[1]}")
    return st.lists(st.one_of(number.map(str), span, stepped, st.just("*")), min_size=1, max_size=2).map(",".join)


crons = st.tuples(field(0, 59), field(0, 23), st.just("*") | field(1, 31), st.just("*"), st.just("*") | field(0, 6))


@settings(max_examples=80, deadline=None)
@given(
    crons.map(" ".join),
    st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kathmandu", "America/Havana"]),
    st.sampled_from(["2026-03-07", "2026-03-28", "2026-10-24", "2026-10-31", "2026-12-31"]),
    st.integers(0, 86_399),
)
def test_the_next_time_is_the_first_minute_that_matches(cron: str, zone: str, day: str, second: int) -> None:
    parsed = parse_cron(f"CRON_TZ={zone} {cron}")
    start = ns(f"{day}T00:00+00:00") + second * SECOND
    end = start + 3 * 86_400 * SECOND
    expected, at = [], (start // (60 * SECOND) + 1) * 60 * SECOND
    while at <= end:
        local = datetime.fromtimestamp(at // SECOND, ZoneInfo(zone))
        if matches(cron, local):
            expected.append(at)
        at += 60 * SECOND
    found, following = [], parsed.next_after(start)
    while following is not None and following <= end:
        found.append(following)
        following = parsed.next_after(following)
    assert found == expected


def matches(cron: str, local: datetime) -> bool:
    minute, hour, day, month, weekday = cron.split(" ")
    in_month, in_week = within(day, local.day, 1, 31), within(weekday, local.isoweekday() % 7, 0, 6)
    stars = any(part == "*" for text in (day, weekday) for part in text.split(","))
    one_day = in_month and in_week if stars else in_month or in_week
    return one_day and within(minute, local.minute, 0, 59) and within(hour, local.hour, 0, 23) and month == "*"


def within(text: str, value: int, first: int, last: int) -> bool:
    for part in text.split(","):
        span, _, step = part.partition("/")
        ends = (first, last) if span == "*" else tuple(map(int, span.split("-"))) * (1 if "-" in span else 2)
        if ends[0] <= value <= ends[1] and (value - ends[0]) % int(step or 1) == 0:
            return True
    return False


@given(
    st.text(max_size=30)
    | st.lists(st.sampled_from(["*", "?", ",", "-", "/", "0", "5", "60", "mon", "@every", "1h", "TZ=UTC"])).map(
        " ".join
    )
)
def test_any_text_is_taken_or_refused(text: str) -> None:
    try:
        cron = parse_cron(text)
    except InvalidArgument:
        return
    following = cron.next_after(RECORDED_AT)
    assert following is None or following > RECORDED_AT - SECOND
    assert following is None or following - RECORDED_AT < timedelta(days=366 * 9) // timedelta(microseconds=1) * 1000
