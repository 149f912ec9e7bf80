"""What the demo does with the ledger: sets a quota and a budget, watches who waits for them, and reads the book."""

from __future__ import annotations

import asyncio
import sys
import time
from pathlib import Path

from examples.research_pipeline.metering import TEAM
from examples.research_pipeline.processes import ChildProcess, free_port
from outlive.ledger.client import (
    NANO,
    Budget,
    CostRow,
    Filter,
    HttpLedger,
    LedgerUnreachable,
    Quota,
    connect,
)

QUOTA = "two-at-once"
BUDGET = "research"
_AT_ONCE = 2
_MORE = 1.4
"""The budget of the second half: this many times what the first half has spent."""
_POLL_SECONDS = 0.1


class Spending:
    """A ledger of the demo's own, in a process beside the server, which may be any."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        outlive = str(Path(sys.executable).with_name("outlive"))
        command = [outlive, "ledger", "--db", str(folder / "ledger.db"), "--port", str(port)]
        self.process = ChildProcess("ledger", command, folder / "ledger.log")
        self.address = f"http://127.0.0.1:{port}"
        self._ledger: HttpLedger = connect(self.address)
        self._waited_for_turn = False
        self._raised_by = 0
        self.spent_at_kill = 0
        """Nano-dollars of calls that had ended: what starting over would pay again."""

    async def begin(self, seconds: float) -> str:
        """Wait until the ledger answers and set the quota. Raises LedgerUnreachable if it does not in time."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                await self._ledger.put_quota(Quota(QUOTA, {"team": TEAM}, concurrency=_AT_ONCE))
                return f"A quota lets {_AT_ONCE} model calls through at once, for all workers together."
            except LedgerUnreachable:
                if time.monotonic() > deadline or self.process.failure():
                    raise
                await asyncio.sleep(_POLL_SECONDS)

    async def tighten(self) -> str:
        """Set a budget a little above what has been spent."""
        spent = self.spent_at_kill = (await self._row()).cost
        hard = max(round(spent * _MORE), 1)
        await self._ledger.put_budget(Budget(BUDGET, {"team": TEAM}, hard=hard))
        return f"A budget of {dollars(hard)} is set; {dollars(spent)} are spent."

    async def look(self) -> list[str]:
        """Sentences about what waits now and was not said before. A run that waits for money gets some."""
        said = []
        waiting = await self._ledger.waiting()
        turns = [each for each in waiting if QUOTA in each.blocked_on]
        if turns and not self._waited_for_turn:
            self._waited_for_turn = True
            said.append(f"{_waiting(len(turns))} for a turn: the quota holds for all workers together.")
        broke = [each for each in waiting if BUDGET in each.blocked_on]
        if broke and not self._raised_by:
            (use,) = await self._ledger.budgets()
            limit = use.budget.hard or 0
            self._raised_by = 9 * limit
            said.append(f"The budget of {dollars(limit)} has stopped the run: {_waiting(len(broke))} for money.")
            await self._ledger.raise_budget(BUDGET, by=self._raised_by)
            amount = dollars(self._raised_by).removeprefix("$")
            said.append(f"It is raised, as by `outlive budget raise {BUDGET} --by {amount}`, and they go on.")
        return said

    async def of_workflow(self, workflow_id: str) -> CostRow:
        """What the calls of a workflow came to."""
        return await self._row(workflow_id=workflow_id)

    async def _row(self, workflow_id: str = "") -> CostRow:
        rows = await self._ledger.costs("team", Filter(team=TEAM, workflow_id=workflow_id))
        return rows[0] if rows else CostRow(TEAM)

    async def close(self) -> None:
        """Let the connections go."""
        await self._ledger.close()


def _waiting(count: int) -> str:
    return "1 call waits" if count == 1 else f"{count} calls wait"


def dollars(amount: int) -> str:
    """Nano-dollars as people read them."""
    return f"${amount / NANO:,.4f}"
