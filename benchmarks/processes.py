"""The processes of one benchmark: started, watched, stopped."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[1]
STOP_SECONDS = 8.0


class ProcessFailed(Exception):
    """A process of the benchmark ended, or did not say what it was expected to say in time."""


class Managed:
    """A process, its children, and its log file. Times are seconds, sizes bytes."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.log = log
        self.started = time.perf_counter()
        self._process = process
        self._tree = psutil.Process(process.pid)

    @property
    def pid(self) -> int:
        """The process id of the parent of the tree."""
        return self._process.pid

    def _each(self) -> list[psutil.Process]:
        return [self._tree, *self._tree.children(recursive=True)]

    def cpu(self) -> float:
        """User and system time so far, of the tree, with that of its ended children."""
        self.check_alive()
        total = 0.0
        for process in self._each():
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def rss(self) -> int:
        """Resident memory of the tree now."""
        self.check_alive()
        return sum(process.memory_info().rss for process in self._each())

    def check_alive(self) -> None:
        """Raise `ProcessFailed`, with the last line of its log, when the process has ended."""
        if self._process.poll() is not None:
            said = self.log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
            raise ProcessFailed(f"{self.name} ended with code {self._process.returncode}: {said[-1][:300]}")

    def ended(self) -> bool:
        """Whether the process has ended, for whatever reason."""
        return self._process.poll() is not None

    def wait(self, seconds: float) -> bool:
        """Wait for the end; whether it came in time."""
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def kill(self) -> None:
        """End the tree at once (SIGKILL), as a crash would."""
        if self._process.poll() is None:
            for process in reversed(self._each()):
                process.kill()
        self._process.wait()
        self._close_pipes()

    def stop(self) -> None:
        """End the tree politely (SIGTERM); by SIGKILL after `STOP_SECONDS`."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            if not self.wait(STOP_SECONDS):
                return self.kill()
        self._close_pipes()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    async def read_line(self, seconds: float) -> str:
        """The next line of standard output, of a process spawned with `talk`."""
        assert self._process.stdout is not None
        reading = asyncio.to_thread(self._process.stdout.readline)
        try:
            line = await asyncio.wait_for(reading, seconds)
        except TimeoutError:
            self.kill()
            raise ProcessFailed(f"{self.name} said nothing for {seconds:.0f} s; see {self.log}") from None
        if not line:
            self._process.wait(STOP_SECONDS)
            self.check_alive()
        return line.decode().strip()

    async def ask(self, request: Mapping[str, Any], seconds: float) -> dict[str, Any]:
        """Send one JSON line, read one JSON line; raise what it says under ``error``."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(await self.read_line(seconds))
        if "error" in answer:
            raise ProcessFailed(f"{self.name}: {answer['error']}")
        return answer


def spawn(
    name: str,
    command: Sequence[str | Path],
    folder: Path,
    *,
    env: Mapping[str, str] | None = None,
    talk: bool = False,
) -> Managed:
    """Start `command`, its errors (and, without `talk`, its output) in a log file in `folder`."""
    log = folder / f"{name}.log"
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.PIPE if talk else subprocess.DEVNULL,
            stdout=subprocess.PIPE if talk else sink,
            stderr=sink,
            cwd=ROOT,
            env={**os.environ, **(env or {})},
        )
    return Managed(name, process, log)


def free_port() -> int:
    """A TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def wait_until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Poll `condition` every few milliseconds; raise `ProcessFailed` when it does not hold in time."""
    deadline = time.perf_counter() + seconds
    while not condition():
        if time.perf_counter() > deadline:
            raise ProcessFailed(f"waited {seconds:.0f} s in vain until {what}")
        await asyncio.sleep(0.005)


async def wait_quiet(process: Managed, *, window: float = 2.0, share: float = 0.1, limit: float = 15.0) -> None:
    """Wait until the process used less than `share` of a core over a whole `window`, at most `limit`."""
    deadline = time.perf_counter() + limit
    quiet_since, cpu = time.perf_counter(), process.cpu()
    while time.perf_counter() < min(deadline, quiet_since + window):
        await asyncio.sleep(0.1)
        used = process.cpu() - cpu
        if used > share * max(window, time.perf_counter() - quiet_since):
            quiet_since, cpu = time.perf_counter(), process.cpu()
