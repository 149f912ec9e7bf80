"""Ten thousand schedules: what making one takes, what each weighs, how long a thousand take to start at once."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleIntervalSpec,
    ScheduleSpec,
)

from benchmarks.large.harness import Figures, Sizes, serving, spread, weight
from benchmarks.processes import wait_quiet

LANES = 8
FIRING = 1_000


def _schedule(number: int, spec: ScheduleSpec) -> Schedule:
    action = ScheduleActionStartWorkflow("Fired", id=f"fired-{number}", task_queue="nobody")
    return Schedule(action=action, spec=spec)


async def measure_schedules(folder: Path, sizes: Sizes) -> Figures:
    """Milliseconds of a creation, KiB of each, CPU while nothing fires, seconds until a thousand have fired."""
    async with serving(folder) as (server, client):
        await wait_quiet(server.process)
        idle = server.process.rss()
        monthly = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(days=30))])
        began = time.perf_counter()
        figures = spread("create", await _create(client, range(sizes.schedules - sizes.schedules // 5), monthly, 1))
        await _create(client, range(sizes.schedules - sizes.schedules // 5, sizes.schedules), monthly, LANES)
        figures["created, a second"] = sizes.schedules / (time.perf_counter() - began)
        await wait_quiet(server.process)
        figures["KiB of memory for each"] = weight(server.process, idle, sizes.schedules)
        cpu = server.process.cpu()
        await asyncio.sleep(5)
        figures["CPU while none is due, % of a core"] = (server.process.cpu() - cpu) / 5 * 100
        figures["until all triggered at once have started, s"] = await _fire(client, min(FIRING, sizes.schedules))
        figures["triggered at once"] = float(min(FIRING, sizes.schedules))
        return figures


async def _create(client: Client, numbers: range, spec: ScheduleSpec, lanes: int) -> list[float]:
    """Milliseconds of each creation."""
    waiting, taken = iter(numbers), []

    async def lane() -> None:
        for number in waiting:
            began = time.perf_counter()
            await client.create_schedule(f"schedule-{number}", _schedule(number, spec))
            taken.append((time.perf_counter() - began) * 1000)

    await asyncio.gather(*(lane() for _ in range(lanes)))
    return taken


async def _fire(client: Client, count: int) -> float:
    """Seconds until so many schedules that are triggered at once have started their workflows."""
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            await client.get_schedule_handle(f"schedule-{number}").trigger()

    began = time.perf_counter()
    await asyncio.gather(*(lane() for _ in range(4 * LANES)))
    async with asyncio.timeout(120):
        while True:
            if (await client.count_workflows("WorkflowType = 'Fired'")).count >= count:
                return time.perf_counter() - began
            await asyncio.sleep(0.02)
