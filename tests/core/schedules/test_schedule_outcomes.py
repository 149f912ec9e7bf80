"""How workflows end, and what the next one and the schedule get of it."""

from __future__ import annotations

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure

from outlive.core.schedules.outcomes import Outcome, closed
from outlive.core.schedules.starts import start_request
from outlive.core.schedules.state import Execution
from tests.core.schedules.simulated import MINUTE, S, World, message

FAILED = Outcome(S.WORKFLOW_EXECUTION_STATUS_FAILED, failure=Failure(message="broken"))
TIMED_OUT = Outcome(S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT)
CANCELED = Outcome(S.WORKFLOW_EXECUTION_STATUS_CANCELED)
TERMINATED = Outcome(S.WORKFLOW_EXECUTION_STATUS_TERMINATED)
EMPTY = Outcome(S.WORKFLOW_EXECUTION_STATUS_COMPLETED)
GONE = Outcome(S.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED)


def result(text: str) -> Outcome:
    payloads = Payloads(payloads=[Payload(data=text.encode())])
    return Outcome(S.WORKFLOW_EXECUTION_STATUS_COMPLETED, result=payloads)


def carried(world: World) -> tuple[str, str]:
    """The last result and failure that the last start was given."""
    request = start_request(world.schedule, world.starts[-1], "default")
    payloads = request.last_completion_result.payloads
    return payloads[0].data.decode() if payloads else "", request.continued_failure.message


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([result("one")], ("one", "")),
        ([result("one"), FAILED], ("one", "broken")),
        ([result("one"), FAILED, result("two")], ("two", "")),
        ([FAILED], ("", "broken")),
        ([result("one"), FAILED, EMPTY], ("one", "broken")),
        ([result("one"), TERMINATED, CANCELED, TIMED_OUT, GONE], ("one", "")),
    ],
)
def test_what_the_next_run_is_given(outcomes: list[Outcome], expected: tuple[str, str]) -> None:
    world = World.of(message(state={"paused": True}))
    for outcome in outcomes:
        world.trigger()
        world.close_running(outcome)
    world.trigger()
    assert carried(world) == expected


def test_what_may_overlap_neither_gives_nor_gets() -> None:
    world = World.of(message(state={"paused": True}))
    world.trigger()
    world.close_running(result("one"))
    world.trigger("ALLOW_ALL")
    assert carried(world) == ("", "")
    (execution,) = world.open
    world.close(execution, result("two"))
    world.trigger()
    assert carried(world) == ("one", "")


def test_actions_show_how_their_workflows_ended() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).later(3 * MINUTE)
    for execution, outcome in zip(list(world.open), (FAILED, TERMINATED), strict=False):
        world.close(execution, outcome)
    assert [action.status for action in world.state.recent] == [
        S.WORKFLOW_EXECUTION_STATUS_FAILED,
        S.WORKFLOW_EXECUTION_STATUS_TERMINATED,
        S.WORKFLOW_EXECUTION_STATUS_RUNNING,
    ]


@pytest.mark.parametrize(
    ("outcome", "notes"),
    [
        (FAILED, "paused due to workflow failure: wf-2026-05-28T20:41:00Z: broken"),
        (TIMED_OUT, "paused due to workflow timeout: wf-2026-05-28T20:41:00Z"),
        (CANCELED, ""),
        (TERMINATED, ""),
        (EMPTY, ""),
    ],
)
def test_pause_on_failure(outcome: Outcome, notes: str) -> None:
    world = World.of(message(policies={"pauseOnFailure": True})).later(MINUTE)
    world.close_running(outcome)
    assert (world.state.paused, world.state.notes) == (bool(notes), notes)
    assert world.state.token == (2 if notes else 1)
    world.later(MINUTE)
    assert len(world.starts) == (1 if notes else 2)


def test_without_the_policy_a_failure_does_not_pause() -> None:
    world = World.of(message()).later(MINUTE)
    world.close_running(FAILED)
    assert not world.state.paused


def test_the_end_of_somebody_elses_workflow_changes_nothing() -> None:
    world = World.of(message()).later(MINUTE)
    after = closed(world.schedule, Execution("wf-2026-05-28T20:41:00Z", "another-run"), FAILED)
    assert after.state == world.state


def test_telling_an_end_twice_changes_nothing() -> None:
    world = World.of(message(policies={"pauseOnFailure": True})).later(MINUTE)
    (execution,) = world.state.running
    world.close_running(FAILED)
    world.patch(unpause="again")
    assert closed(world.schedule, execution, FAILED).state == world.state
