"""How much a benchmark run does: counts and seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The size of a run. Counts adapt to each system's pace: a warm-up says how many fill `seconds`."""

    name: str
    rounds: int
    seconds: float
    least: int
    most: int
    most_chain_steps: int
    in_flight: int
    starts: int
    latency_calls: int
    sleepers: int
    sleeper_seconds: float
    replay_events: int
    timeout: float

    def count_for(self, per_second: float, least: int, most: int) -> int:
        """How many pieces fill the plan's seconds at this pace, within the bounds."""
        return round(min(most, max(least, per_second * self.seconds)))


QUICK = Plan(
    name="quick",
    rounds=1,
    seconds=0.7,
    least=25,
    most=200,
    most_chain_steps=60,
    in_flight=50,
    starts=2,
    latency_calls=30,
    sleepers=300,
    sleeper_seconds=2.0,
    replay_events=2_000,
    timeout=60.0,
)

FULL = Plan(
    name="full",
    rounds=3,
    seconds=3.0,
    least=60,
    most=1_500,
    most_chain_steps=300,
    in_flight=50,
    starts=5,
    latency_calls=200,
    sleepers=5_000,
    sleeper_seconds=20.0,
    replay_events=10_000,
    timeout=120.0,
)
