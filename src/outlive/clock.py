"""The one place that reads the machine's clock and makes random ids; both are injected everywhere else."""

from __future__ import annotations

import time
import uuid
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
    """A fresh random id (UUID version 4), for runs and for requests that the server makes itself."""
    return str(uuid.uuid4())
