"""Checks of requests at the edge: pure functions that raise, or fill in what the request leaves out.

The words are the protocol's own where clients or people know them. A check never reads a state.
"""

from outlive.api.validation import (
    activities,
    batches,
    changes,
    deployments,
    executions,
    lists,
    multi_operations,
    namespaces,
    options,
    resets,
    schedules,
    starts,
    task_queues,
    tasks,
    time_skipping,
    versioning,
    workers,
)
from outlive.api.validation.common import Scope, nothing

__all__ = [
    "Scope",
    "activities",
    "batches",
    "changes",
    "deployments",
    "executions",
    "lists",
    "multi_operations",
    "namespaces",
    "nothing",
    "options",
    "resets",
    "schedules",
    "starts",
    "task_queues",
    "tasks",
    "time_skipping",
    "versioning",
    "workers",
]
