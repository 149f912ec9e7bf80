"""What the parts share: how much of everything, a server with settings of its own, what it weighs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from pathlib import Path

from temporalio.client import Client

from benchmarks.measure import percentile
from benchmarks.processes import Managed
from benchmarks.protocol.server import Server
from benchmarks.systems.outlive import Outlive

NAMESPACE = "default"
KIB, MIB = 1024, 1024 * 1024

Figures = dict[str, float]
"""Measured numbers by their label, which names the unit."""


@dataclass(frozen=True)
class Sizes:
    """How many of everything."""

    rows: int = 1_000_000
    sleepers: int = 50_000
    activities: int = 10_000
    events: int = 50_000
    payloads: int = 100
    schedules: int = 10_000
    pollers: int = 1_000

    def scaled(self, factor: float) -> Sizes:
        """All of them times a factor, at least ten of each."""
        return Sizes(**{field.name: max(10, int(getattr(self, field.name) * factor)) for field in fields(self)})


class Large(Outlive):
    """outlive on a file, with dynamic settings."""

    def __init__(self, *settings: str) -> None:
        super().__init__(durable=True)
        self._settings = settings

    def command(self, port: int, database: Path | None) -> list[str | Path]:
        """As for the other benchmarks, and the settings."""
        flags = [part for setting in self._settings for part in ("--dynamic-config-value", setting)]
        return [*super().command(port, database), *flags]


@asynccontextmanager
async def serving(folder: Path, *settings: str) -> AsyncIterator[tuple[Server, Client]]:
    """A server on the file in the folder, and a client of it; killed at the end."""
    server = await Large(*settings).start_server(folder)
    try:
        yield server, await Client.connect(server.address)
    finally:
        server.process.kill()


def spread(label: str, taken: Sequence[float]) -> Figures:
    """p50 and p95 of milliseconds."""
    return {f"{label}, p50 ms": percentile(taken, 50), f"{label}, p95 ms": percentile(taken, 95)}


def weight(server: Managed, before: int, count: int) -> float:
    """KiB of resident memory that each of `count` things has cost since `before` (bytes)."""
    return (server.rss() - before) / KIB / count
