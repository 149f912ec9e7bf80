"""The rate limits of a task queue: of all its versions together, and of each fairness key.

The whole queue's limit is that of the settings (`UpdateTaskQueueConfig`), else what the last poll asked for
(`max_tasks_per_second`), and never above the server's own. A key's limit grows with its weight. A key at
its limit holds up nobody else.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from temporalio.api.enums.v1 import RateLimitSource

from outlive.engine.matching.fair import weight_of
from outlive.engine.matching.offers import Offer
from outlive.engine.matching.rates import NEVER, Pace
from outlive.limits import FAIRNESS_KEYS_PACED, QUEUE_RATE_MAX, SECOND

S = RateLimitSource


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """What `UpdateTaskQueueConfig` has set, as far as matching needs it. Rates are tasks a second."""

    rate: float | None = None
    key_rate: float | None = None
    weights: Mapping[str, float] = field(default_factory=dict)


class Throttle:
    """The limits, and how far they are used up."""

    def __init__(self) -> None:
        self.settings = QueueSettings()
        self.worker_rate: float | None = None
        self.timer: asyncio.TimerHandle | None = None  # wakes the pollers that wait for the limit
        self.limited_at = 0  # when an offer last had to wait for a limit
        self._whole: Pace | None = None
        self._key: Pace | None = None  # as each new key's pace begins
        self._keys: OrderedDict[str, Pace] = OrderedDict()

    @property
    def limited(self) -> bool:
        return self._whole is not None or self._key is not None

    @property
    def effective(self) -> tuple[float, RateLimitSource.ValueType]:
        """The whole queue's limit, and whose it is."""
        rate, source = self.settings.rate, S.RATE_LIMIT_SOURCE_API
        if rate is None:
            rate, source = self.worker_rate, S.RATE_LIMIT_SOURCE_WORKER
        if rate is None or rate >= QUEUE_RATE_MAX:
            return QUEUE_RATE_MAX, S.RATE_LIMIT_SOURCE_SYSTEM
        return rate, source

    def configure(self, settings: QueueSettings, now: int) -> None:
        self.settings = settings
        self._apply(now)

    def polled(self, worker_rate: float | None, now: int) -> None:
        """A worker has asked for so many tasks a second; None: for any number. The last word counts."""
        if worker_rate != self.worker_rate:
            self.worker_rate = worker_rate
            self._apply(now)

    def _apply(self, now: int) -> None:
        rate, source = self.effective
        whole = Pace.of(max(rate, 0.0)) if source != S.RATE_LIMIT_SOURCE_SYSTEM else None
        if whole is not None and self._whole is not None:
            whole.adopt(self._whole, now)
        self._whole = whole
        key_rate = self.settings.key_rate
        key = Pace.of(key_rate) if key_rate is not None else None
        if key != self._key:
            self._key = key
            self._keys.clear()

    def turn(self, now: int) -> Turn:
        return Turn(self, now)

    def ready_at(self, key: str) -> int:
        """When an offer of the key may go."""
        ready = self._whole.ready if self._whole is not None else 0
        if self._key is None:
            return ready
        return max(ready, self._keys.get(key, self._key).ready)

    def take(self, offer: Offer, now: int) -> None:
        """The offer goes."""
        if self._whole is not None:
            self._whole.take(now)
        if self._key is None:
            return
        pace = self._keys.get(offer.rank.key)
        if pace is None:
            pace = self._keys[offer.rank.key] = replace(self._key)
            if len(self._keys) > FAIRNESS_KEYS_PACED:
                self._keys.popitem(last=False)
        self._keys.move_to_end(offer.rank.key)
        pace.take(now, weight_of(offer, self.settings.weights))


class Turn:
    """One look at the limits, at one moment: remembers how long those that must wait have to."""

    __slots__ = ("_now", "_throttle", "next")

    def __init__(self, throttle: Throttle, now: int) -> None:
        self._throttle = throttle
        self._now = now
        self.next = NEVER  # when the first of those that must wait may go

    def ready(self, key: str) -> bool:
        at = self._throttle.ready_at(key)
        if at <= self._now:
            return True
        self._throttle.limited_at = self._now
        self.next = min(self.next, at)
        return False

    @property
    def seconds(self) -> float | None:
        """How long until one may go; None if nothing waits for time alone."""
        return (self.next - self._now) / SECOND if self.next != NEVER else None
