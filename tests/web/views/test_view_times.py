from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from outlive.web.views import times


def test_unset_moments_are_none() -> None:
    assert times.moment(Timestamp()) is None
    assert times.moment(Timestamp(seconds=-62135596800)) is None


def test_a_moment_keeps_its_microseconds() -> None:
    found = times.moment(Timestamp(seconds=1_795_426_720, nanos=873_535_999))
    assert found == datetime(2026, 11, 23, 9, 38, 40, 873_535, tzinfo=UTC)


def test_moments_are_written_in_utc() -> None:
    at = datetime(2026, 11, 23, 11, 38, 40, 873_535, tzinfo=timezone(timedelta(hours=2)))
    assert times.utc(at) == "2026-11-23 09:38:40"
    assert times.iso(at) == "2026-11-23T09:38:40.873Z"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (-3, "0 ms"),
        (0, "0 ms"),
        (0.0449, "45 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1 s"),
        (4.24, "4.2 s"),
        (59.94, "59.9 s"),
        (59.96, "1 min"),
        (60, "1 min"),
        (65, "1 min 05 s"),
        (3599, "59 min 59 s"),
        (3600, "1 h"),
        (7800, "2 h 10 min"),
        (86400, "1 d"),
        (100_000, "1 d 03 h"),
    ],
)
def test_spans_are_said_in_two_units(seconds: float, words: str) -> None:
    assert times.span(seconds) == words


def test_seconds_of_a_duration() -> None:
    assert times.seconds(Duration(seconds=2, nanos=500_000_000)) == 2.5


def test_between_needs_both_ends_and_is_never_negative() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    assert times.between(None, at) is None
    assert times.between(at, None) is None
    assert times.between(at, at + timedelta(seconds=3)) == 3
    assert times.between(at + timedelta(seconds=3), at) == 0
