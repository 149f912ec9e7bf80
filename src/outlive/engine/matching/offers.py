"""Offers of work, the queues they are made to, and their rank among others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from temporalio.api.common.v1 import Priority

from outlive.limits import RANKS_CACHED


@dataclass(frozen=True, slots=True)
class Rank:
    """What a `temporal.api.common.v1.Priority` says of an offer's place in its queue."""

    level: int = 0  # priority key: 1 goes first; 0 stands for the middle level
    key: str = ""  # fairness key: offers of one level are shared out among keys, by weight
    weight: float = 0.0  # of the fairness key, if the queue's settings do not override it; 0 stands for 1


NORMAL = Rank()


def rank_of(priority: bytes | None) -> Rank:
    """The rank that an encoded Priority gives."""
    return _decoded(priority) if priority else NORMAL


@lru_cache(maxsize=RANKS_CACHED)
def _decoded(data: bytes) -> Rank:
    priority = Priority.FromString(data)
    return Rank(max(0, priority.priority_key), priority.fairness_key, priority.fairness_weight)


@dataclass(frozen=True, slots=True)
class Offer:
    """A task for a worker of a queue: of run `key`, and which one of it."""

    key: int
    event_id: int  # of the Scheduled event
    stamp: int  # attempt of a workflow task, stamp of an activity
    query: object | None = None  # a query to answer, instead of a task
    offered_at: int = 0  # when the task was scheduled, also if it is offered again after a restart
    rank: Rank = NORMAL


@dataclass(frozen=True, slots=True)
class QueueName:
    """Workflow and activity tasks of one name are two queues, and each deployment version has its own."""

    namespace_id: str
    name: str
    activities: bool = False
    version: str = ""  # "deployment:build id" of the workers that may take its tasks; "": unversioned ones

    @property
    def base(self) -> QueueName:
        """The queue of unversioned workers, under whose name the settings of all versions are kept."""
        return replace(self, version="") if self.version else self
