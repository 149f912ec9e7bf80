"""What a run took: by step, in all, and as a timeline of every attempt."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from examples.research_pipeline.store.trace import Attempt, StepCost

STEPS = ("fetch", "embed", "analyse", "summarise", "store")
"""The steps in the order a run takes them."""


@dataclass(frozen=True)
class Effort:
    """Counts and sums. `cost_usd` None: no call has a known price; `priced` of `calls` have one."""

    tasks: int
    attempts: int
    interrupted: int
    failed: int
    working_ms: float
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: float | None
    priced: int


@dataclass(frozen=True)
class StepEffort:
    """What one step took."""

    step: str
    effort: Effort
    median_ms: float | None


@dataclass(frozen=True)
class Bar:
    """One attempt on the timeline; places are fractions of the whole width."""

    step: str
    left: float
    width: float
    lane: int
    interrupted: bool
    label: str


@dataclass(frozen=True)
class Timeline:
    """All attempts, packed into as few lanes as do not overlap."""

    bars: list[Bar]
    lanes: int
    seconds: float
    ticks: list[tuple[float, str]]
    deaths: list[float]
    """Where a worker process died under its attempts."""


def efforts(attempts: Sequence[Attempt], costs: Sequence[StepCost]) -> list[StepEffort]:
    """What each step took, if it has ended once: the report's own is still running when it is written."""
    by_step: dict[str, list[Attempt]] = defaultdict(list)
    for attempt in attempts:
        by_step[attempt.step].append(attempt)
    cost_of = {cost.step: cost for cost in costs}
    return [
        StepEffort(step, _effort(by_step[step], cost_of.get(step)), _median_ms(by_step[step]))
        for step in STEPS
        if any(attempt.ended_at for attempt in by_step[step])
    ]


def total(steps: Iterable[StepEffort]) -> Effort:
    """The sum over the steps."""
    parts = [step.effort for step in steps]
    priced = sum(part.priced for part in parts)
    return Effort(
        tasks=sum(part.tasks for part in parts),
        attempts=sum(part.attempts for part in parts),
        interrupted=sum(part.interrupted for part in parts),
        failed=sum(part.failed for part in parts),
        working_ms=sum(part.working_ms for part in parts),
        calls=sum(part.calls for part in parts),
        input_tokens=sum(part.input_tokens for part in parts),
        output_tokens=sum(part.output_tokens for part in parts),
        cost_usd=sum(part.cost_usd or 0.0 for part in parts) if priced else None,
        priced=priced,
    )


def timeline(attempts: Sequence[Attempt]) -> Timeline:
    """Place every attempt; one that a dead process cut off ends at that process's last sign of life."""
    shown = [attempt for attempt in attempts if attempt.step != "store"]
    if not shown:
        return Timeline([], 0, 0.0, [], [])
    last_sign: dict[int, float] = defaultdict(float)
    for attempt in shown:
        last_sign[attempt.pid] = max(last_sign[attempt.pid], attempt.started_at, attempt.ended_at or 0.0)
    start = shown[0].started_at
    seconds = max(last_sign.values()) - start or 1.0
    free_from: list[float] = []
    bars = []
    for attempt in shown:
        end = attempt.ended_at or last_sign[attempt.pid]
        lane = next((n for n, free in enumerate(free_from) if free <= attempt.started_at), len(free_from))
        free_from[lane : lane + 1] = [end]
        bars.append(
            Bar(
                step=attempt.step,
                left=(attempt.started_at - start) / seconds,
                width=max((end - attempt.started_at) / seconds, 0.002),
                lane=lane,
                interrupted=attempt.ended_at is None,
                label=_label(attempt, end),
            )
        )
    died = {attempt.pid for attempt in shown if attempt.ended_at is None}
    deaths = sorted((last_sign[pid] - start) / seconds for pid in died)
    return Timeline(bars, len(free_from), seconds, _ticks(seconds), deaths)


def _effort(attempts: Sequence[Attempt], cost: StepCost | None) -> Effort:
    ended = [attempt for attempt in attempts if attempt.ended_at is not None]
    return Effort(
        tasks=len({attempt.subject for attempt in attempts}),
        attempts=len(attempts),
        interrupted=len(attempts) - len(ended),
        failed=sum(attempt.outcome != "done" for attempt in ended),
        working_ms=sum(_ms(attempt) for attempt in ended),
        calls=cost.calls if cost else 0,
        input_tokens=cost.input_tokens if cost else 0,
        output_tokens=cost.output_tokens if cost else 0,
        cost_usd=cost.cost_usd if cost and cost.priced else None,
        priced=cost.priced if cost else 0,
    )


def _median_ms(attempts: Sequence[Attempt]) -> float | None:
    took = [_ms(attempt) for attempt in attempts if attempt.ended_at is not None]
    return median(took) if took else None


def _ms(attempt: Attempt) -> float:
    return ((attempt.ended_at or attempt.started_at) - attempt.started_at) * 1000


def _label(attempt: Attempt, end: float) -> str:
    how = "cut off when its process died" if attempt.ended_at is None else attempt.outcome
    return f"{attempt.step}, attempt {attempt.attempt}: {(end - attempt.started_at) * 1000:.0f} ms, {how}"


def _ticks(seconds: float) -> list[tuple[float, str]]:
    """Between four and ten round marks."""
    size = next(
        s
        for s in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200, 86400, 1e9)
        if seconds / s <= 10
    )
    count = int(seconds / size)
    return [(n * size / seconds, f"{n * size:g} s") for n in range(count + 1)]
