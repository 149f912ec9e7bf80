"""Which worker version takes the new work of a task queue.

Rules (all of them live in this file)
- A deployment says so for the task queues of its current and of its ramping version. Of several that do, the
  one that was changed last counts, and a version counts before unversioned workers.
- A task queue that no current version has is for unversioned workers.
- A ramp takes the workflow ids whose hash is below its percentage: an id stays on its side while the
  percentage only grows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple, Protocol

from temporalio.api.taskqueue.v1 import TaskQueueVersioningInfo

from outlive.core.deployments.state import Deployment, Queue
from outlive.core.proto import ZERO_TIME, timestamp
from outlive.core.version_names import VersionName, dotted


class Target(NamedTuple):
    """The version for a piece of work (None: unversioned workers), and the revision of the routing that says so."""

    version: VersionName | None
    revision: int


@dataclass(frozen=True, slots=True)
class QueueRouting:
    """The routing of one task queue."""

    current: VersionName | None = None
    current_revision: int = 0
    current_changed: int = 0  # nanoseconds since the epoch
    ramping: VersionName | None = None
    ramp: float = 0.0  # per cent
    ramp_revision: int = 0
    ramp_changed: int = 0

    @property
    def ramps(self) -> bool:
        """Whether a part goes elsewhere, be it to unversioned workers."""
        return self.ramping is not None or self.ramp > 0

    def target(self, workflow_id: str, *, use_ramping: bool = False) -> Target:
        """Where new work of the workflow goes. `use_ramping`: to the ramping version whatever its percentage."""
        if use_ramping and self.ramping is not None:
            return Target(self.ramping, self.ramp_revision)
        if self.ramp > 0 and (self.ramp >= 100 or ramp_threshold(workflow_id) <= self.ramp):
            return Target(self.ramping, self.ramp_revision)
        return Target(self.current, self.current_revision)

    def info(self) -> TaskQueueVersioningInfo:
        """As descriptions of the task queue show it."""
        changed = max(self.current_changed, self.ramp_changed if self.ramps else 0)
        return TaskQueueVersioningInfo(
            current_deployment_version=self.current.message() if self.current is not None else None,
            current_version=dotted(self.current),
            ramping_deployment_version=self.ramping.message() if self.ramping is not None else None,
            ramping_version=dotted(self.ramping) if self.ramps else "",
            ramping_version_percentage=self.ramp,
            update_time=timestamp(changed or ZERO_TIME),
        )


UNROUTED: Final = QueueRouting()


class Routes(Protocol):
    """What decisions on runs may ask about deployments."""

    def routing(self, namespace_id: str, queue: str, *, activities: bool = False) -> QueueRouting: ...

    def has(self, namespace_id: str, queue: str, version: VersionName, *, activities: bool = False) -> bool:
        """Whether workers of the version have polled the queue."""
        ...


class NoRoutes:
    """For decisions in a world without deployments."""

    def routing(self, namespace_id: str, queue: str, *, activities: bool = False) -> QueueRouting:
        return UNROUTED

    def has(self, namespace_id: str, queue: str, version: VersionName, *, activities: bool = False) -> bool:
        return False


NO_ROUTES: Final = NoRoutes()


def ramp_threshold(workflow_id: str) -> float:
    """The percentage from which on a ramp takes the workflow: evenly spread over 0 to 100, the same for ever."""
    digest = hashlib.blake2b(workflow_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64 * 100


def queue_routing(deployments: Iterable[Deployment], queue: Queue) -> QueueRouting:
    """The routing of a queue, from all the deployments that have versions with it."""
    known = list(deployments)
    by_current = _latest(known, queue, lambda d: d.routing.current, lambda d: d.routing.current_changed)
    by_ramp = _latest(known, queue, lambda d: d.routing.ramping or "", lambda d: d.routing.ramp_changed)
    result = UNROUTED
    if by_current is not None:
        routing = by_current.routing
        result = QueueRouting(by_current.named(routing.current), routing.revision, routing.current_changed)
    if by_ramp is None:
        return result
    routing = by_ramp.routing
    return QueueRouting(
        result.current,
        result.current_revision,
        result.current_changed,
        by_ramp.named(routing.ramping),
        routing.ramp,
        routing.revision,
        routing.ramp_changed,
    )


def _latest(
    deployments: Iterable[Deployment],
    queue: Queue,
    build_of: Callable[[Deployment], str],
    changed: Callable[[Deployment], int],
) -> Deployment | None:
    """The deployment whose word counts: the last changed one with a version for the queue, else without one."""
    versioned: Deployment | None = None
    unversioned: Deployment | None = None
    for deployment in deployments:
        at = changed(deployment)
        version = deployment.versions.get(build_of(deployment))
        if version is not None and queue in version.queues:
            if at > (changed(versioned) if versioned else 0):
                versioned = deployment
        elif not build_of(deployment) and at > (changed(unversioned) if unversioned else 0):
            unversioned = deployment
    return versioned or unversioned
