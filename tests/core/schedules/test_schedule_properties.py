"""Whatever happens to a schedule: no time is acted on twice, none is lost, policies hold, a restart changes nothing."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core.schedules.outcomes import Outcome
from tests.core.schedules.simulated import EPOCH, MINUTE, POLICIES, SECOND, S, World, message

ENDS = (
    S.WORKFLOW_EXECUTION_STATUS_COMPLETED,
    S.WORKFLOW_EXECUTION_STATUS_FAILED,
    S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
    S.WORKFLOW_EXECUTION_STATUS_TERMINATED,
)
SPECS = (
    {"interval": [{"interval": "60s"}]},
    {"interval": [{"interval": "60s"}], "jitter": "55s"},
    {"interval": [{"interval": "7s"}, {"interval": "60s", "phase": "3s"}]},
    {"cronString": ["*/2 * * * *"], "excludeCalendar": [{"minute": "4"}]},
)
policies = st.sampled_from(list(POLICIES))
specs = st.sampled_from(SPECS)
spans = st.one_of(st.integers(0, 3 * MINUTE), st.integers(0, 600).map(lambda seconds: seconds * SECOND))

Step = tuple[Any, ...]
passing = st.one_of(
    st.tuples(st.just("later"), spans),
    st.tuples(st.just("asleep"), spans),
    st.tuples(st.just("end"), st.integers(0, 5), st.sampled_from(ENDS)),
)
steps: st.SearchStrategy[Step] = st.one_of(
    passing,
    st.tuples(st.just("trigger"), st.one_of(st.just(""), policies)),
    st.tuples(st.just("backfill"), st.integers(-50, 0), st.integers(-10, 40), policies),
    st.tuples(st.just("pause")),
    st.tuples(st.just("unpause")),
    st.tuples(st.just("update"), specs, policies, st.one_of(st.none(), st.integers(0, 4))),
)


def apply(world: World, step: Step) -> None:
    kind, *values = step
    if kind == "later":
        world.later(values[0])
    elif kind == "asleep":
        world.asleep_until(world.now + values[0])
    elif kind == "end" and world.open:
        executions = list(world.open)
        world.close(executions[values[0] % len(executions)], Outcome(values[1]))
    elif kind == "trigger":
        world.trigger(values[0])
    elif kind == "backfill":
        start = world.now // SECOND + 60 * values[0]
        world.patch(
            backfillRequest=[
                {
                    "startTime": _time(start),
                    "endTime": _time(start + 60 * values[1]),
                    "overlapPolicy": f"SCHEDULE_OVERLAP_POLICY_{values[2]}",
                }
            ]
        )
    elif kind in ("pause", "unpause"):
        world.patch(**{kind: kind})
    elif kind == "update":
        state = {} if values[2] is None else {"limitedActions": True, "remainingActions": str(values[2])}
        world.update(message(values[0], overlap=values[1], state=state))


def _time(seconds: int) -> str:
    return Timestamp(seconds=seconds).ToJsonString()


def check(world: World) -> None:
    """What always holds."""
    state = world.state
    by_clock = [start.planned.nominal for start in world.starts if not start.planned.manual]
    waiting = [planned.nominal for planned in state.buffer if not planned.manual]
    acted = by_clock + waiting
    assert len(acted) == len(set(acted)), "a time has been acted on twice"
    assert all(nominal <= state.cursor for nominal in acted)
    assert len(state.running) <= 1, "two that may not overlap run"
    assert set(state.running) <= set(world.open)
    assert not state.limited or state.remaining >= 0
    assert len({start.request_id for start in world.starts}) == len(world.starts)
    assert state.action_count == len(world.starts)
    if state.buffer and not state.backfills:
        assert state.running, "something waits for nothing"


@settings(max_examples=300, deadline=None)
@given(specs, policies, st.lists(steps, max_size=25))
def test_no_time_is_acted_on_twice(spec: dict[str, Any], policy: str, happenings: list[Step]) -> None:
    world = World.of(message(spec, overlap=policy))
    cursor = world.state.cursor
    for step in happenings:
        apply(world, step)
        check(world)
        assert world.state.cursor >= cursor
        cursor = world.state.cursor


@settings(max_examples=200, deadline=None)
@given(specs, st.sampled_from(["SKIP", "BUFFER_ONE", "BUFFER_ALL", "ALLOW_ALL"]), st.lists(passing, max_size=20))
def test_no_time_is_lost(spec: dict[str, Any], policy: str, happenings: list[Step]) -> None:
    """Every time that was due is a start, waits, or is counted."""
    world = World.of(message(spec, overlap=policy, policies={"catchupWindow": "120s"}))
    for step in happenings:
        apply(world, step)
    world.at(world.now)
    due = [time for time in _matches(world) if time <= world.now]
    state = world.state
    counted = state.missed_catchup_window + state.overlap_skipped + state.buffer_dropped
    assert len(world.starts) + len(state.buffer) + counted == len(due)


def _matches(world: World) -> list[int]:
    times, found = [], world.times.after(EPOCH)
    while found is not None and found.nominal <= world.now:
        times.append(found.actual)
        found = world.times.after(found.nominal)
    return times


@settings(max_examples=150, deadline=None)
@given(specs, policies, st.lists(st.tuples(steps, st.booleans()), max_size=20))
def test_a_restart_changes_nothing(spec: dict[str, Any], policy: str, happenings: list[tuple[Step, bool]]) -> None:
    steady, restarted = World.of(message(spec, overlap=policy)), World.of(message(spec, overlap=policy))
    for step, restart in happenings:
        apply(steady, step)
        if restart:
            restarted.restart()
        apply(restarted, step)
    restarted.restart()
    assert restarted.schedule == steady.schedule
    assert restarted.starts == steady.starts


@settings(max_examples=100, deadline=None)
@given(specs, policies, st.lists(steps, max_size=15), spans)
def test_looking_again_changes_nothing(spec: dict[str, Any], policy: str, happenings: list[Step], span: int) -> None:
    world = World.of(message(spec, overlap=policy))
    for step in happenings:
        apply(world, step)
    world.later(span)
    while world.state.backfills:
        world.later(SECOND)
        if len(world.state.buffer) >= 500:
            break
    before, starts = world.schedule, list(world.starts)
    for _ in range(3):
        world.step()
    assert world.starts == starts
    assert world.schedule.state == before.state
