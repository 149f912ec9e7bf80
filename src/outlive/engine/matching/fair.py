"""A fair queue: offers of one priority level, shared out among fairness keys by weight.

Start-time fair queueing (a stride scheduler): each key has a lane with a virtual time, its `passed`. The
lane that has passed least goes next, and moves on by 1 / weight. A lane that was empty starts where the
queue is now, so that a key gathers no claim while it has nothing to do. Lanes that have passed the same
take turns. Weights count when an offer goes, so new ones are in force at once.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Mapping

from outlive.engine.matching.offers import Offer
from outlive.limits import FAIRNESS_LANES_SPARE, FAIRNESS_WEIGHT_MAX, FAIRNESS_WEIGHT_MIN

KeyReady = Callable[[str], bool]
Weights = Mapping[str, float]


def weight_of(offer: Offer, overrides: Weights) -> float:
    """How much of the queue the offer's key gets, compared with the others."""
    rank = offer.rank
    weight = overrides.get(rank.key, rank.weight)
    if weight <= 0:
        return 1.0
    return min(max(weight, FAIRNESS_WEIGHT_MIN), FAIRNESS_WEIGHT_MAX)


class _Lane:
    """The offers of one key, in order. A list and a place in it: smaller than a deque."""

    __slots__ = ("first", "key", "offers", "passed")

    def __init__(self, key: str, passed: float) -> None:
        self.key = key
        self.passed = passed
        self.offers: list[Offer] = []
        self.first = 0

    def __len__(self) -> int:
        return len(self.offers) - self.first

    def take(self) -> Offer:
        offer = self.offers[self.first]
        self.first += 1
        if self.first == len(self.offers):
            self.offers.clear()
            self.first = 0
        elif self.first >= 64 and self.first * 2 >= len(self.offers):
            del self.offers[: self.first]
            self.first = 0
        return offer


class FairQueue:
    """Offers by fairness key."""

    __slots__ = ("_active", "_count", "_lanes", "_now", "_turn")

    def __init__(self) -> None:
        self._lanes: dict[str, _Lane] = {}
        self._active: list[tuple[float, int, _Lane]] = []  # heap of the lanes that have offers
        self._now = 0.0  # virtual time: what the lane served last had passed
        self._turn = 0
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Offer]:
        for _, _, lane in self._active:
            yield from lane.offers[lane.first :]

    @property
    def keys_known(self) -> int:
        """Keys that cost memory: those that have offers, and some that had."""
        return len(self._lanes)

    def heads(self) -> Iterator[Offer]:
        """The next offer of each key."""
        for _, _, lane in self._active:
            yield lane.offers[lane.first]

    def push(self, offer: Offer) -> None:
        lane = self._lanes.get(offer.rank.key)
        if lane is None:
            lane = self._lanes[offer.rank.key] = _Lane(offer.rank.key, self._now)
            self._forget_spare()
        if not lane.offers:
            lane.passed = max(lane.passed, self._now)
            self._activate(lane)
        lane.offers.append(offer)
        self._count += 1

    def _activate(self, lane: _Lane) -> None:
        self._turn += 1
        heapq.heappush(self._active, (lane.passed, self._turn, lane))

    def _forget_spare(self) -> None:
        """Empty lanes are kept to know what they have had; a flood of new keys must not add up."""
        if len(self._lanes) <= 2 * len(self._active) + FAIRNESS_LANES_SPARE:
            return
        for keep_ahead in (True, False):
            for key, lane in list(self._lanes.items()):
                if not lane.offers and not (keep_ahead and lane.passed > self._now):
                    del self._lanes[key]
            if len(self._lanes) <= 2 * len(self._active) + FAIRNESS_LANES_SPARE // 2:
                return

    def pop(self, weights: Weights, ready: KeyReady | None = None) -> Offer | None:
        """The next offer of a key that is `ready`; None if no key is."""
        held: list[tuple[float, int, _Lane]] = []
        try:
            while self._active:
                passed, _, lane = entry = heapq.heappop(self._active)
                if ready is None or ready(lane.key):
                    return self._serve(lane, passed, weights)
                held.append(entry)
            return None
        finally:
            for entry in held:
                heapq.heappush(self._active, entry)

    def _serve(self, lane: _Lane, passed: float, weights: Weights) -> Offer:
        offer = lane.take()
        self._count -= 1
        self._now = max(self._now, passed)
        lane.passed = passed + 1 / weight_of(offer, weights)
        if lane.offers:
            self._activate(lane)
        return offer
