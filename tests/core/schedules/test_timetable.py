"""The next time that is due, whatever lies between."""

from __future__ import annotations

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.schedule.v1 import ScheduleSpec

from outlive.core.calendar import compile_spec
from outlive.core.schedules.timetable import Timetable
from tests.core.schedules.simulated import DAY, EPOCH, HOUR, MINUTE, SECOND

SPECS = {
    "seconds": {"interval": [{"interval": "1s"}]},
    "minutes": {"interval": [{"interval": "60s", "phase": "7s"}]},
    "jitter": {"interval": [{"interval": "300s"}], "jitter": "299s"},
    "cron": {"cronString": ["*/20 9-17 * * MON-FRI"], "jitter": "600s"},
    "exclusions": {"interval": [{"interval": "600s"}], "excludeCalendar": [{"hour": "*", "minute": "20-40"}]},
    "ended": {"interval": [{"interval": "60s"}], "endTime": "2026-05-28T21:00:00Z", "jitter": "50s"},
    "nothing": {},
}


def timetable(name: str) -> Timetable:
    return Timetable(compile_spec(json_format.ParseDict(SPECS[name], ScheduleSpec())), "seed")


@pytest.mark.parametrize("name", SPECS)
@given(
    cursor=st.integers(EPOCH - DAY, EPOCH + HOUR),
    gap=st.one_of(st.integers(0, 20 * MINUTE), st.integers(0, 3 * HOUR)),
)
def test_due_is_the_first_that_is_not_before(name: str, cursor: int, gap: int) -> None:
    times, not_before = timetable(name), cursor + gap
    expected = times.after(cursor)
    while expected is not None and expected.actual < not_before:
        expected = times.after(expected.nominal)
    assert times.due(cursor, not_before) == expected


def test_years_between_are_not_walked() -> None:
    times = timetable("seconds")
    found = times.due(EPOCH - 50 * 365 * DAY, EPOCH)
    assert found is not None
    assert found.actual == EPOCH


def test_upcoming_begins_with_what_is_due() -> None:
    times = timetable("minutes")
    assert times.upcoming(EPOCH, EPOCH, 2) == [EPOCH + 7 * SECOND, EPOCH + 67 * SECOND]
    assert times.upcoming(EPOCH, EPOCH, 0) == []
    assert timetable("nothing").upcoming(EPOCH, EPOCH, 5) == []
