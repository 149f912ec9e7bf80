"""Workflows that wait for long are told of their turn by a signal: one request waits for all of a worker's.

Nothing depends on it: a workflow whose worker has died asks again when its timer fires.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from temporalio.client import Client
from temporalio.service import RPCError

from outlive.ledger.client import Call, Ledger, LedgerError

TURN_SIGNAL: Final = "outlive_ai_turn"
_WAIT: Final = 20.0  # seconds that the ledger keeps one request
_PAUSE: Final = 0.2  # seconds between requests


@dataclass(frozen=True, slots=True)
class _Sleeper:
    client: Client
    workflow_id: str
    run: str


class Waker:
    """Used on one event loop."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._asleep: dict[str, _Sleeper] = {}
        self._more = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def watch(self, client: Client, call: Call) -> None:
        """A workflow sleeps until this call has its turn."""
        self._asleep[call.key] = _Sleeper(client, call.workflow_id, call.run)
        self._more.set()
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="outlive-ai-turns")

    def forget(self, key: str) -> None:
        """The workflow has asked again by itself."""
        self._asleep.pop(key, None)

    def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        while self._asleep:
            for key in await self._ready():
                sleeper = self._asleep.pop(key, None)
                if sleeper is not None:
                    handle = sleeper.client.get_workflow_handle(sleeper.workflow_id, run_id=sleeper.run)
                    with suppress(RPCError):  # it has ended
                        await handle.signal(TURN_SIGNAL, key)
            await asyncio.sleep(_PAUSE)

    async def _ready(self) -> list[str]:
        """Those whose turn it is; none as soon as somebody else goes to sleep, who must be asked for as well."""
        self._more.clear()
        turns = asyncio.ensure_future(self._ledger().turns(list(self._asleep), wait=_WAIT))
        more = asyncio.ensure_future(self._more.wait())
        try:
            await asyncio.wait({turns, more}, return_when=asyncio.FIRST_COMPLETED)
            return turns.result() if turns.done() else []
        except LedgerError:
            return []
        finally:
            turns.cancel()
            more.cancel()
