"""Rate limits as providers keep them: so many requests and tokens in any minute, for each model and key."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class RateLimits:
    """Per minute of the provider's clock, for each pair of key and model. None: no limit."""

    requests: int | None = None
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A limit as headers tell it. `reset` is in the provider's seconds, until all of it is free again."""

    limit: int
    remaining: int
    reset: float


@dataclass(frozen=True, slots=True)
class Standings:
    """How a key stands with a model."""

    requests: Standing | None = None
    tokens: Standing | None = None


class Windows:
    """Counts what was admitted in the last minute. `now` gives seconds of the provider's clock."""

    def __init__(self, limits: RateLimits, now: Callable[[], float]) -> None:
        self.limits = limits
        self._now = now
        self._logs: dict[tuple[str, str], deque[tuple[float, int]]] = {}

    def admit(self, key: str, model: str, tokens: int) -> float | None:
        """Count a request of so many tokens; or how many seconds until it has room, and nothing is counted."""
        now, log = self._now(), self._log(key, model)
        wait = max(self._wait(log, now, self.limits.requests, 1, each=True),
                   self._wait(log, now, self.limits.tokens, tokens, each=False))  # fmt: skip
        if wait > 0:
            return wait
        log.append((now, tokens))
        return None

    def standings(self, key: str, model: str) -> Standings:
        """What the headers of an answer say."""
        now, log = self._now(), self._log(key, model)
        reset = max(log[-1][0] + MINUTE - now, 0.0) if log else 0.0
        requests, tokens = self.limits.requests, self.limits.tokens
        used = sum(amount for _, amount in log)
        return Standings(
            None if requests is None else Standing(requests, max(requests - len(log), 0), reset),
            None if tokens is None else Standing(tokens, max(tokens - used, 0), reset),
        )

    def _log(self, key: str, model: str) -> deque[tuple[float, int]]:
        log = self._logs.setdefault((key, model), deque())
        oldest = self._now() - MINUTE
        while log and log[0][0] <= oldest:
            log.popleft()
        return log

    def _wait(self, log: deque[tuple[float, int]], now: float, limit: int | None, amount: int, *, each: bool) -> float:
        """Seconds until enough has left the window; a request larger than the limit never has room."""
        if limit is None:
            return 0.0
        over = len(log) + 1 - limit if each else sum(used for _, used in log) + amount - limit
        if over <= 0:
            return 0.0
        for at, used in log:
            over -= 1 if each else used
            if over <= 0:
                return max(at + MINUTE - now, 0.001)
        return MINUTE
