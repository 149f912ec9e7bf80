"""One workflow that schedules ten thousand activities at once, on a worker of the official SDK.

Two limits are raised for it: pending activities, and events that wait while a worker has the workflow task. At a
hundred of those, as by default here and on Temporal, the task is failed to let them in; the worker then replays the
history, which takes longer than the next hundred activities do.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.large.harness import MIB, Figures, Sizes, serving


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@workflow.defn
class FanOut:
    @workflow.run
    async def run(self, width: int) -> int:
        """The sum of what the activities answer."""
        span = timedelta(minutes=10)
        calls = [workflow.execute_activity(double, number, start_to_close_timeout=span) for number in range(width)]
        return sum(await asyncio.gather(*calls))


async def measure_fan_out(folder: Path, sizes: Sizes) -> Figures:
    """Seconds to the result, activities a second, the server's CPU for each, its memory."""
    width = sizes.activities
    settings = (f"limit.numPendingActivities.error={2 * width}", "history.maximumBufferedEventsBatch=2000")
    async with serving(folder, *settings) as (server, client):
        worker = Worker(
            client,
            task_queue="wide",
            workflows=[FanOut],
            activities=[double],
            workflow_runner=UnsandboxedWorkflowRunner(),
            max_concurrent_activities=200,
            debug_mode=True,  # scheduling thousands takes longer than the two seconds that count as a deadlock
        )
        async with worker:
            cpu, began = server.process.cpu(), time.perf_counter()
            handle = await client.start_workflow(
                FanOut.run, width, id="wide", task_queue="wide", task_timeout=timedelta(minutes=2)
            )
            total = await handle.result()
            seconds = time.perf_counter() - began
        assert total == width * (width - 1), total
        described = await handle.describe()
        return {
            "activities of one workflow": float(width),
            "to the result, s": seconds,
            "activities a second": width / seconds,
            "server CPU for each, ms": (server.process.cpu() - cpu) * 1000 / width,
            "events": float(described.history_length),
            "resident, MiB": server.process.rss() / MIB,
        }
