"""kill -9 of the ledger, twenty times: what was acknowledged is there, what was charged is charged once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlive.ledger.client import Budget, Call, Granted, HttpLedger, LedgerUnreachable, Price, Quota, Result, Tokens

pytestmark = pytest.mark.timeout(180)
PRICE = Price(1_000_000_000, 1_000_000_000)  # 1,000 nano-dollars a token
KILLS, CALLERS = 20, 8


class Process:
    """`outlive ledger` as a child process, on one port and database."""

    def __init__(self, place: str) -> None:
        self._place = place
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        command = [sys.executable, "-m", "outlive", "ledger", "--db", self._place, "--port", str(self.port)]
        self._child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert self._child.stdout is not None
        assert b"Ledger:" in await self._child.stdout.readline()

    async def kill(self) -> None:
        assert self._child is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child.pid, signal.SIGKILL)
        await self._child.wait()


@pytest.fixture(params=["sqlite", "postgres"])
async def process(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Process]:
    if request.param == "sqlite":
        place = str(tmp_path / "ledger.db")
    else:
        import psycopg

        address = request.getfixturevalue("postgres")
        with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
            admin.execute("CREATE DATABASE kills")
        place = f"{address}/kills"
    process = Process(place)
    await process.start()
    yield process
    await process.kill()


async def test_twenty_kills_lose_nothing_that_was_acknowledged(process: Process) -> None:
    settled: dict[str, int] = {}
    ended = asyncio.Event()

    async def until_answered(what):  # type: ignore[no-untyped-def]
        while True:
            try:
                return await what()
            except LedgerUnreachable:
                await asyncio.sleep(0.02)

    async def caller(ledger: HttpLedger, number: int) -> None:
        chance = random.Random(number)
        turn = 0
        while not ended.is_set():
            turn += 1
            key = f"{number}/{turn}"
            call = Call(key, "m", run=f"r{number}", price=PRICE, estimate=Tokens(50, 50), maximum=Tokens(50, 200))
            answer = await until_answered(lambda call=call: ledger.reserve(call, wait=5))
            if not isinstance(answer, Granted):
                continue
            used = chance.randrange(10, 200)
            result = Result(usage=Tokens(50, used))
            row = await until_answered(lambda key=key, result=result: ledger.settle(key, result))
            assert row.cost == (50 + used) * 1000
            settled[key] = row.cost

    async with HttpLedger(f"http://127.0.0.1:{process.port}") as ledger:
        await ledger.put_quota(Quota("four", {"model": "m"}, concurrency=4))
        await ledger.put_budget(Budget("all", hard=10**15, strict=True))
        callers = [asyncio.create_task(caller(ledger, number)) for number in range(CALLERS)]
        chance = random.Random(7)
        for _ in range(KILLS):
            already = len(settled)
            while len(settled) < already + chance.randrange(1, 12):
                await asyncio.sleep(0.01)
                assert not [task for task in callers if task.done()]
            await process.kill()
            await process.start()
        ended.set()
        await asyncio.wait_for(asyncio.gather(*callers), 60)
        for key, cost in settled.items():
            assert (await ledger.attempt(key)).cost == cost
        (sums,) = await ledger.costs("model")
        (use,) = await ledger.budgets()
        (held,) = await ledger.quotas()
    assert sums.calls == len(settled)
    assert sums.cost == sum(settled.values()) == use.spent
    assert (use.reserved, held.open, held.waiting) == (0, 0, 0)
