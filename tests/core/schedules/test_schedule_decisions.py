"""What the clock, triggers and backfills lead to."""

from __future__ import annotations

import pytest

from outlive.core.schedules import decisions
from outlive.core.schedules.state import Execution
from tests.core.schedules.simulated import DAY, EPOCH, HOUR, MINUTE, SECOND, World, message


def test_each_minute_starts_one_workflow_named_after_it() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).later(150 * SECOND)
    assert [start.workflow_id for start in world.starts] == ["wf-2026-05-28T20:41:00Z", "wf-2026-05-28T20:42:00Z"]
    assert world.nominals == [60, 120]
    assert world.state.action_count == 2
    assert world.state.wake_at == EPOCH + 180 * SECOND


def test_times_up_to_the_creation_do_not_count() -> None:
    world = World.of(message(overlap="ALLOW_ALL"), now=EPOCH)
    assert world.starts == []
    assert world.state.wake_at == EPOCH + MINUTE


def test_a_server_that_was_down_catches_up() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).asleep_until(EPOCH + 5 * MINUTE)
    assert world.nominals == [60, 120, 180, 240, 300]


def test_what_is_later_than_the_catch_up_window_is_counted_as_missed() -> None:
    schedule = message(overlap="ALLOW_ALL", policies={"catchupWindow": "120s"})
    world = World.of(schedule).asleep_until(EPOCH + 5 * MINUTE + SECOND)
    assert world.nominals == [240, 300]
    assert world.state.missed_catchup_window == 3


def test_a_long_catch_up_is_made_in_steps() -> None:
    world = World.of(message({"interval": [{"interval": "1s"}]})).asleep_until(EPOCH + 250 * SECOND)
    assert world.state.cursor == EPOCH + 100 * SECOND
    assert world.state.wake_at <= world.now, "the rest is due at once"
    world.at(world.now)
    assert world.state.cursor == EPOCH + 250 * SECOND
    assert world.state.wake_at == EPOCH + 251 * SECOND
    assert (world.nominals, world.state.overlap_skipped) == ([1], 249)


def test_a_paused_schedule_acts_only_by_hand() -> None:
    world = World.of(message(state={"paused": True}))
    assert world.state.wake_at == 0
    world.asleep_until(EPOCH + 10 * MINUTE)
    assert world.starts == []
    world.trigger()
    assert world.nominals == [600]


def test_what_was_due_during_a_pause_stays_undone() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).later(90 * SECOND)
    world.patch(pause="a while")
    world.asleep_until(EPOCH + 10 * MINUTE + SECOND)
    world.patch(unpause="on again")
    world.later(MINUTE)
    assert world.nominals == [60, 660]
    assert (world.state.notes, world.state.missed_catchup_window) == ("on again", 0)


def test_what_fell_due_before_a_pause_is_done_before_it() -> None:
    world = World.of(message(overlap="ALLOW_ALL"))
    world.now = EPOCH + 2 * MINUTE  # nobody looked
    world.patch(pause="now")
    assert world.nominals == [60, 120]


def test_limited_actions_run_out() -> None:
    world = World.of(message(overlap="ALLOW_ALL", state={"limitedActions": True, "remainingActions": "2"}))
    world.later(HOUR)
    assert world.nominals == [60, 120]
    assert world.state.remaining == 0
    assert world.state.token == 3, "clients that update must see what is left"


def test_of_what_is_caught_up_only_the_remaining_actions_are_taken() -> None:
    world = World.of(message(overlap="ALLOW_ALL", state={"limitedActions": True, "remainingActions": "2"}))
    world.asleep_until(EPOCH + HOUR)
    assert world.nominals == [60, 120]
    assert world.state.buffer == ()


def test_triggers_do_not_use_up_limited_actions() -> None:
    world = World.of(message(state={"limitedActions": True, "remainingActions": "1", "paused": True}))
    world.trigger()
    assert world.state.action_count == 1
    assert world.state.remaining == 1


def test_triggers_within_a_second_have_ids_of_their_own() -> None:
    world = World.of(message(overlap="ALLOW_ALL", state={"paused": True}))
    for _ in range(3):
        world.trigger()
    assert len({start.workflow_id for start in world.starts}) == 3
    assert [start.planned.actual for start in world.starts] == [EPOCH] * 3


def test_a_trigger_may_name_its_time() -> None:
    world = World.of(message(state={"paused": True}))
    world.patch(triggerImmediately={"scheduledTime": "2020-02-29T12:30:00.5Z"})
    assert world.starts[0].workflow_id == "wf-2020-02-29T12:30:00Z"


def test_the_workflow_id_may_be_kept() -> None:
    schedule = message(policies={"keepOriginalWorkflowId": True})
    world = World.of(schedule).later(MINUTE)
    world.close_running()
    world.later(MINUTE)
    assert [start.workflow_id for start in world.starts] == ["wf", "wf"]
    assert len({start.request_id for start in world.starts}) == 2


def test_a_backfill_includes_both_ends() -> None:
    world = World.of(message(state={"paused": True}))
    backfill = {
        "startTime": "2026-01-01T10:00:00Z",
        "endTime": "2026-01-01T10:02:00Z",
        "overlapPolicy": "SCHEDULE_OVERLAP_POLICY_ALLOW_ALL",
    }
    world.patch(backfillRequest=[backfill])
    assert [start.workflow_id[-9:] for start in world.starts] == ["10:00:00Z", "10:01:00Z", "10:02:00Z"]
    assert world.state.backfills == ()
    assert world.state.wake_at == 0


def test_a_backfill_that_ends_before_it_begins_does_nothing() -> None:
    world = World.of(message(state={"paused": True}))
    world.patch(backfillRequest=[{"startTime": "2026-01-01T10:02:00Z", "endTime": "2026-01-01T10:00:00Z"}, {}])
    assert (world.starts, world.state.backfills) == ([], ())


def test_a_long_backfill_rests_between_steps() -> None:
    world = World.of(message(state={"paused": True}))
    backfill = {
        "startTime": "2026-01-01T00:00:00Z",
        "endTime": "2026-01-01T03:59:00Z",
        "overlapPolicy": "SCHEDULE_OVERLAP_POLICY_ALLOW_ALL",
    }
    world.patch(backfillRequest=[backfill])
    began = len(world.starts)
    assert 0 < began < 240
    world.step()
    world.later(5 * SECOND)
    assert len(world.starts) == 240
    assert len({start.workflow_id for start in world.starts}) == 240


def test_a_backfill_waits_while_half_of_the_buffer_is_full() -> None:
    world = World.of(message(overlap="BUFFER_ALL", state={"paused": True}))
    world.patch(backfillRequest=[{"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-02-01T00:00:00Z"}])
    world.later(HOUR)
    assert len(world.state.buffer) == 500
    assert world.state.wake_at == 0
    world.close_running()
    assert len(world.starts) == 2
    assert world.state.buffer_dropped == 0


def test_a_full_buffer_drops_and_counts() -> None:
    world = World.of(message({"interval": [{"interval": "1s"}]}, overlap="BUFFER_ALL")).later(1_200 * SECOND)
    assert len(world.state.buffer) == 1_000
    assert world.state.buffer_dropped == 1_200 - 1_001


def test_jitter_comes_after_the_nominal_time() -> None:
    world = World.of(message({**message()["spec"], "jitter": "30s"}, overlap="ALLOW_ALL")).later(DAY)
    assert world.nominals == [60 * minute for minute in range(1, len(world.starts) + 1)]
    late = [start.planned.actual - start.planned.nominal for start in world.starts]
    assert 0 <= min(late) < max(late) < 30 * SECOND


def test_without_an_action_nothing_waits() -> None:
    schedule = message()
    schedule["action"] = {}
    world = World.of(schedule).later(HOUR)
    assert world.state.buffer == ()
    assert world.state.action_count == 0


def test_an_action_that_cannot_start_says_why() -> None:
    world = World.of(message(action={"retryPolicy": {"maximumAttempts": -1}})).later(HOUR)
    assert world.starts == []
    assert decisions.problem(world.schedule) == "MaximumAttempts cannot be negative on retry policy."


def test_a_refused_start_is_lost_and_the_next_one_gets_its_turn() -> None:
    world = World.of(message(overlap="BUFFER_ALL"))
    world.refuses = {"wf-2026-05-28T20:41:00Z"}
    world.asleep_until(EPOCH + 2 * MINUTE)
    assert world.nominals == [120]
    assert world.state.action_count == 1
    assert world.state.running == (Execution("wf-2026-05-28T20:42:00Z", "run-1"),)


@pytest.mark.parametrize(
    ("schedule", "kept"),
    [
        (message(spec={}), False),
        (message(state={"limitedActions": True}), False),
        (message({"interval": [{"interval": "60s"}], "endTime": "2026-01-01T00:00:00Z"}), False),
        (message(spec={}, state={"paused": True}), True),
        (message(), True),
    ],
    ids=["no times", "no actions left", "it has ended", "paused", "has times"],
)
def test_a_schedule_with_nothing_left_to_do_is_over_after_a_week(schedule: dict[str, object], kept: bool) -> None:
    world = World.of(schedule)
    assert not decisions.over(world.schedule, world.times, EPOCH + 7 * DAY - 1)
    world.now = EPOCH + 7 * DAY
    assert decisions.over(world.schedule, world.times, world.now) is not kept
    if not kept:
        assert world.state.wake_at == world.now


def test_a_schedule_is_not_over_while_its_workflow_runs() -> None:
    world = World.of(message(spec={}))
    world.trigger()
    assert not decisions.over(world.schedule, world.times, EPOCH + 30 * DAY)
    world.close_running()
    assert decisions.over(world.schedule, world.times, EPOCH + 30 * DAY)
