"""A thousand workers that poll, each for workflow tasks and for activities, over connections of their own."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import grpc.aio
from google.protobuf.message import Message
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
)

from benchmarks.large.harness import KIB, MIB, NAMESPACE, Figures, Sizes, serving
from benchmarks.measure import percentile
from benchmarks.processes import wait_quiet, wait_until
from benchmarks.protocol.server import Server

SERVICE = "/temporal.api.workflowservice.v1.WorkflowService"
STARTS = 500
POLL_SECONDS = 70


def _unary(channel: grpc.aio.Channel, rpc: str, answer: type[Message]) -> Any:
    return channel.unary_unary(
        f"{SERVICE}/{rpc}",
        request_serializer=lambda request: request.SerializeToString(),
        response_deserializer=answer.FromString,
    )


class _Pollers:
    """Workers that only poll. `arrived` has when each workflow's first task came."""

    def __init__(self, address: str, count: int) -> None:
        self.arrived: dict[str, float] = {}
        self._channels = [
            grpc.aio.insecure_channel(address, options=(("grpc.use_local_subchannel_pool", 1),)) for _ in range(count)
        ]
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        for number, channel in enumerate(self._channels):
            queue = TaskQueue(name=f"queue-{number % 10}")
            self._tasks.append(asyncio.create_task(self._workflows(channel, queue, f"worker-{number}")))
            self._tasks.append(asyncio.create_task(self._activities(channel, queue, f"worker-{number}")))

    async def _workflows(self, channel: grpc.aio.Channel, queue: TaskQueue, identity: str) -> None:
        request = PollWorkflowTaskQueueRequest(namespace=NAMESPACE, task_queue=queue, identity=identity)
        call = _unary(channel, "PollWorkflowTaskQueue", PollWorkflowTaskQueueResponse)
        while True:
            task = await call(request, timeout=POLL_SECONDS)
            if task.task_token:
                self.arrived[task.workflow_execution.workflow_id] = time.perf_counter()

    async def _activities(self, channel: grpc.aio.Channel, queue: TaskQueue, identity: str) -> None:
        request = PollActivityTaskQueueRequest(namespace=NAMESPACE, task_queue=queue, identity=identity)
        call = _unary(channel, "PollActivityTaskQueue", PollActivityTaskQueueResponse)
        while True:
            await call(request, timeout=POLL_SECONDS)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(channel.close() for channel in self._channels))


async def measure_pollers(folder: Path, sizes: Sizes) -> Figures:
    """Memory of a worker that polls, CPU while nothing happens, milliseconds from a start to its task at a worker."""
    async with serving(folder) as (server, client):
        await wait_quiet(server.process)
        idle = server.process.rss()
        pollers = _Pollers(server.address, sizes.pollers)
        began = time.perf_counter()
        pollers.start()
        await _all_polling(server, sizes.pollers)
        figures: Figures = {
            "workers, each with two polls": float(sizes.pollers),
            "until all poll and the server is quiet, s": time.perf_counter() - began,
            "KiB of memory for each worker": (server.process.rss() - idle) / KIB / sizes.pollers,
        }
        cpu = server.process.cpu()
        await asyncio.sleep(10)
        figures["CPU while nothing happens, % of a core"] = (server.process.cpu() - cpu) / 10 * 100
        started = {}
        for number in range(STARTS):
            started[f"w-{number}"] = time.perf_counter()
            await client.start_workflow("Polled", id=f"w-{number}", task_queue=f"queue-{number % 10}")
        await wait_until(lambda: len(pollers.arrived) >= STARTS, 60, "every workflow has reached a worker")
        delays = [(pollers.arrived[name] - at) * 1000 for name, at in started.items()]
        figures["start to task, p50 ms"] = percentile(delays, 50)
        figures["start to task, p99 ms"] = percentile(delays, 99)
        figures["resident, MiB"] = server.process.rss() / MIB
        await pollers.stop()
        return figures


async def _all_polling(server: Server, count: int) -> None:
    """Wait until the connections are there and nothing more happens."""
    await asyncio.sleep(1)
    await wait_quiet(server.process, limit=15.0 + count / 50)
