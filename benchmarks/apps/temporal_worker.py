"""The worker of every system that speaks Temporal's protocol: the official SDK, without sandbox.

``python -m benchmarks.apps.temporal_worker ADDRESS TASK_QUEUE`` says ``ready`` on its output, works
until SIGTERM, then shuts down as the SDK does.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

TIMERS_A_BATCH = 500


@activity.defn(name="step")
async def step(done: int) -> int:
    """One step: the work itself costs nothing, so that the engine's cost shows."""
    return done + 1


@workflow.defn(name="Chain")
class Chain:
    """Sequential activities; the result is how many there were."""

    @workflow.run
    async def run(self, steps: int) -> int:
        done = 0
        for _ in range(steps):
            done = await workflow.execute_activity(step, done, start_to_close_timeout=timedelta(seconds=60))
        return done


@workflow.defn(name="Tall")
class Tall:
    """A history of at least so many events, made of batches of short timers; then waits to be ended."""

    def __init__(self) -> None:
        self._fired = 0

    @workflow.run
    async def run(self, events: int) -> None:
        while workflow.info().get_current_history_length() < events:
            await asyncio.gather(*(asyncio.sleep(0.001) for _ in range(TIMERS_A_BATCH)))
            self._fired += TIMERS_A_BATCH
        await workflow.wait_condition(lambda: False)

    @workflow.query
    def fired(self) -> int:
        """How many timers fired so far."""
        return self._fired


@workflow.defn(name="Counter")
class Counter:
    """Counts its signals and updates until it is told to finish."""

    def __init__(self) -> None:
        self._count = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.signal
    def add(self) -> None:
        """Count one."""
        self._count += 1

    @workflow.query
    def count(self) -> int:
        """How many were counted."""
        return self._count

    @workflow.update
    def add_and_get(self) -> int:
        """Count one; how many were counted."""
        self._count += 1
        return self._count


async def main(address: str, task_queue: str) -> None:
    """Work until SIGTERM."""
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    client = await Client.connect(address)
    worker = Worker(
        client,
        task_queue=task_queue,
        workflows=[Chain, Tall, Counter],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker:
        print("ready", flush=True)
        await stopping.wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2]))
