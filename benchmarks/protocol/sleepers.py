"""Many workflows asleep on a timer: how fast they start, what they weigh, how soon a crash is over.

Their one workflow task is answered by this module itself (a timer of an hour, no SDK), so that the
figures are the server's alone.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

from temporalio.api.command.v1 import Command, StartTimerCommandAttributes
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus

from benchmarks.measure import Figures
from benchmarks.plan import Plan
from benchmarks.processes import ProcessFailed, wait_quiet
from benchmarks.protocol.server import ProtocolSystem, Server
from benchmarks.systems.base import WrongResult

NAMESPACE = "default"
QUEUE = TaskQueue(name="sleepers")
LANES = 16
HOUR = timedelta(hours=1)
SETTLE_SECONDS = 20.0


class Sleepers:
    """Starts workflows and puts each to sleep. `asleep` counts those whose timer the server has taken."""

    def __init__(self, client: Client) -> None:
        self._service = client.workflow_service
        self._all_asleep = asyncio.Event()
        self._started = 0
        self.asleep = 0

    async def start_until(self, numbers: Iterator[int], deadline: float) -> None:
        """Start a workflow for each number until they end, or until the deadline."""

        async def lane() -> None:
            for number in numbers:
                await self._service.start_workflow_execution(_start_request(number))
                self._started += 1
                if time.perf_counter() > deadline:
                    return

        async with self._polling():
            async with asyncio.TaskGroup() as lanes:
                for _ in range(LANES):
                    lanes.create_task(lane())
            self._all_asleep.clear()
            if self.asleep < self._started:
                await self._all_asleep.wait()

    @asynccontextmanager
    async def _polling(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            pollers = [group.create_task(self._poll()) for _ in range(LANES)]
            yield
            for poller in pollers:
                poller.cancel()

    async def _poll(self) -> None:
        request = PollWorkflowTaskQueueRequest(namespace=NAMESPACE, task_queue=QUEUE, identity="sleepers")
        while True:
            task = await self._service.poll_workflow_task_queue(request)
            if not task.task_token:
                continue
            await self._service.respond_workflow_task_completed(_sleep(task.task_token))
            self.asleep += 1
            if self.asleep >= self._started:
                self._all_asleep.set()


def _start_request(number: int) -> StartWorkflowExecutionRequest:
    return StartWorkflowExecutionRequest(
        namespace=NAMESPACE,
        workflow_id=f"sleeper-{number}",
        request_id=f"start-{number}",
        workflow_type=WorkflowType(name="Sleeper"),
        task_queue=QUEUE,
        identity="sleepers",
    )


def _sleep(task_token: bytes) -> RespondWorkflowTaskCompletedRequest:
    timer = StartTimerCommandAttributes(timer_id="1")
    timer.start_to_fire_timeout.FromTimedelta(HOUR)
    command = Command(command_type=CommandType.COMMAND_TYPE_START_TIMER, start_timer_command_attributes=timer)
    return RespondWorkflowTaskCompletedRequest(
        namespace=NAMESPACE, task_token=task_token, identity="sleepers", commands=[command]
    )


async def measure_sleepers(system: ProtocolSystem, folder: Path, plan: Plan) -> Figures:
    """Start them, weigh them, then kill the server and start it again on its file."""
    server = await system.start_server(folder)
    try:
        await wait_quiet(server.process)
        idle = server.process.rss()
        figures, count = await _fill(server, plan, idle)
        if not system.durable:
            return figures
        server.process.kill()
        server = system.launch(folder)
        await server.ready()
        figures["restart"] = await _first_answer(server)
        await _check_running(server, count)
        await wait_quiet(server.process)
        figures["sleeper_bytes_restarted"] = (server.process.rss() - idle) / count
        return figures
    finally:
        server.process.stop()


async def _fill(server: Server, plan: Plan, idle: int) -> tuple[Figures, int]:
    """The first tenth warms caches up; the rest gives the start rate and the memory of each."""
    sleepers = Sleepers(await Client.connect(server.address))
    numbers = iter(range(plan.sleepers))
    tenth = iter([next(numbers) for _ in range(plan.sleepers // 10)])
    await sleepers.start_until(tenth, time.perf_counter() + plan.sleeper_seconds / 2)
    await wait_quiet(server.process)
    warm_count, warm = sleepers.asleep, server.process.rss()
    started = time.perf_counter()
    await sleepers.start_until(numbers, started + plan.sleeper_seconds)
    seconds = time.perf_counter() - started
    await wait_quiet(server.process)
    rest = sleepers.asleep - warm_count
    figures: Figures = {
        "sleepers": float(sleepers.asleep),
        "sleeper_rate": rest / seconds,
        "sleeper_bytes": (server.process.rss() - idle) / sleepers.asleep,
        "sleeper_bytes_later": (server.process.rss() - warm) / rest,
    }
    return figures, sleepers.asleep


async def _first_answer(server: Server) -> float:
    """Seconds from the restart's command until a sleeper is described as running."""
    client = await Client.connect(server.address)
    described = await client.get_workflow_handle("sleeper-0").describe()
    seconds = time.perf_counter() - server.process.started
    if described.status != WorkflowExecutionStatus.RUNNING:
        raise WrongResult(f"after the restart sleeper-0 is {described.status}")
    return seconds


async def _check_running(server: Server, expected: int) -> None:
    """Every acknowledged start is there after the crash (visibility may lag behind a moment)."""
    client = await Client.connect(server.address)
    query = 'ExecutionStatus = "Running"'
    request = CountWorkflowExecutionsRequest(namespace=NAMESPACE, query=query)
    deadline = time.perf_counter() + SETTLE_SECONDS
    while True:
        counted = await client.workflow_service.count_workflow_executions(request)
        if counted.count == expected:
            return
        if time.perf_counter() > deadline:
            raise ProcessFailed(f"{counted.count} of {expected} sleepers are there after the restart")
        await asyncio.sleep(0.1)
