"""Figures of task queues, as descriptions tell them."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio.api.taskqueue.v1 import TaskQueueStats

from outlive.core.proto import duration
from outlive.engine.matching import LevelStats


def total(levels: Iterable[LevelStats]) -> LevelStats:
    """Several levels, or queues, as one."""
    levels = list(levels)
    return LevelStats(
        backlog=sum(level.backlog for level in levels),
        age=max((level.age for level in levels), default=0),
        add_rate=sum(level.add_rate for level in levels),
        dispatch_rate=sum(level.dispatch_rate for level in levels),
        limited=any(level.limited for level in levels),
    )


def stats_message(level: LevelStats) -> TaskQueueStats:
    """The figures of one level, or of several as one, as the protocol has them."""
    return TaskQueueStats(
        approximate_backlog_count=level.backlog,
        approximate_backlog_age=duration(level.age),
        tasks_add_rate=level.add_rate,
        tasks_dispatch_rate=level.dispatch_rate,
        rate_limiting_active=level.limited,
    )
