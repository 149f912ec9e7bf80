"""What gets through our quota is let in by a provider that has the same limits, whichever way it counts its minutes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from outlive.ledger.rules.admission import Admission
from outlive.ledger.types import Quota
from outlive.limits import MINUTE
from tests.ledger.rules.simulated import Simulation

TOKENS, REQUESTS, MINUTES = 60_000, 100, 10
Calls = list[tuple[int, int]]


def by_the_clock(calls: Calls, limit: int) -> int:
    """How many a provider refuses that counts minutes by the clock."""
    refused, used, minute = 0, 0, -1
    for at, amount in calls:
        if at // MINUTE != minute:
            minute, used = at // MINUTE, 0
        if used + amount > limit:
            refused += 1
        else:
            used += amount
    return refused


def the_last_minute(calls: Calls, limit: int) -> int:
    """How many a provider refuses that looks back sixty seconds."""
    refused, kept = 0, []
    for at, amount in calls:
        kept = [(then, some) for then, some in kept if then > at - MINUTE]
        if sum(some for _, some in kept) + amount > limit:
            refused += 1
        else:
            kept.append((at, amount))
    return refused


def a_bucket(calls: Calls, limit: int) -> int:
    """How many a provider refuses that has a bucket which refills evenly."""
    refused, level, last = 0, float(limit), 0
    for at, amount in calls:
        level = min(limit, level + limit * (at - last) / MINUTE)
        last = at
        if amount > level + 1e-6:
            refused += 1
        else:
            level -= amount
    return refused


@pytest.mark.parametrize("provider", [by_the_clock, the_last_minute, a_bucket])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("late", [0, 300_000_000])
def test_nine_in_ten_and_more_are_used_and_none_refused(
    provider: Callable[[Calls, int], int], seed: int, late: int
) -> None:
    """`late`: calls reach the provider up to that many nanoseconds after the ledger counted them."""
    admission = Admission()
    admission.quotas.put(Quota("q", {"model": "m"}, requests=REQUESTS, tokens=TOKENS))
    simulation = Simulation(admission, workers=50, until=MINUTES * MINUTE, seed=seed)
    simulation.run()
    arrived = sorted(
        (at + (late * (number * 7919 % 100)) // 100, amount) for number, (at, amount) in enumerate(simulation.sent)
    )
    refused = provider(arrived, TOKENS) + provider([(at, 1) for at, _ in arrived], REQUESTS)
    assert refused < 0.01 * len(arrived)
    assert sum(amount for _, amount in arrived) >= 0.95 * TOKENS * MINUTES
