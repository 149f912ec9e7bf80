"""Who polls a queue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from temporalio.api.common.v1 import WorkerVersionCapabilities
from temporalio.api.deployment.v1 import WorkerDeploymentOptions

from outlive.limits import POLLER_SEEN, POLLERS_LISTED_MAX


@dataclass(frozen=True, slots=True)
class Poller:
    """What a poll says of its worker."""

    identity: str
    instance_key: str = ""  # of the worker's process, by which ShutdownWorker names it
    rate: float | None = None  # max_tasks_per_second
    sticky: bool = False  # it polls the queue of one worker's cached workflows
    capabilities: WorkerVersionCapabilities | None = None
    deployment: WorkerDeploymentOptions | None = None


@dataclass(frozen=True, slots=True)
class PollerSeen:
    """A worker that polled, and when it last did (nanoseconds)."""

    poller: Poller
    last_access: int


class Pollers:
    """The workers that polled a queue lately, by identity."""

    __slots__ = ("_seen",)

    def __init__(self) -> None:
        self._seen: dict[str, PollerSeen] = {}  # the longest unseen first

    def note(self, poller: Poller, now: int) -> None:
        seen = self._seen
        seen.pop(poller.identity, None)
        seen[poller.identity] = PollerSeen(poller, now)
        oldest = next(iter(seen.values()))
        if len(seen) > POLLERS_LISTED_MAX or oldest.last_access < now - POLLER_SEEN:
            del seen[oldest.poller.identity]

    def forget(self, identity: str) -> None:
        self._seen.pop(identity, None)

    def since(self, moment: int) -> Iterator[PollerSeen]:
        """Those seen after the moment, the latest first."""
        return (seen for seen in reversed(list(self._seen.values())) if seen.last_access > moment)

    def __len__(self) -> int:
        return len(self._seen)
