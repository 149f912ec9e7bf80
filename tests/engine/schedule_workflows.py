"""What the tests of schedules start, and the servers that they start it on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionExecutionStartWorkflow,
    ScheduleActionStartWorkflow,
    ScheduleDescription,
    ScheduleHandle,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
)
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.config import ServerConfig
from outlive.server import Server

QUEUE = "scheduled"
T = TypeVar("T")


@workflow.defn
class Waits:
    """Runs until it is told to end, or cancelled; says what the run before it said."""

    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self, word: str = "") -> str:
        self.word = self.word or word  # a signal may have come before
        await workflow.wait_condition(lambda: bool(self.word))
        if self.word == "fail":
            raise ApplicationError("told to fail")
        before = workflow.get_last_completion_result(type_hint=str) or "nothing"
        failure = workflow.get_last_failure()
        return f"{self.word} after {before}" + (f" and {failure}" if failure else "")

    @workflow.signal
    def poke(self) -> None:
        """Something that makes history."""

    @workflow.signal
    def end(self, word: str) -> None:
        self.word = word


class ShiftedClock:
    """The machine's clock, set forward by the test while the server is down."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> int:
        return time.time_ns() + int(self.ahead.total_seconds()) * 1_000_000_000


class Host:
    """A server on one file, stopped and started again by the test."""

    def __init__(self, database: Path) -> None:
        self.clock = ShiftedClock()
        self._config = ServerConfig(port=0, database=database)
        self._server: Server | None = None

    async def start(self) -> Client:
        self._server = Server(self._config, self.clock)
        await self._server.start()
        return await Client.connect(f"127.0.0.1:{self._server.port}")

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop(0)
            self._server = None


@asynccontextmanager
async def worker(client: Client) -> AsyncIterator[Worker]:
    """A worker for what schedules start."""
    async with Worker(
        client, task_queue=QUEUE, workflows=[Waits], workflow_runner=UnsandboxedWorkflowRunner()
    ) as running:
        yield running


def schedule(
    word: str = "done",
    *,
    every: float | None = None,
    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP,
    policy: dict[str, Any] | None = None,
    state: ScheduleState | None = None,
    **action: Any,
) -> Schedule:
    """Starts `Waits`: never by itself, or every so many seconds."""
    intervals = [] if every is None else [ScheduleIntervalSpec(every=timedelta(seconds=every))]
    return Schedule(
        action=ScheduleActionStartWorkflow("Waits", word, id="scheduled", task_queue=QUEUE, **action),
        spec=ScheduleSpec(intervals=intervals),
        policy=SchedulePolicy(overlap=overlap, **(policy or {})),
        state=state or ScheduleState(),
    )


async def until(look: Callable[[], Awaitable[T]], holds: Callable[[T], bool], seconds: float = 20) -> T:
    """What is seen once the condition holds for it."""
    async with asyncio.timeout(seconds):
        while not holds(seen := await look()):
            await asyncio.sleep(0.02)
    return seen


async def described(
    handle: ScheduleHandle, holds: Callable[[ScheduleDescription], bool], seconds: float = 20
) -> ScheduleDescription:
    return await until(handle.describe, holds, seconds)


def workflow_ids(description: ScheduleDescription) -> list[str]:
    """Of the recent actions."""
    ids = []
    for recent in description.info.recent_actions:
        assert isinstance(recent.action, ScheduleActionExecutionStartWorkflow)
        ids.append(recent.action.workflow_id)
    return ids


async def end(client: Client, workflow_id: str, word: str = "done") -> None:
    """Let a waiting workflow end with that word."""
    await client.get_workflow_handle(workflow_id).signal(Waits.end, word)
