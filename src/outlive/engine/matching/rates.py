"""Rates: how many a second there were, and how many a second there may be."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

from outlive.limits import RATE_BUCKET, RATE_BUCKETS, SECOND

NEVER: Final = sys.maxsize


class Rate:
    """Events a second, over the last half minute."""

    __slots__ = ("_at", "_counts", "_since", "_until")

    def __init__(self, now: int) -> None:
        self._since = now
        self._until = now + RATE_BUCKET  # end of the bucket that is being filled
        self._at = 0
        self._counts = [0] * RATE_BUCKETS

    def count(self, now: int) -> None:
        if now >= self._until:
            self._advance(now)
        self._counts[self._at] += 1

    def _advance(self, now: int) -> None:
        steps = (now - self._until) // RATE_BUCKET + 1
        for _ in range(min(steps, RATE_BUCKETS)):
            self._at = (self._at + 1) % RATE_BUCKETS
            self._counts[self._at] = 0
        self._until += steps * RATE_BUCKET

    def per_second(self, now: int) -> float:
        if now >= self._until:
            self._advance(now)
        full = RATE_BUCKET * (RATE_BUCKETS - 1)
        span = min(now - (self._until - RATE_BUCKET) + full, now - self._since)
        return sum(self._counts) * SECOND / max(span, SECOND)


@dataclass(slots=True)
class Pace:
    """A limit on events a second, with a burst: the generic cell rate algorithm.

    One may go at `ready` or later. `interval` and `burst` are nanoseconds; an interval of 0 lets none go.
    """

    interval: int
    burst: int
    ready: int = 0

    @classmethod
    def of(cls, per_second: float, burst: int = SECOND) -> Pace:
        """A burst of n nanoseconds lets what is due in that time go at once."""
        if per_second <= 1e-9:  # an interval that no clock lives to see
            return cls(0, burst, NEVER)
        return cls(int(SECOND / per_second), burst)

    def take(self, now: int, weight: float = 1.0) -> None:
        """One goes. `weight` is how much more often they may."""
        if self.interval:
            self.ready = max(self.ready, now - self.burst) + int(self.interval / weight)

    def adopt(self, old: Pace, now: int) -> None:
        """Go on from another limit's place, without waiting longer than one's own allows."""
        self.ready = min(old.ready, now + self.interval + self.burst) if self.interval else NEVER
