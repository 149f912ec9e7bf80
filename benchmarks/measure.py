"""The numbers: a load and what it cost, percentiles, medians."""

from __future__ import annotations

import asyncio
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from benchmarks.systems.base import Running

Figure = float | str
"""A measured number, or the words that stand in its place ("not yet", what failed)."""

Figures = dict[str, Figure]
"""Figures of one system by the key of their metric (`metrics.METRICS`)."""


@dataclass(frozen=True)
class Shape:
    """A load: `count` workflows of `steps` sequential steps, `in_flight` at once."""

    steps: int
    count: int
    in_flight: int


@dataclass(frozen=True)
class Cost:
    """What a load took: wall seconds, and CPU seconds of server and worker."""

    seconds: float
    server_cpu: float
    worker_cpu: float


async def measure(running: Running, shape: Shape, timeout: float) -> Cost:
    """Run a load to its end. Raises `TimeoutError` after `timeout` seconds."""
    server = running.server.cpu() if running.server else 0.0
    worker = running.worker.cpu()
    started = time.perf_counter()
    async with asyncio.timeout(timeout):
        await running.run(shape.steps, shape.count, shape.in_flight)
    seconds = time.perf_counter() - started
    server_now = running.server.cpu() if running.server else 0.0
    return Cost(seconds, server_now - server, running.worker.cpu() - worker)


async def latencies(call: Callable[[int], Awaitable[object]], count: int) -> list[float]:
    """Milliseconds of each of `count` calls, one after another."""
    taken = []
    for number in range(count):
        started = time.perf_counter()
        await call(number)
        taken.append((time.perf_counter() - started) * 1000)
    return taken


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def median_figures(rounds: Sequence[Figures]) -> Figures:
    """Each figure's median over the rounds that have it as a number; else its words."""
    merged: Figures = {}
    for key in dict.fromkeys(key for figures in rounds for key in figures):
        values = [figures[key] for figures in rounds if key in figures]
        numbers = [value for value in values if isinstance(value, float)]
        merged[key] = statistics.median(numbers) if len(numbers) == len(values) else _words(values)
    return merged


def _words(values: Sequence[Figure]) -> str:
    """The first words among the values: one failed round is not averaged away."""
    return next(value for value in values if isinstance(value, str))
