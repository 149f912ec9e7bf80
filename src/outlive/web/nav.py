"""The places of the navigation: what they are called, where they are, and the key that goes there after ``g``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Place:
    """One entry. ``path`` is its route below the base path; a place without a route is not shown."""

    key: str
    label: str
    path: str
    go: str
    group: int = 0

    @property
    def within(self) -> bool:
        """Whether it shows one namespace's things."""
        return "{namespace}" in self.path


_IN: Final = "/namespaces/{namespace}"
PLACES: Final = (
    Place("home", "Home", _IN, "h"),
    Place("runs", "Runs", f"{_IN}/workflows", "w"),
    Place("approvals", "Approvals", f"{_IN}/approvals", "a"),
    Place("schedules", "Schedules", f"{_IN}/schedules", "s"),
    Place("batches", "Batches", f"{_IN}/batches", "b"),
    Place("costs", "Costs", f"{_IN}/costs", "c"),
    Place("queues", "Task queues", f"{_IN}/task-queues", "q", 1),
    Place("workers", "Workers", f"{_IN}/workers", "o", 1),
    Place("deployments", "Deployments", f"{_IN}/deployments", "d", 1),
    Place("namespaces", "Namespaces", "/namespaces", "n", 2),
    Place("settings", "Settings and health", "/settings", "x", 2),
)


def shown(paths: Iterable[str]) -> tuple[Place, ...]:
    """The places that have a page among the routes with these paths."""
    there = set(paths)
    return tuple(place for place in PLACES if place.path in there)
