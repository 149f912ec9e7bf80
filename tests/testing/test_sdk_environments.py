"""The SDK's own test environments, with the `outlive` executable in the place of Temporal's servers."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

EXECUTABLE = str(Path(sys.executable).with_name("outlive"))
START = timedelta(seconds=20)  # of a process, on a machine that has other things to do


@workflow.defn
class Calendar:
    """Sleeps so many times a day; returns the days that passed."""

    @workflow.run
    async def run(self, days: int) -> float:
        began = workflow.now()
        for _ in range(days):
            await workflow.sleep(timedelta(days=1))
        return (workflow.now() - began) / timedelta(days=1)


async def test_the_time_skipping_environment() -> None:
    async with (
        await WorkflowEnvironment.start_time_skipping(
            test_server_existing_path=EXECUTABLE, test_server_startup_timeout=START
        ) as environment,
        Worker(
            environment.client,
            task_queue="q",
            workflows=[Calendar],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        assert environment.supports_time_skipping
        began = await environment.get_current_time()
        days = await environment.client.execute_workflow(Calendar.run, 30, id="month", task_queue="q")
        assert days == pytest.approx(30, abs=0.01)
        assert await environment.get_current_time() - began == pytest.approx(timedelta(days=30), abs=START)
        handles = [
            await environment.client.start_workflow(Calendar.run, days, id=f"w{days}", task_queue="q")
            for days in (3, 1, 2)
        ]
        results = await asyncio.gather(*(handle.result() for handle in handles))
        assert [round(days) for days in results] == [3, 1, 2]
        began = await environment.get_current_time()
        before = time.monotonic()
        await environment.sleep(timedelta(days=365))
        assert time.monotonic() - before < 5
        assert await environment.get_current_time() - began == pytest.approx(timedelta(days=365), abs=START)


async def test_time_skipping_from_the_start() -> None:
    async with await WorkflowEnvironment.start_time_skipping(
        test_server_existing_path=EXECUTABLE,
        test_server_extra_args=["--enable-time-skipping"],
        test_server_startup_timeout=START,
    ) as environment:
        began = await environment.get_current_time()
        handle = await environment.client.start_workflow(
            "Absent", id="late", task_queue="q", start_delay=timedelta(days=1)
        )
        while await environment.get_current_time() - began < timedelta(days=1):
            await handle.describe()


async def test_the_environment_whose_workflows_skip_time() -> None:
    async with (
        await WorkflowEnvironment.start_time_skipping_v2(
            dev_server_existing_path=EXECUTABLE, dev_server_startup_timeout=START
        ) as environment,
        Worker(
            environment.client,
            task_queue="q",
            workflows=[Calendar],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ),
    ):
        with environment.with_time_skipping_disabled():
            handle = await environment.client.start_workflow(Calendar.run, 30, id="month", task_queue="q")
        began = await environment.get_current_time(handle)
        assert await environment.fast_forward(handle, timedelta(days=7))
        assert await environment.get_current_time(handle) - began == pytest.approx(timedelta(days=7), abs=START)
        year = environment.client.execute_workflow(Calendar.run, 100, id="long", task_queue="q")
        assert await year == pytest.approx(100, abs=0.01)


async def test_the_development_server_at_any_log_level() -> None:
    async with await WorkflowEnvironment.start_local(
        dev_server_existing_path=EXECUTABLE, dev_server_log_level=None, dev_server_startup_timeout=START
    ) as environment:
        await environment.client.start_workflow("Absent", id="w", task_queue="q")


@pytest.mark.parametrize("arguments", [["99999"], ["7000", "--no-such-flag"], ["7000", "8000"]])
def test_what_is_wrong_is_said_in_a_sentence(arguments: list[str]) -> None:
    ended = subprocess.run([EXECUTABLE, *arguments], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 2
    assert arguments[-1] in ended.stderr
    assert "Traceback" not in ended.stderr
