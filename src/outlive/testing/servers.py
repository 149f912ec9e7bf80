"""Servers for tests: in a thread of this process, or as a process of their own; on a free port, in memory."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from outlive.config import ServerConfig, TimeSkipping

if TYPE_CHECKING:
    from outlive.server import Server

_LAST_CALLS_S = 0.05  # calls under way at the end get this long: their callers are tests that have ended


class RunningServer(ABC):
    """What both kinds have in common: `start`, `stop`, and `with` (or `async with`) around them."""

    port = 0

    @property
    def address(self) -> str:
        """What clients connect to: ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.port}"

    @abstractmethod
    def start(self) -> None:
        """Return once the server answers. Raises StartupError if it cannot."""

    @abstractmethod
    def stop(self) -> None:
        """End it. Stopping one that does not run does nothing."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        await asyncio.to_thread(self.start)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)


class ServerThread(RunningServer):
    """A server inside this process, with a thread and an event loop of its own.

    The fastest to have: once imported, it is ready within a few milliseconds. It shares the interpreter's
    lock with the test, so for load tests take a `ServerProcess`.

    `time_skipping` gives it a clock that clients can skip (see `time_skipping_environment`); `database`
    a file, which another server may go on with; `namespaces`, `search_attributes` (name to type, such as
    "Keyword") and `dynamic_config` are what the command line's options of those names are.
    """

    def __init__(
        self,
        *,
        time_skipping: bool = False,
        database: Path | None = None,
        namespaces: Sequence[str] = (),
        search_attributes: Mapping[str, str] | None = None,
        dynamic_config: Mapping[str, object] | None = None,
    ) -> None:
        self._config = ServerConfig(
            port=0,
            database=database,
            namespaces=tuple(namespaces),
            search_attributes=search_attributes or {},
            dynamic_config=dynamic_config or {},
            time_skipping=TimeSkipping.LOCKED if time_skipping else TimeSkipping.NONE,
        )
        self._thread: threading.Thread | None = None
        self._stop: Future[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None

    def start(self) -> None:
        ready: Future[int] = Future()
        self._stop = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="outlive-server", daemon=True
        )
        self._thread.start()
        self.port = ready.result()

    async def _serve(self, ready: Future[int]) -> None:
        from outlive.server import Server

        assert self._stop is not None
        try:
            server = Server(self._config)
            await server.start()
        except BaseException as error:
            ready.set_exception(error)
            return
        self._loop, self._server = asyncio.get_running_loop(), server
        ready.set_result(server.port)
        try:
            await asyncio.wrap_future(self._stop)
        finally:
            await server.stop(_LAST_CALLS_S)

    def add_namespace(self, name: str) -> None:
        """Make a namespace, unless it is there."""
        assert self._loop is not None, "the server has not been started"
        assert self._server is not None
        asyncio.run_coroutine_threadsafe(self._server.add_namespace(name), self._loop).result()

    def stop(self) -> None:
        if self._thread is None or self._stop is None:
            return
        with contextlib.suppress(asyncio.InvalidStateError):
            self._stop.set_result(None)
        self._thread.join()
        self._thread = None


class ServerProcess(RunningServer):
    """A server as a child process, which the same `outlive` runs that is installed here.

    Takes a moment to be ready (what it imports), and may be killed: `process` is its `subprocess.Popen`.
    `arguments` are further ones of ``outlive server start-dev``, or of ``outlive PORT`` with `time_skipping`.
    """

    process: subprocess.Popen[str]

    def __init__(self, *arguments: str, time_skipping: bool = False) -> None:
        command = ["0"] if time_skipping else ["server", "start-dev", "--headless", "--port", "0"]
        self._command = [sys.executable, "-m", "outlive", *command, *arguments]

    def start(self) -> None:
        from outlive.errors import StartupError

        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line.startswith("Server: "):
            self.stop()
            raise StartupError("the server did not start: its own words are above, on standard error.")
        self.port = int(line.rpartition(":")[2])

    def stop(self) -> None:
        if getattr(self, "process", None) is None:
            return
        self.process.terminate()
        try:
            self.process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
