"""outlive itself, on a file and in memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.protocol.server import ProtocolSystem
from benchmarks.systems.base import Unavailable


class Outlive(ProtocolSystem):
    """The server of this repository, from the environment that runs the benchmark."""

    def __init__(self, durable: bool) -> None:
        self.durable = durable
        self.key = "outlive" if durable else "outlive-memory"
        self.title = "outlive, file" if durable else "outlive, memory"
        self._binary = Path(sys.executable).with_name("outlive")

    def prepare(self) -> str:
        """Nothing to install: `make setup` did."""
        if not self._binary.exists():
            raise Unavailable("no `outlive` command beside this Python: run `make setup`")
        shown = subprocess.run([self._binary, "--version"], capture_output=True, text=True, timeout=30)
        return shown.stdout.strip() or "unknown version"

    def command(self, port: int, database: Path | None) -> list[str | Path]:
        """`outlive server start-dev`."""
        where: list[str | Path] = ["--db-filename", database] if database else []
        return [self._binary, "server", "start-dev", "--headless", "--port", str(port), *where]
