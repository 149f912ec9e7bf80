"""Activities that take two megabytes and give two back, eight at a time."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.large.harness import MIB, Figures, Sizes, serving

BYTES = 2 * MIB - 1024  # the limit of one payload, less what surrounds it
IN_FLIGHT = 8


@activity.defn
async def back(data: bytes) -> bytes:
    return data[::-1]


@workflow.defn
class Heavy:
    @workflow.run
    async def run(self, data: bytes) -> bytes:
        """The activity's answer."""
        return await workflow.execute_activity(back, data, start_to_close_timeout=timedelta(minutes=1))


async def measure_payloads(folder: Path, sizes: Sizes) -> Figures:
    """MiB a second into the server and out of it, milliseconds of one workflow, memory after."""
    data = bytes(range(256)) * (BYTES // 256)
    async with serving(folder) as (server, client):
        worker = Worker(
            client,
            task_queue="heavy",
            workflows=[Heavy],
            activities=[back],
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        numbers = iter(range(sizes.payloads))

        async def lane() -> None:
            for number in numbers:
                result = await client.execute_workflow(Heavy.run, data, id=f"heavy-{number}", task_queue="heavy")
                assert result == data[::-1]

        async with worker:
            cpu, began = server.process.cpu(), time.perf_counter()
            await asyncio.gather(*(lane() for _ in range(IN_FLIGHT)))
            seconds = time.perf_counter() - began
        moved = sizes.payloads * 4 * len(data) / MIB  # in: input, command, result, end; as much goes out
        return {
            "workflows": float(sizes.payloads),
            "workflows a second": sizes.payloads / seconds,
            "received, MiB a second": moved / seconds,
            "server CPU for each workflow, ms": (server.process.cpu() - cpu) * 1000 / sizes.payloads,
            "resident, MiB": server.process.rss() / MIB,
        }
