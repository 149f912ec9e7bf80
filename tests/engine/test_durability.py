"""kill -9 at any moment: what was acknowledged is there, what was recorded does not run twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

pytestmark = pytest.mark.timeout(90)
calls: list[str] = []


@activity.defn
async def step(name: str) -> str:
    calls.append(name)
    return name


@workflow.defn
class Steps:
    """Ten steps with a timer between; a signal is counted."""

    def __init__(self) -> None:
        self.signals = 0

    @workflow.run
    async def run(self) -> tuple[int, int]:
        for number in range(10):
            await workflow.execute_activity(
                step,
                f"{workflow.info().workflow_id}/{number}",
                start_to_close_timeout=timedelta(seconds=5),
                retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=100)),
            )
            await workflow.sleep(timedelta(milliseconds=30))
        await workflow.wait_condition(lambda: self.signals == 5)
        return 10, self.signals

    @workflow.signal
    def poke(self) -> None:
        self.signals += 1


class Process:
    """An outlive server as a child process, on one port and file."""

    def __init__(self, database: Path) -> None:
        self.database = database
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self._child: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._child = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "outlive", "server", "start-dev", "--headless",
            "--port", str(self.port), "--db-filename", str(self.database),
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert self._child.stdout is not None
        assert b"Server:" in await self._child.stdout.readline()

    async def kill(self) -> None:
        assert self._child is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._child.pid, signal.SIGKILL)
        await self._child.wait()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[Process]:
    process = Process(tmp_path / "outlive.db")
    await process.start()
    yield process
    await process.kill()


async def test_three_kills_lose_nothing_and_repeat_nothing(process: Process) -> None:
    client = await Client.connect(f"127.0.0.1:{process.port}")
    queue = str(uuid.uuid4())
    calls.clear()
    async with Worker(
        client, task_queue=queue, workflows=[Steps], activities=[step], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handles = [await client.start_workflow(Steps.run, id=f"steps-{n}", task_queue=queue) for n in range(4)]
        acknowledged = dict.fromkeys((h.id for h in handles), 0)
        for already in (4, 14, 26):
            while len(calls) < already:
                await asyncio.sleep(0.01)
            for handle in handles:
                await handle.signal(Steps.poke)
                acknowledged[handle.id] += 1
            await process.kill()
            await process.start()
        for handle in handles:
            while acknowledged[handle.id] < 5:
                await handle.signal(Steps.poke)
                acknowledged[handle.id] += 1
        results = await asyncio.gather(*(handle.result() for handle in handles))
    assert [tuple(result) for result in results] == [(10, 5)] * 4
    completed: dict[str, int] = {}
    for handle in handles:
        async for event in handle.fetch_history_events():
            if event.HasField("activity_task_completed_event_attributes"):
                completed[handle.id] = completed.get(handle.id, 0) + 1
    assert completed == {handle.id: 10 for handle in handles}, "each step is recorded once"
    # A call whose completion was acknowledged never runs again: only those in flight at a kill may.
    assert len(calls) - 40 <= 3 * len(handles)


async def test_a_second_server_on_the_file_is_refused(process: Process) -> None:
    second = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outlive", "server", "start-dev", "--headless", "--port", "0",
        "--db-filename", str(process.database), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await second.communicate()
    assert second.returncode == 2
    assert b"in use by another outlive server" in said
    assert b"Traceback" not in said


async def test_a_timer_that_fell_due_while_the_server_was_down_fires(process: Process) -> None:
    client = await Client.connect(f"127.0.0.1:{process.port}")
    handle = await client.start_workflow(
        "Nobody", id="late", task_queue="nobody", start_delay=timedelta(milliseconds=200)
    )
    await process.kill()
    await process.start()
    again = await Client.connect(f"127.0.0.1:{process.port}")
    while True:
        with contextlib.suppress(RPCError):
            described = await again.get_workflow_handle(handle.id).describe()
            if described.raw_description.HasField("pending_workflow_task"):
                break
        await asyncio.sleep(0.02)
    assert described.history_length == 2
