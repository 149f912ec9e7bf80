"""What the benchmark asks of every system."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.processes import Managed


class Unavailable(Exception):
    """The system can't run on this machine; the text says why, for the table."""


class WrongResult(Exception):
    """A workflow completed with another result than its own, or without its steps in its history."""


class Running(ABC):
    """A system that accepts work.

    `server` is None where the engine lives in the worker's process. `idle_rss` is the engine's resident
    memory in bytes after a quiet time, before any work (and before the worker, where that is another process).
    """

    server: Managed | None
    worker: Managed
    idle_rss: int

    @abstractmethod
    async def run(self, steps: int, count: int, in_flight: int) -> None:
        """Run `count` workflows of `steps` sequential steps each, `in_flight` at once, to their end.

        Raises `WrongResult` when one ends with another result than its number of steps.
        """

    @abstractmethod
    async def stop(self) -> None:
        """End every process of the system."""


class System(ABC):
    """One column of the table."""

    key: str
    title: str

    @abstractmethod
    def prepare(self) -> str:
        """Install what is missing; the version for the table. Raises `Unavailable`."""

    @abstractmethod
    async def ready_seconds(self, folder: Path) -> float:
        """Seconds from the server's command to its first answer, on fresh data in `folder`."""

    @abstractmethod
    async def start(self, folder: Path) -> Running:
        """Start server and worker on fresh data in `folder`."""
