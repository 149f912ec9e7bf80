"""The offers that wait in a queue: strictly by priority level, within a level by fairness key.

The common queue knows one level and no fairness keys: then a level is a plain deque.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

from outlive.engine.matching.fair import FairQueue, KeyReady, Weights
from outlive.engine.matching.offers import NORMAL, Offer, Rank
from outlive.limits import PRIORITY_LEVELS


@dataclass(frozen=True, slots=True)
class Levels:
    """How many priority levels there are (`matching.priorityLevels`)."""

    count: int = PRIORITY_LEVELS

    @property
    def default(self) -> int:
        """The level of offers that name none."""
        return (self.count + 1) // 2

    def of(self, rank: Rank) -> int:
        return min(rank.level, self.count) if rank.level else self.default


class _Level:
    """The offers of one level."""

    __slots__ = ("fair", "first", "number", "plain")

    def __init__(self, number: int) -> None:
        self.number = number
        self.first: deque[Offer] = deque()  # queries, and what a poller gave back
        self.plain: deque[Offer] = deque()  # no fairness key is waiting
        self.fair: FairQueue | None = None

    def __len__(self) -> int:
        return len(self.first) + len(self.plain) + (len(self.fair) if self.fair is not None else 0)

    def __iter__(self) -> Iterator[Offer]:
        return chain(self.first, self.plain, self.fair or ())

    def heads(self) -> Iterator[Offer]:
        """Offers among which the oldest one is."""
        if self.first:
            yield from self.first
        if self.plain:
            yield self.plain[0]
        if self.fair is not None:
            yield from self.fair.heads()

    def push(self, offer: Offer) -> None:
        if offer.query is not None:
            self.first.append(offer)
            return
        if self.fair is None:
            if not offer.rank.key:
                self.plain.append(offer)
                return
            self.fair = FairQueue()
            for earlier in self.plain:
                self.fair.push(earlier)
            self.plain.clear()
        self.fair.push(offer)

    def pop(self, weights: Weights, ready: KeyReady | None) -> Offer | None:
        for queue in (self.first, self.plain):
            if queue and (ready is None or ready(queue[0].rank.key)):
                return queue.popleft()
        if self.fair is None:
            return None
        offer = self.fair.pop(weights, ready)
        if not self.fair:
            self.fair = None
        return offer


class Backlog:
    """Offers that wait. Weights of fairness keys are given from outside, and may change at any time."""

    __slots__ = ("_count", "_filled", "_levels", "_made", "weights")

    def __init__(self, levels: Levels) -> None:
        self._levels = levels
        self._made: dict[int, _Level] = {}
        self._filled: list[_Level] = []  # levels that have offers, the first to go first
        self._count = 0
        self.weights: Weights = {}

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Offer]:
        return chain.from_iterable(self._filled)

    def _level(self, offer: Offer) -> _Level:
        """The offer's level, counted among the filled ones."""
        number = self._levels.of(offer.rank) if offer.rank is not NORMAL else self._levels.default
        level = self._made.get(number)
        if level is None:
            level = self._made[number] = _Level(number)
        if not level:
            self._filled.append(level)
            self._filled.sort(key=lambda filled: filled.number)
        return level

    def push(self, offer: Offer) -> None:
        self._level(offer).push(offer)
        self._count += 1

    def give_back(self, offer: Offer) -> None:
        """It was taken and could not be used: it goes before the others of its level."""
        self._level(offer).first.appendleft(offer)
        self._count += 1

    def pop(self, ready: KeyReady | None = None) -> Offer | None:
        """The next offer whose fairness key is `ready`; None if there is none."""
        for level in self._filled:
            offer = level.pop(self.weights, ready)
            if offer is not None:
                self._count -= 1
                if not level:
                    self._filled.remove(level)
                return offer
        return None

    def oldest(self) -> int:
        """When the oldest offer was made; 0 if there is none."""
        return min((head.offered_at for level in self._filled for head in level.heads()), default=0)

    def next_at(self) -> int:
        """When the offer that goes next was made; 0 if there is none."""
        return next(iter(self._filled[0].heads())).offered_at if self._filled else 0

    def by_level(self) -> dict[int, tuple[int, int]]:
        """Of each level that has offers: how many, and when the oldest was made."""
        return {level.number: (len(level), min(head.offered_at for head in level.heads())) for level in self._filled}
