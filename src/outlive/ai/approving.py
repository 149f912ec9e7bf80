"""The activities behind `approval`, and the watch that tells a sleeping workflow that somebody has answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from outlive.ai.approvals import ASK, CANCEL, DECIDED_SIGNAL, LOOK
from outlive.ledger.client import Approval, BadRequest, Conflict, Ledger, LedgerError, NotFound

_WAIT: Final = 50.0  # seconds that one request to the ledger waits
_PAUSE: Final = 2.0  # seconds, after a fault


class Approving:
    """Used on one event loop."""

    def __init__(self, ledger: Callable[[], Ledger]) -> None:
        self._ledger = ledger
        self._watches: dict[str, asyncio.Task[None]] = {}

    @activity.defn(name=ASK)
    async def ask(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Put the question in the inbox; asking again changes nothing."""
        try:
            there = await self._ledger().ask_approval(Approval(**{**asked, "options": tuple(asked["options"])}))
        except BadRequest as error:
            raise ApplicationError(error.message, type="outlive.ai.BadRequest", non_retryable=True) from None
        return self._answer(there)

    @activity.defn(name=LOOK)
    async def look(self, approval_id: str) -> dict[str, Any]:
        """What became of the question."""
        try:
            return self._answer(await self._ledger().approval(approval_id))
        except NotFound as error:
            raise ApplicationError(error.message, type="outlive.ai.BadRequest", non_retryable=True) from None

    @activity.defn(name=CANCEL)
    async def cancel(self, approval_id: str) -> dict[str, Any]:
        """Nobody needs the answer any more."""
        with suppress(Conflict, NotFound):  # it has been answered meanwhile, or was never asked
            await self._ledger().cancel_approval(approval_id, reason="the workflow no longer waits for it")
        return {}

    def stop(self) -> None:
        for watch in self._watches.values():
            watch.cancel()

    def _answer(self, found: Approval) -> dict[str, Any]:
        if found.state == "open" and found.id not in self._watches:
            watch = asyncio.get_running_loop().create_task(
                self._watch(activity.client(), found), name="outlive-approval"
            )
            self._watches[found.id] = watch
            watch.add_done_callback(lambda _: self._watches.pop(found.id, None))
        return {
            "state": found.state,
            "choice": found.choice,
            "by": found.decided_by,
            "at": found.decided_at,
            "reason": found.reason,
            "edits": found.edits,
            "escalated": found.escalated,
        }

    async def _watch(self, client: Client, asked: Approval) -> None:
        while True:
            try:
                if (await self._ledger().approval(asked.id, wait=_WAIT)).state != "open":
                    break
            except LedgerError:
                await asyncio.sleep(_PAUSE)
        handle = client.get_workflow_handle(asked.workflow_id, run_id=asked.run)
        with suppress(RPCError):  # it has ended; or it looks by itself, if nobody could tell it
            await handle.signal(DECIDED_SIGNAL + asked.id, "decided")
