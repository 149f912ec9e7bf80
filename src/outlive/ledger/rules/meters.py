"""What is measured against a limit: requests and tokens in a window, and calls at the same time.

**Why a sliding log.** Providers count in ways that they do not tell: minutes by the clock, the last sixty seconds,
or a bucket that refills. What stays below the limit in *every* span of a minute passes all three: a span by the clock
is one such span, and a bucket of size L that refills L a minute admits any use A with A(t) <= L + L t, which "at most
L in any minute" implies. A token bucket of ours would let 2 L through in some minutes (a full bucket, then the
refill), which a provider with minutes by the clock answers with 429s; made small enough to never do that, it leaves
a part of each minute unused. The log costs one entry per call and wastes only what is smaller than the next call.

**And why a pace.** Let through as soon as there is room, a minute's calls bunch up at its beginning, and stay bunched
for ever, since the log frees them as they came: half of the callers wait a second and the other half a minute. So a
quarter of the limit may be used at once, and what comes after it keeps to 105 % of the limit per minute. Under load
waits become even (longest under twice the median) and nothing is lost; providers that look at seconds are content, too.

A use counts from the moment its call is sent (`start`); one that is held for a call not sent yet counts without end.
It leaves `span` and 1 % later: the call reaches the provider a little after it was counted here. When the call's real
usage is known the entry is amended in its place, so that what was estimated too high can be used at once.

**What a provider says tightens**: its limit, where it is lower than ours, and what it has seen used beyond what we
know of (others with the same key), each until the moment that the provider named.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass
from itertools import islice
from math import ceil

from outlive.limits import FORECAST_ENTRIES, PACE, PACE_BURST, WINDOW_MARGIN


@dataclass(slots=True, eq=False)
class Use:
    """One call's part of a meter. `at` is None while it is held, or for a meter without time."""

    amount: int
    at: int | None = None
    gone: bool = False  # it has left the meter


class Meter(ABC):
    """Something with a limit. `waiting` counts the tickets that want room in it."""

    def __init__(self, name: str, what: str, limit: int) -> None:
        self.name = name  # of the quota
        self.what = what  # "requests", "tokens" or "concurrency"
        self.limit = limit
        self.waiting = 0
        self.asked = 0  # total of what tickets have ever wanted: a place in the queue is a mark on it
        self.served = 0  # total of what has been taken from the queue
        self.mean_open = 0.0  # nanoseconds that calls stay open, about
        self.mean_share = 1.0  # of what calls take that they use in the end, about

    @abstractmethod
    def room(self, now: int) -> int:
        """What may be taken now; may be negative after an estimate that was too low."""

    def learn(self, opened: int, taken: int, used: int) -> None:
        """A call has ended, so many nanoseconds after its grant: forecasts get better by it."""
        self.mean_open += (opened - self.mean_open) / 16
        if taken:
            self.mean_share += (min(used / taken, 2.0) - self.mean_share) / 16

    def fits(self, amount: int, now: int) -> bool:
        """Whether a call that wants so much may be made now."""
        return self.room(now) >= amount

    @abstractmethod
    def idle(self, now: int) -> bool:
        """Nothing is counted, so forgetting the meter changes nothing."""

    @abstractmethod
    def take(self, amount: int) -> Use:
        """Count so much for a call."""

    @abstractmethod
    def start(self, use: Use, now: int) -> None:
        """The call is sent now."""

    @abstractmethod
    def finish(self, use: Use, amount: int) -> None:
        """The call has ended and used this much."""

    @abstractmethod
    def drop(self, use: Use) -> None:
        """The call was never sent."""

    @abstractmethod
    def free_at(self, amount: int, ahead: int, now: int) -> int | None:
        """When so much will fit after `ahead` has been taken; None where that cannot be told."""


class Window(Meter):
    """At most `limit` in any `span` nanoseconds."""

    def __init__(self, name: str, what: str, limit: int, span: int) -> None:
        super().__init__(name, what, limit)
        self.span = span
        self._kept = span + span // WINDOW_MARGIN
        self._log: deque[Use] = deque()
        self._used = 0  # in the log
        self._burst = max(1, limit * PACE_BURST // 100)
        self._credit = float(self._burst)  # what the pace allows now ...
        self._credit_at = 0  # ... as of then
        self._held = 0
        self._said_limit: tuple[int, int] | None = None  # the provider's limit, and until when it holds
        self._foreign = 0  # used by others, as far as the provider's word goes ...
        self._foreign_until = 0  # ... until then

    def used(self, now: int) -> int:
        """What counts now, without what others use."""
        log, end = self._log, now - self._kept
        while log and (log[0].gone or log[0].at is None or log[0].at <= end):
            use = log.popleft()
            if not use.gone:
                self._used -= use.amount
                use.gone = True
        return self._used + self._held

    def room(self, now: int) -> int:
        used = self.used(now)
        limit = self.limit
        if self._said_limit is not None:
            said, until = self._said_limit
            if now >= until:
                self._said_limit = None
            else:
                limit = min(limit, said)
        if now >= self._foreign_until:
            self._foreign = 0
        return limit - used - self._foreign

    def idle(self, now: int) -> bool:
        return not (self.used(now) or self._held or self._log or self.waiting)

    def fits(self, amount: int, now: int) -> bool:
        return self.room(now) >= amount and self._paced(now) >= min(amount, self._burst)

    def _paced(self, now: int) -> float:
        """What the pace allows now."""
        if now > self._credit_at:
            self._burst = max(1, self.limit * PACE_BURST // 100)
            earned = (now - self._credit_at) * self.limit * PACE / (100 * self.span)
            self._credit = min(self._burst, self._credit + earned)
            self._credit_at = now
        return self._credit

    def take(self, amount: int) -> Use:
        self._credit -= amount
        self._held += amount
        return Use(amount)

    def start(self, use: Use, now: int) -> None:
        if use.at is None and not use.gone:
            self._held -= use.amount
            self._used += use.amount
            use.at = now
            self._log.append(use)

    def restore(self, amount: int, at: int) -> Use:
        """Put back what was counted before a restart. Called in the order of time."""
        use = Use(amount, at)
        self._used += amount
        self._log.append(use)
        return use

    def finish(self, use: Use, amount: int) -> None:
        if use.gone:
            return
        self._credit += use.amount - amount
        if use.at is None:
            self._held += amount - use.amount
        else:
            self._used += amount - use.amount
        use.amount = amount

    def drop(self, use: Use) -> None:
        if not use.gone:
            self.finish(use, 0)
            use.gone = True

    def said(self, limit: int | None, remaining: int | None, until: int, now: int) -> None:
        """The provider's word, after a call that it has counted."""
        if limit is not None and limit < self.limit:
            self._said_limit = (limit, until)
        elif limit is not None:
            self._said_limit = None
        if remaining is not None and limit is not None:
            self._foreign = max(0, limit - remaining - self.used(now))
            self._foreign_until = until

    def free_at(self, amount: int, ahead: int, now: int) -> int | None:
        short = ahead - self._paced(now) + min(amount, self._burst)
        # a microsecond more: what is earned by then must not fall short by a rounding
        wait = ceil(short * 100 * self.span / (max(self.limit, 1) * PACE)) + 1_000 if short > 0 else 0
        return max(now + wait, self._room_at(amount + ahead, now))

    def _room_at(self, amount: int, now: int) -> int:
        """When the log will have room for so much."""
        lacking = amount - self.room(now)
        if lacking <= 0:
            return now
        at = now
        rounds, lacking = divmod(lacking, max(self.limit, 1)) if lacking > self.limit else (0, lacking)
        freed = 0
        for use in islice(self._log, FORECAST_ENTRIES):
            if use.gone or use.at is None:
                continue
            freed += use.amount
            at = use.at + self._kept
            if freed >= lacking:
                break
        else:
            at = now + self._kept * lacking // max(self.limit, 1)
        if self._foreign and freed < lacking:
            at = max(at, self._foreign_until)
        if self._said_limit is not None and amount > self._said_limit[0]:
            at = max(at, self._said_limit[1])
        return max(at, now) + rounds * self._kept


class Concurrency(Meter):
    """At most `limit` calls at the same time."""

    def __init__(self, name: str, limit: int) -> None:
        super().__init__(name, "concurrency", limit)
        self.open = 0

    def room(self, now: int) -> int:
        return self.limit - self.open

    def idle(self, now: int) -> bool:
        return not (self.open or self.waiting)

    def take(self, amount: int) -> Use:
        self.open += amount
        return Use(amount)

    def start(self, use: Use, now: int) -> None:
        """A call counts from its grant on, sent or not."""

    def free_at(self, amount: int, ahead: int, now: int) -> int | None:
        return now if self.room(now) >= amount + ahead else None

    def finish(self, use: Use, amount: int) -> None:
        self.drop(use)

    def drop(self, use: Use) -> None:
        if not use.gone:
            self.open -= use.amount
            use.gone = True
