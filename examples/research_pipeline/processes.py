"""Child processes that can be killed the hard way."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

_STOP_SECONDS = 10


class ChildProcess:
    """A command in a session of its own, its output in a file. As a context manager, stopped at the end."""

    def __init__(self, name: str, command: Sequence[str], log: Path) -> None:
        self.name = name
        self.command = list(command)
        self.log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The process id. Raises RuntimeError before the start."""
        return self._running().pid

    def start(self) -> None:
        """Start the command, or start it again; its log goes on. Raises OSError if it cannot be run."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL it and whatever it has started, and wait until it is gone."""
        process = self._running()
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def stop(self) -> None:
        """Ask it to end, and make it if it does not."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def failure(self) -> str | None:
        """What went wrong, with the end of its log, if it has ended by itself."""
        code = self._running().poll()
        if code is None:
            return None
        lines = self.log.read_text(errors="replace").splitlines()[-5:]
        return f"the {self.name} ended with exit code {code}; the end of {self.log}:\n  " + "\n  ".join(lines)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"the {self.name} was never started")
        return self._process


def free_port() -> int:
    """A TCP port on this machine that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
