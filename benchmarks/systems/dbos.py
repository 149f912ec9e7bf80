"""DBOS on SQLite: a library, so that its engine runs in the worker's process."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from benchmarks.install import python_environment
from benchmarks.processes import Managed, spawn, wait_quiet
from benchmarks.systems.base import Running, System

REQUIREMENTS = ["dbos==3.4.0", "pysqlite3-binary==0.5.4.post2"]
APP = "benchmarks.apps.dbos_app"
READY_SECONDS = 30.0
RUN_SECONDS = 300.0


class DbosRunning(Running):
    """One process that is engine, worker and client."""

    def __init__(self, worker: Managed, idle_rss: int) -> None:
        self.server = None
        self.worker = worker
        self.idle_rss = idle_rss

    async def run(self, steps: int, count: int, in_flight: int) -> None:
        """Have the process run the load."""
        await self.worker.ask({"steps": steps, "count": count, "in_flight": in_flight}, RUN_SECONDS)

    async def stop(self) -> None:
        """End the process."""
        self.worker.stop()


class Dbos(System):
    """`dbos`, with a current SQLite from `pysqlite3-binary`: its SQLite mode fails on 3.40."""

    key = "dbos"
    title = "DBOS, SQLite"
    _python: Path

    def prepare(self) -> str:
        """Install the library; its version and SQLite's."""
        self._python = python_environment("dbos", REQUIREMENTS) / "python"
        program = "import pysqlite3; print('SQLite', pysqlite3.sqlite_version)"
        shown = subprocess.run([self._python, "-c", program], capture_output=True, text=True, timeout=30)
        return f"{REQUIREMENTS[0].replace('==', ' ')}, {shown.stdout.strip()}"

    async def _launch(self, folder: Path) -> Managed:
        process = spawn("dbos", [self._python, "-m", APP, folder], folder, talk=True)
        await process.read_line(READY_SECONDS)
        return process

    async def ready_seconds(self, folder: Path) -> float:
        """From the command to the end of the library's launch."""
        process = await self._launch(folder)
        seconds = time.perf_counter() - process.started
        process.stop()
        return seconds

    async def start(self, folder: Path) -> DbosRunning:
        """Launch the process and let it come to rest."""
        process = await self._launch(folder)
        await wait_quiet(process)
        return DbosRunning(process, process.rss())
