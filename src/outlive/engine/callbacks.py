"""Telling others that a run has ended: completion callbacks, called over HTTP.

Rules
- A call leaves after the commit of the end that it tells of, and is made again after a restart until what became
  of it is durable: whoever is called may hear of an end twice, and tells by the run.
- Calls to one address wait for each other beyond a few, so one that hangs holds up none but its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from temporalio.api.common.v1 import Callback

from outlive.core import callbacks
from outlive.core.callback_infos import of
from outlive.core.callbacks import Outcome, Retrying
from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.engine import callback_calls
from outlive.engine.runs import Run, Runs
from outlive.errors import StorageFailed
from outlive.limits import CALLBACKS_AT_ONCE, SECOND

SYSTEM_CALLBACK = "temporal://system"  # of a Nexus operation of the same server
log = logging.getLogger(__name__)


class Post(Protocol):
    """Sends a request over HTTP, and returns the status of its answer. Raises OSError or ValueError."""

    async def __call__(self, url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int: ...


async def no_post(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
    """Of a server that reaches nobody."""
    raise OSError("this server calls nobody")


class Callbacks:
    """Calls callbacks, each in a task of its own."""

    def __init__(self, runs: Runs, config: DynamicConfig, post: Post) -> None:
        self._runs = runs
        self._config = config
        self._post = post
        self._tasks: dict[tuple[int, int], asyncio.Task[None]] = {}  # by run and number
        self._slots: dict[str, asyncio.Semaphore] = {}  # by address
        self._users: Counter[str] = Counter()  # of the slots

    def stop(self) -> None:
        """Leave what is under way to the next start of the server."""
        for task in self._tasks.values():
            task.cancel()

    def take(self, run: Run, number: int) -> None:
        """Call the callback, unless that is under way."""
        key = (run.key, number)
        if key not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._deliver(run, number))
            self._tasks[key] = task
            task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def _deliver(self, run: Run, number: int) -> None:
        run.holds += 1
        try:
            await self._runs.committed(run)
            nexus = of(run.state)[number].callback.nexus
            async with self._slot(urlsplit(nexus.url).netloc):
                outcome = await self._call(run, nexus)
            self._settle(run, number, outcome)
        except StorageFailed:
            return  # the server stops; the next one calls again
        finally:
            run.holds -= 1

    @contextlib.asynccontextmanager
    async def _slot(self, address: str) -> AsyncIterator[None]:
        """A place among the calls to the address."""
        self._users[address] += 1
        slots = self._slots.setdefault(address, asyncio.Semaphore(CALLBACKS_AT_ONCE))
        try:
            async with slots:
                yield
        finally:
            self._users[address] -= 1
            if not self._users[address]:
                del self._users[address], self._slots[address]

    async def _call(self, run: Run, nexus: Callback.Nexus) -> Outcome:
        if nexus.url == SYSTEM_CALLBACK:
            return Outcome("handler error (BAD_REQUEST): there is no Nexus operation that waits for this callback")
        event = self._runs.read_event(run, run.state.info.next_event_id - 1)
        completion = callback_calls.completion_of(event)
        headers = callback_calls.request(nexus, run.state, completion)
        timeout = self._config.get(keys.CALLBACK_TIMEOUT, run.state.start.namespace)
        try:
            async with asyncio.timeout(timeout / SECOND):
                return callback_calls.outcome_of(await self._post(nexus.url, headers, completion.body))
        except TimeoutError:
            return Outcome(f'Post "{nexus.url}": no answer within {timeout / SECOND:g} s', repeat=True)
        except OSError as error:
            return Outcome(f'Post "{nexus.url}": {error}', repeat=True)
        except ValueError as error:
            return Outcome(f'Post "{nexus.url}": {error}')

    def _settle(self, run: Run, number: int, outcome: Outcome) -> None:
        if self._runs.get(run.key) is not run:
            return  # it has been deleted meanwhile
        namespace = run.state.start.namespace
        retrying = Retrying(
            self._config.get(keys.CALLBACK_RETRY_INITIAL, namespace),
            self._config.get(keys.CALLBACK_RETRY_MAXIMUM, namespace),
        )
        if outcome.problem:
            log.info("a callback of %s was not taken: %s", run.state.start.workflow_id, outcome.problem)
        self._runs.decide(run, lambda t: callbacks.called(t, number, outcome, retrying))
