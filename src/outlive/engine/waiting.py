"""Waiting for something to happen to a run."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from outlive.clock import Clock
from outlive.engine.runs import Run, Runs
from outlive.limits import SECOND

Waiters = dict[asyncio.Future[None], None]


async def wait_for(
    runs: Runs, clock: Clock, run: Run, condition: Callable[[], bool], waiters: Waiters, until: int
) -> bool:
    """Wait among the run's `waiters` until the condition holds, durably; False at the time `until`."""
    await runs.committed(run)
    if condition():
        return True
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] | None = None
    try:
        async with asyncio.timeout(max(0.0, (until - clock.now()) / SECOND)):
            while not condition():
                waiter = loop.create_future()
                waiters[waiter] = None
                await waiter
                await runs.committed(run)
    except TimeoutError:
        return False
    finally:
        if waiter is not None:
            waiters.pop(waiter, None)
    return True
