"""The one place that reads the machine's clock and makes random ids; both are injected everywhere else."""

from __future__ import annotations

import os
import time
from typing import Protocol


class Clock(Protocol):
    """What the server takes for the time.

    Executions live by one that tests may skip; calls, polls and what else people wait for by the machine's.
    """

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> int:
        return time.time_ns()


class SkippingClock:
    """Another clock, and what has been skipped of it: it goes at that one's pace, and jumps ahead."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self._skipped = 0

    def now(self) -> int:
        return self._base.now() + self._skipped

    def skip_to(self, time: int) -> None:
        """Make it that time (nanoseconds since the epoch) now, unless it is past."""
        self._skipped += max(0, time - self.now())


def new_id() -> str:
    """A fresh id (UUID version 7), for runs and for requests that the server makes itself.

    Version 7 begins with the time, so ids of runs that start together lie together in an index.
    """
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    noise = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 64 & 0xFFF) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
