"""What becomes of actions that would overlap."""

from __future__ import annotations

import pytest

from outlive.core.schedules.overlap import Resolution, resolve
from outlive.core.schedules.state import Planned
from tests.core.schedules.simulated import MINUTE, POLICIES, World, message


def planned(number: int, policy: str = "") -> Planned:
    return Planned(number, number, POLICIES.get(policy, 0))


def resolved(buffer: list[Planned], *, running: bool, own: str = "SKIP") -> Resolution:
    return resolve(buffer, running, lambda policy: policy or POLICIES[own])


@pytest.mark.parametrize("own", POLICIES)
def test_the_first_starts_when_nothing_runs(own: str) -> None:
    resolution = resolved([planned(1)], running=False, own=own)
    started = resolution.beside if own == "ALLOW_ALL" else (resolution.alone,)
    assert started == (planned(1),)
    assert (resolution.kept, resolution.skipped, resolution.cancel, resolution.terminate) == ((), 0, False, False)


@pytest.mark.parametrize(
    ("own", "kept", "skipped", "cancel", "terminate"),
    [
        ("SKIP", (), 2, False, False),
        ("BUFFER_ONE", (planned(1),), 1, False, False),
        ("BUFFER_ALL", (planned(1), planned(2)), 0, False, False),
        ("CANCEL_OTHER", (planned(1), planned(2)), 0, True, False),
        ("TERMINATE_OTHER", (planned(1), planned(2)), 0, False, True),
        ("ALLOW_ALL", (), 0, False, False),
    ],
)
def test_two_while_one_runs(own: str, kept: tuple[Planned, ...], skipped: int, cancel: bool, terminate: bool) -> None:
    resolution = resolved([planned(1), planned(2)], running=True, own=own)
    assert resolution.alone is None
    assert resolution.beside == ((planned(1), planned(2)) if own == "ALLOW_ALL" else ())
    assert (resolution.kept, resolution.skipped) == (kept, skipped)
    assert (resolution.cancel, resolution.terminate) == (cancel, terminate)


def test_who_would_end_the_other_takes_its_place_if_that_has_not_started() -> None:
    for policy in ("CANCEL_OTHER", "TERMINATE_OTHER"):
        resolution = resolved([planned(1), planned(2, policy)], running=False)
        assert resolution == Resolution(alone=planned(2, policy))


def test_an_actions_own_policy_wins() -> None:
    resolution = resolved([planned(1, "ALLOW_ALL"), planned(2)], running=True)
    assert resolution == Resolution(beside=(planned(1, "ALLOW_ALL"),), skipped=1)


def test_terminating_wins_over_cancelling() -> None:
    buffer = [planned(1, "CANCEL_OTHER"), planned(2, "TERMINATE_OTHER")]
    resolution = resolved(buffer, running=True)
    assert (resolution.cancel, resolution.terminate) == (False, True)


def test_an_unknown_policy_skips() -> None:
    resolution = resolve([Planned(1, 1, 99), Planned(2, 2, 99)], True, lambda policy: policy)
    assert resolution == Resolution(skipped=2)


# -- through a schedule


def test_skip() -> None:
    world = World.of(message(overlap="SKIP")).later(3 * MINUTE)
    assert (world.nominals, world.state.overlap_skipped) == ([60], 2)
    world.close_running()
    world.later(MINUTE)
    assert world.nominals == [60, 240]


def test_buffer_one() -> None:
    world = World.of(message(overlap="BUFFER_ONE")).later(4 * MINUTE)
    assert (world.nominals, len(world.state.buffer), world.state.overlap_skipped) == ([60], 1, 2)
    world.close_running()
    assert world.nominals == [60, 120]


def test_buffer_all() -> None:
    world = World.of(message(overlap="BUFFER_ALL")).later(4 * MINUTE)
    for _ in range(3):
        world.close_running()
    assert world.nominals == [60, 120, 180, 240]


def test_cancel_other() -> None:
    world = World.of(message(overlap="CANCEL_OTHER")).later(2 * MINUTE)
    (first,) = world.state.running
    assert world.cancelled == [first]
    assert world.nominals == [60], "the next one waits for the end of the first"
    world.close_running()
    assert world.nominals == [60, 120]


def test_terminate_other() -> None:
    world = World.of(message(overlap="TERMINATE_OTHER")).later(3 * MINUTE)
    assert world.nominals == [60, 120, 180]
    assert len(world.terminated) == 2
    assert len(world.open) == 1


def test_allow_all_is_not_tracked() -> None:
    world = World.of(message(overlap="ALLOW_ALL")).later(3 * MINUTE)
    assert world.nominals == [60, 120, 180]
    assert world.state.running == ()


def test_a_changed_policy_counts_for_what_waits() -> None:
    world = World.of(message(overlap="BUFFER_ALL")).later(4 * MINUTE)
    assert len(world.state.buffer) == 3
    world.update(message(overlap="SKIP"))
    assert (world.state.buffer, world.state.overlap_skipped) == ((), 3)


def test_a_pause_lets_go_of_what_waits_by_the_clock() -> None:
    world = World.of(message(overlap="BUFFER_ALL")).later(2 * MINUTE)
    world.trigger()
    world.patch(pause="stop")
    world.close_running()
    assert len(world.starts) == 2, "the triggered one starts, the other does not"
    assert world.starts[1].planned.manual
    assert world.state.buffer == ()
