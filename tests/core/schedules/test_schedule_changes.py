"""Creating, updating and patching."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import json_format

from outlive.core.schedules import changes, views
from outlive.errors import FailedPrecondition
from outlive.limits import SCHEDULE_REQUESTS_KEPT
from tests.core.schedules.simulated import EPOCH, HOUR, MINUTE, SECOND, World, message


def shown(world: World) -> dict[str, Any]:
    next_times = views.upcoming(world.schedule, world.times, world.now, 10)
    return json_format.MessageToDict(views.description(world.schedule, next_times, ""))


def test_defaults_are_filled_in() -> None:
    described = shown(World.of(message(action={"retryPolicy": {"maximumAttempts": 3}})))["schedule"]
    assert described["policies"] == {
        "overlapPolicy": "SCHEDULE_OVERLAP_POLICY_SKIP",
        "catchupWindow": "31536000s",
    }
    assert described["action"]["startWorkflow"]["retryPolicy"]["maximumInterval"] == "100s"


@pytest.mark.parametrize("window", ["-1s", "0s", "1s"])
def test_the_catch_up_window_has_a_least_length(window: str) -> None:
    described = shown(World.of(message(policies={"catchupWindow": window})))
    assert described["schedule"]["policies"]["catchupWindow"] == "10s"


def test_a_description_shows_what_clients_set_and_what_has_happened() -> None:
    world = World.of(message(overlap="BUFFER_ONE", state={"notes": "n"}), memo={"fields": {}}).later(3 * MINUTE)
    described = shown(world)
    assert described["schedule"]["state"] == {"notes": "n"}
    info = described["info"]
    assert (info["actionCount"], info["bufferSize"], info["overlapSkipped"]) == ("1", "1", "1")
    assert info["createTime"] == "2026-05-28T20:40:00Z"
    assert "updateTime" not in info
    assert info["futureActionTimes"][0] == "2026-05-28T20:44:00Z"
    assert len(info["futureActionTimes"]) == 10
    assert info["recentActions"] == [
        {
            "scheduleTime": "2026-05-28T20:41:00Z",
            "actualTime": "2026-05-28T20:41:00Z",
            "startWorkflowResult": {"workflowId": "wf-2026-05-28T20:41:00Z", "runId": "run-1"},
            "startWorkflowStatus": "WORKFLOW_EXECUTION_STATUS_RUNNING",
        }
    ]


def test_only_the_last_ten_actions_are_shown() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).later(HOUR)
    assert [action.scheduled for action in world.state.recent] == [EPOCH + n * MINUTE for n in range(51, 61)]
    assert world.state.action_count == 60


def test_no_more_times_are_shown_than_actions_remain() -> None:
    world = World.of(message(state={"limitedActions": True, "remainingActions": "3"}))
    assert len(shown(world)["info"]["futureActionTimes"]) == 3


def test_a_paused_schedule_shows_the_times_that_lie_ahead() -> None:
    world = World.of(message(state={"paused": True})).later(HOUR + SECOND)
    assert shown(world)["info"]["futureActionTimes"][0] == "2026-05-28T21:41:00Z"


def test_an_initial_patch_takes_effect_at_once() -> None:
    world = World.of(message(), initialPatch={"triggerImmediately": {}, "pause": "for now"})
    assert len(world.starts) == 1
    assert (world.state.paused, world.state.notes) == (True, "for now")


def test_an_update_counts_from_now_on() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).later(90 * SECOND)
    world.update(message({"interval": [{"interval": "10s"}]}, overlap="ALLOW_ALL"))
    world.later(20 * SECOND)
    assert world.nominals == [60, 90, 100, 110]
    assert world.state.missed_catchup_window == 0


def test_an_update_does_what_had_fallen_due_before_it() -> None:
    world = World.of(message(overlap="ALLOW_ALL"))
    world.now = EPOCH + MINUTE
    world.update(message(spec={}))
    assert world.nominals == [60]


def test_an_update_leaves_a_time_that_its_jitter_carries_over_it() -> None:
    schedule = message({"interval": [{"interval": "3600s"}], "jitter": "3600s"})
    world = World.of(schedule)
    due = world.state.wake_at
    nominal = world.times.after(EPOCH)
    assert nominal is not None
    assert nominal.nominal < due - SECOND, "the seed gives this time some jitter"
    world.at(due - SECOND)
    world.update(schedule)
    assert world.state.wake_at == due
    world.at(due)
    assert len(world.starts) == 1


def test_an_update_keeps_what_runs_waits_and_is_counted() -> None:
    world = World.of(message(overlap="BUFFER_ALL")).later(3 * MINUTE)
    running, buffer = world.state.running, world.state.buffer
    world.update(message(overlap="BUFFER_ALL", action={"workflowId": "other"}))
    assert (world.state.running, world.state.buffer, world.state.action_count) == (running, buffer, 1)
    assert world.state.updated == world.now
    world.close_running()
    assert world.starts[-1].workflow_id.startswith("other-")


def test_an_update_out_of_actions_gives_new_ones() -> None:
    limited = {"limitedActions": True, "remainingActions": "1"}
    world = World.of(message(overlap="ALLOW_ALL", state=limited)).later(HOUR + SECOND)
    world.update(message(overlap="ALLOW_ALL", state=limited))
    world.later(2 * MINUTE)
    assert world.nominals == [60, 3660]


def test_memo_and_search_attributes_are_replaced_only_if_given() -> None:
    world = World.of(
        message(),
        memo={"fields": {"m": {"data": "MQ=="}}},
        searchAttributes={"indexedFields": {"a": {"data": "MQ=="}}},
    )
    world.update(message())
    assert set(world.schedule.definition.memo.fields) == {"m"}
    assert set(world.schedule.definition.search_attributes.indexed_fields) == {"a"}
    world.update(message(), searchAttributes={}, memo={"fields": {"n": {"data": "MQ=="}}})
    assert set(world.schedule.definition.memo.fields) == {"n"}
    assert not world.schedule.definition.search_attributes.indexed_fields


def test_a_conflict_token_guards_an_update() -> None:
    world = World.of(message())
    token = shown(world)["conflictToken"]
    world.update(message(state={"notes": "mine"}), conflictToken=token)
    with pytest.raises(FailedPrecondition, match="describe it"):
        world.update(message(state={"notes": "yours"}), conflictToken=token)
    world.update(message(state={"notes": "theirs"}))
    assert world.state.notes == "theirs"


@pytest.mark.parametrize("change", [{"pause": "p"}, {"unpause": "u"}])
def test_pausing_changes_the_token(change: dict[str, str]) -> None:
    world = World.of(message())
    token = changes.conflict_token(world.schedule)
    world.patch(**change)
    assert changes.conflict_token(world.schedule) != token


def test_actions_leave_the_token_alone() -> None:
    world = World.of(message(overlap="ALLOW_ALL"))
    token = changes.conflict_token(world.schedule)
    world.trigger()
    world.later(HOUR)
    assert changes.conflict_token(world.schedule) == token


def test_a_repeated_request_changes_nothing() -> None:
    world = World.of(message(overlap="ALLOW_ALL", state={"paused": True}))
    world.trigger(request_id="r")
    world.trigger(request_id="r")
    assert len(world.starts) == 1
    for number in range(SCHEDULE_REQUESTS_KEPT):
        world.trigger(request_id=f"r{number}")
    assert len(world.state.requests) == SCHEDULE_REQUESTS_KEPT
    world.update(message(state={"notes": "first"}), requestId="u")
    world.update(message(state={"notes": "second"}), requestId="u")
    assert world.state.notes == "first"


def test_too_many_backfills_are_dropped_and_counted() -> None:
    world = World.of(message(overlap="BUFFER_ALL", state={"paused": True}))
    world.patch(backfillRequest=[{"startTime": "2026-01-01T00:00:00Z", "endTime": "2026-02-01T00:00:00Z"}] * 1001)
    assert world.state.buffer_dropped == 1
