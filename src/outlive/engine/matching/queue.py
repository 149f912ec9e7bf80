"""One task queue: offers that wait for a worker, or workers that wait for an offer."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from outlive.engine.matching.backlog import Backlog, Levels
from outlive.engine.matching.offers import NORMAL, Offer, QueueName
from outlive.engine.matching.pollers import Poller, Pollers
from outlive.engine.matching.rates import Pace, Rate
from outlive.engine.matching.throttle import Throttle, Turn
from outlive.limits import RATE_LIMITED_SHOWN, SCALE_UP_ADD_RATIO, SCALE_UP_BACKLOG_AGE

Stands = Callable[[Offer], bool]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A poll that waits."""

    poller: Poller
    stands: Stands


@dataclass(frozen=True, slots=True)
class LevelStats:
    """What DescribeTaskQueue says of one priority level. Times are nanoseconds, rates tasks a second."""

    backlog: int = 0
    age: int = 0  # of the oldest offer
    add_rate: float = 0.0
    dispatch_rate: float = 0.0
    limited: bool = False  # a rate limit has held offers back lately


class TaskQueue:
    """Offers on one side, polls on the other. Both wait at once only where a rate limit holds them apart."""

    __slots__ = (
        "added",
        "backlog",
        "dispatched",
        "last_polled",
        "levels",
        "name",
        "scaling",
        "seen",
        "sticky",
        "throttle",
        "waiting",
    )

    def __init__(self, name: QueueName, levels: Levels) -> None:
        self.name = name
        self.levels = levels
        self.backlog = Backlog(levels)
        self.waiting: OrderedDict[asyncio.Future[Offer], Waiting] = OrderedDict()
        self.seen = Pollers()
        self.last_polled = 0
        self.sticky = False
        self.throttle: Throttle | None = None
        self.scaling: Pace | None = None  # of the hints to scale up
        self.added: dict[int, Rate] = {}
        self.dispatched: dict[int, Rate] = {}

    @property
    def unused(self) -> bool:
        """Nothing would be lost with it, once its workers have gone."""
        return not self.waiting and (self.sticky or not self.backlog)

    def adopt(self, throttle: Throttle) -> None:
        self.throttle = throttle
        self.backlog.weights = throttle.settings.weights

    # -- taking

    def turn(self, now: int) -> Turn | None:
        """The limits as they are now; None where there are none."""
        throttle = self.throttle
        return throttle.turn(now) if throttle is not None and throttle.limited else None

    def take(self, stands: Stands, now: int, turn: Turn | None) -> Offer | None:
        """The next offer that may go and still stands. Those that no longer do are dropped."""
        ready = turn.ready if turn is not None else None
        while (offer := self.backlog.pop(ready)) is not None:
            if stands(offer):
                if self.throttle is not None:
                    self.throttle.take(offer, now)
                return offer
        return None

    # -- counting

    def count_added(self, offer: Offer, now: int) -> None:
        _count(self.added, self._level(offer), now)

    def count_dispatched(self, offer: Offer, now: int) -> None:
        _count(self.dispatched, self._level(offer), now)

    def _level(self, offer: Offer) -> int:
        return self.levels.default if offer.rank is NORMAL else self.levels.of(offer.rank)

    def _limited(self, now: int) -> bool:
        at = self.throttle.limited_at if self.throttle is not None else 0
        return bool(at) and at > now - RATE_LIMITED_SHOWN

    def stats(self, now: int) -> dict[int, LevelStats]:
        """By priority level; the default level is always there."""
        waiting = self.backlog.by_level()
        limited = self._limited(now)
        result: dict[int, LevelStats] = {}
        for level in sorted({self.levels.default, *waiting, *self.added, *self.dispatched}):
            count, oldest = waiting.get(level, (0, 0))
            result[level] = LevelStats(
                backlog=count,
                age=max(0, now - oldest) if count else 0,
                add_rate=_per_second(self.added, level, now),
                dispatch_rate=_per_second(self.dispatched, level, now),
                limited=limited,
            )
        return result

    # -- advice on the number of pollers

    def wants_more_pollers(self, now: int) -> bool:
        """Whether offers wait, or come faster than they go."""
        if self._limited(now):
            return False
        if self.backlog:
            return now - self.backlog.next_at() > SCALE_UP_BACKLOG_AGE
        added = sum(rate.per_second(now) for rate in self.added.values())
        dispatched = sum(rate.per_second(now) for rate in self.dispatched.values())
        return added > dispatched * SCALE_UP_ADD_RATIO


def _count(rates: dict[int, Rate], level: int, now: int) -> None:
    rate = rates.get(level)
    if rate is None:
        rate = rates[level] = Rate(now)
    rate.count(now)


def _per_second(rates: dict[int, Rate], level: int, now: int) -> float:
    rate = rates.get(level)
    return rate.per_second(now) if rate is not None else 0.0
