"""Task queues in memory: what is offered, who polls, and in which order the two meet."""

from outlive.engine.matching.matching import Matching, Taken
from outlive.engine.matching.offers import Offer, QueueName, Rank, rank_of
from outlive.engine.matching.pollers import Poller, PollerSeen
from outlive.engine.matching.queue import LevelStats
from outlive.engine.matching.rates import Pace
from outlive.engine.matching.throttle import QueueSettings

__all__ = [
    "LevelStats",
    "Matching",
    "Offer",
    "Pace",
    "Poller",
    "PollerSeen",
    "QueueName",
    "QueueSettings",
    "Rank",
    "Taken",
    "rank_of",
]
