"""Fifty thousand executions asleep: starts a second, memory of each, and what a restart takes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from benchmarks.large.harness import KIB, Figures, Large, Sizes
from benchmarks.plan import FULL
from benchmarks.protocol.sleepers import measure_sleepers

STARTING_SECONDS = 600.0


async def measure_many_sleepers(folder: Path, sizes: Sizes) -> Figures:
    """As `make bench` does it, with more of them and with time for all."""
    plan = replace(FULL, sleepers=sizes.sleepers, sleeper_seconds=STARTING_SECONDS)
    found = await measure_sleepers(Large(), folder, plan)
    return {
        "asleep": float(found["sleepers"]),
        "starts a second, each put to sleep": float(found["sleeper_rate"]),
        "KiB each, without the first tenth": float(found["sleeper_bytes_later"]) / KIB,
        "KiB each, after a restart": float(found["sleeper_bytes_restarted"]) / KIB,
        "kill -9 to the first answer, ms": float(found["restart"]) * 1000,
    }
