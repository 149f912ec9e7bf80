from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from outlive.web import bounds
from outlive.web.views import timeline
from outlive.web.views.groups import Group
from outlive.web.views.status import Status
from tests.web.views.events import START

END = START + timedelta(seconds=10)


def second(n: float) -> datetime:
    return START + timedelta(seconds=n)


def group(number: int = 5, **values: Any) -> Group:
    defaults: dict[str, Any] = {"kind": "activity", "name": "embed", "status": Status.COMPLETED, "scheduled": second(1)}
    return Group(number, **{**defaults, **values})


def segments(one: Group, end: datetime = END) -> list[tuple[str, float, float]]:
    (row,) = timeline.view([one], START, end).rows
    return [(s.kind, s.x, s.width) for s in row.segments]


def test_an_activity_waits_then_works() -> None:
    assert segments(group(started=second(3), ended=second(5))) == [("wait", 10.0, 20.0), ("work", 30.0, 20.0)]


def test_one_that_started_at_once_only_works() -> None:
    assert segments(group(started=second(1), ended=second(5))) == [("work", 10.0, 40.0)]


def test_one_that_nobody_has_taken_waits_until_now() -> None:
    assert segments(group(status=Status.SCHEDULED)) == [("wait", 10.0, 90.0)]
    assert segments(group(status=Status.RETRYING, started=second(4))) == [("wait", 10.0, 90.0)]


def test_timers_wait_and_updates_work() -> None:
    assert segments(group(kind="timer", ended=second(2))) == [("wait", 10.0, 10.0)]
    assert segments(group(kind="update", ended=second(2))) == [("work", 10.0, 10.0)]


def test_a_moment_is_a_point() -> None:
    assert segments(group(kind="signal", ended=second(1))) == [("point", 10.0, 0)]


def test_what_was_quick_is_still_seen_within_the_axis() -> None:
    late = group(kind="update", scheduled=second(9.9999), ended=END)
    ((_, x, width),) = segments(late)
    assert width > 0
    assert x + width <= 100


def test_a_run_just_started_has_an_axis() -> None:
    view = timeline.view([group(scheduled=START, status=Status.SCHEDULED)], START, START)
    assert view.end > view.start
    assert view.ticks[0].x == 0


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.17, ["0", "50 ms", "100 ms", "150 ms"]),
        (3.8, ["0", "1 s", "2 s", "3 s"]),
        (1.3, ["0", "200 ms", "400 ms", "600 ms", "800 ms", "1 s", "1.2 s"]),
        (400, ["0", "1 min", "2 min", "3 min", "4 min", "5 min", "6 min"]),
        (86400 * 3, ["0", "12 h", "1 d", "1 d 12 h", "2 d", "2 d 12 h", "3 d"]),
    ],
)
def test_the_axis_counts_as_people_do(seconds: float, labels: list[str]) -> None:
    view = timeline.view([], START, second(seconds))
    assert [tick.label for tick in view.ticks] == labels
    assert all(0 <= tick.x <= 100 for tick in view.ticks)


def test_a_century_still_has_few_marks() -> None:
    assert len(timeline.view([], START, START + timedelta(days=36_500)).ticks) <= 8


def test_rows_are_by_start_and_say_what_they_show() -> None:
    view = timeline.view(
        [group(9, scheduled=second(4), ended=second(5)), group(5, attempt=3, ended=second(3), failure="429")],
        START,
        END,
    )
    assert [row.group.id for row in view.rows] == [5, 9]
    assert view.rows[0].words == "activity embed, completed, attempt 3, 2 s, 429"


def test_of_too_many_the_open_and_the_bad_stay() -> None:
    many = [group(n, scheduled=second(n / 1000), ended=second(1)) for n in range(bounds.TIMELINE_ROWS + 50)]
    many[0] = group(0, scheduled=START, status=Status.FAILED, ended=second(1))
    many[1] = group(1, scheduled=START, status=Status.RUNNING)
    view = timeline.view(many, START, END)
    assert len(view.rows) == bounds.TIMELINE_ROWS
    assert view.hidden == 50
    shown = {row.group.id for row in view.rows}
    assert {0, 1, len(many) - 1} <= shown
    assert 2 not in shown
