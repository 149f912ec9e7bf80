"""The one place that reads the machine's clock and makes random ids; both are injected everywhere else."""

from __future__ import annotations

import os
import time
from typing import Protocol


class Clock(Protocol):
    """What the server takes for the time."""

    def now(self) -> int:
        """Nanoseconds since the Unix epoch, UTC."""
        ...


class SystemClock:
    """The machine's wall clock."""

    def now(self) -> int:
        return time.time_ns()


def new_id() -> str:
    """A fresh id (UUID version 7), for runs and for requests that the server makes itself.

    Version 7 begins with the time, so ids of runs that start together lie together in an index.
    """
    milliseconds = time.time_ns() // 1_000_000 & (1 << 48) - 1
    noise = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 64 & 0xFFF) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    digits = f"{value:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
