"""A history of fifty thousand events: read in pages, and replayed by a fresh worker."""

from __future__ import annotations

from pathlib import Path

from benchmarks.large.harness import MIB, Figures, Large, Sizes
from benchmarks.protocol.replay import measure_replay

GROWING_SECONDS = 900.0


async def measure_history(folder: Path, sizes: Sizes) -> Figures:
    """Milliseconds of all pages, of the replay; MiB of the server."""
    setting = f"limit.historyCount.error={2 * sizes.events}"
    running = await Large(setting, f"limit.historyCount.suggestContinueAsNew={2 * sizes.events}").start(folder)
    try:
        found = await measure_replay(running, folder, sizes.events, GROWING_SECONDS)
        return {
            "events": float(found["replay_events"]),
            "reading its pages, ms": float(found["replay_pages_ms"]),
            "replayed by a fresh worker, ms": float(found["replay_ms"]),
            "resident, MiB": running.server.rss() / MIB,
        }
    finally:
        await running.stop()
