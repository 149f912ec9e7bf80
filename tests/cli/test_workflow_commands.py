"""`outlive workflow` and `outlive why`, as processes against a real server and a real worker."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.server import Server

QUEUE = "commands"


@workflow.defn
class Greeting:
    """Ends at once, fails, or waits for what it is asked."""

    def __init__(self) -> None:
        self._total = 0
        self._over = False

    @workflow.run
    async def run(self, what: str) -> str:
        if what == "fail":
            raise ApplicationError("no greeting today")
        if what == "wait":
            await workflow.wait_condition(lambda: self._over)
        return f"hello {what}"

    @workflow.signal
    def end(self) -> None:
        self._over = True

    @workflow.query
    def total(self) -> int:
        return self._total

    @workflow.update
    def add(self, number: int) -> int:
        if number < 0:
            raise ApplicationError("only upwards")
        self._total += number
        return self._total


@dataclass
class Said:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Commands:
    """Runs `outlive` against one server."""

    address: str

    async def __call__(self, *words: str, address: str | None = None) -> Said:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "outlive", *words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            stdin=asyncio.subprocess.DEVNULL,
            env={**os.environ, "TEMPORAL_ADDRESS": address or self.address, "TEMPORAL_CONFIG_FILE": os.devnull + "-no"},
        )
        out, err = await asyncio.wait_for(process.communicate(), 30)
        return Said(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def outlive(server: Server) -> Commands:
    return Commands(f"127.0.0.1:{server.port}")


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[None]:
    async with Worker(client, task_queue=QUEUE, workflows=[Greeting], workflow_runner=UnsandboxedWorkflowRunner()):
        yield


async def test_execute_prints_the_result_and_shows_the_events_beside_it(outlive: Commands, worker: None) -> None:
    said = await outlive("workflow", "execute", "--type", "Greeting", "-t", QUEUE, "-i", '"world"')
    assert (said.code, said.out) == (0, "hello world\n")
    assert "WorkflowExecutionCompleted" in said.err


async def test_a_workflow_that_fails_is_told_with_what_and_an_exit_code(outlive: Commands, worker: None) -> None:
    said = await outlive("workflow", "execute", "--type", "Greeting", "-t", QUEUE, "-i", '"fail"', "-w", "bad")
    assert said.code == 1
    assert "bad failed: no greeting today" in said.err
    assert "outlive workflow show -w bad" in said.err
    assert said.out == ""


async def test_a_conversation_with_a_workflow(outlive: Commands, worker: None) -> None:
    start = ("workflow", "start", "--type", "Greeting", "-t", QUEUE, "-w", "g")
    started = await outlive(*start, "-i", '"wait"', "--memo", "for=1", "-o", "json")
    assert started.json["workflowId"] == "g"
    updated = await outlive("workflow", "update", "-w", "g", "--name", "add", "-i", "4", "-o", "json")
    assert updated.json["result"] == 4
    refused = await outlive("workflow", "update", "-w", "g", "--name", "add", "-i", "-1")
    assert (refused.code, "only upwards" in refused.err) == (1, True)
    assert (await outlive("workflow", "query", "-w", "g", "--name", "total")).out == "4\n"
    listed = await outlive("workflow", "list", "-q", "WorkflowId = 'g'", "-o", "jsonl")
    line = json.loads(listed.out)
    assert (line["status"], line["memo"], line["runId"]) == ("Running", {"for": 1}, started.json["runId"])
    assert (await outlive("workflow", "signal", "-w", "g", "--name", "end")).code == 0
    assert (await outlive("workflow", "result", "-w", "g")).out == "hello wait\n"
    history = await outlive("workflow", "show", "-w", "g", "-o", "json")
    kinds = [event["eventType"] for event in history.json["events"]]
    assert (kinds[0], kinds[-1]) == ("EVENT_TYPE_WORKFLOW_EXECUTION_STARTED", "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED")
    assert (await outlive("workflow", "count", "-o", "json")).json["count"] == 1
    assert "hello" not in (await outlive("workflow", "show", "-w", "g", "-o", "none")).out


async def test_what_cannot_be_done_is_a_sentence_and_a_code(outlive: Commands, tmp_path: Path) -> None:
    nobody = await outlive("workflow", "list", address="127.0.0.1:1")
    assert (nobody.code, "outlive server start" in nobody.err) == (5, True)
    assert (await outlive("workflow", "describe", "-w", "absent")).code == 1
    bad_filter = await outlive("workflow", "list", "-q", "WorkflowId = ")
    assert (bad_filter.code, "position" in bad_filter.err) == (1, True)
    bad_input = await outlive("workflow", "start", "--type", "T", "-t", "q", "-i", "plain text")
    assert (bad_input.code, "is not JSON" in bad_input.err) == (2, True)
    bad_span = await outlive("workflow", "start", "--type", "T", "-t", "q", "--run-timeout", "soon")
    assert (bad_span.code, "1h30m" in bad_span.err) == (2, True)
    nowhere = await outlive("workflow", "list", "-n", "absent")
    assert (nowhere.code, "operator namespace create absent" in nowhere.err) == (1, True)
    both = await outlive("workflow", "terminate", "-w", "x", "-q", "y", "-y")
    assert both.code == 2
    for said in (nobody, bad_filter, bad_input, bad_span, nowhere, both):
        assert "Traceback" not in said.err


async def test_the_profile_of_the_configuration_file_counts_below_flags(outlive: Commands, tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text(f'[profile.here]\naddress = "{outlive.address}"\nnamespace = "absent"\n')
    flags = ("--config-file", str(file), "--profile", "here")
    assert "no namespace absent" in (await outlive("workflow", "list", *flags)).err
    assert (await outlive("workflow", "list", *flags, "-n", "default")).code == 0
    unknown = await outlive("workflow", "list", "--config-file", str(file), "--profile", "there")
    assert (unknown.code, "it has here" in unknown.err) == (2, True)


async def test_why_names_the_queue_that_nobody_polls(outlive: Commands) -> None:
    await outlive("workflow", "start", "--type", "Greeting", "-t", "nobody-there", "-w", "lost")
    said = await outlive("why", "lost")
    assert "No worker polls queue nobody-there" in said.out
    assert "task_queue='nobody-there'" in said.out


async def test_why_names_the_error_of_a_workflow_task(outlive: Commands, worker: None) -> None:
    await outlive("workflow", "start", "--type", "NotThere", "-t", QUEUE, "-w", "unknown")
    async with asyncio.timeout(20):
        while "fails with" not in (said := await outlive("why", "unknown", "-o", "json")).out:
            await asyncio.sleep(0.1)
    reason = said.json["reasons"][0]
    assert "NotThere" in reason["reason"]
    assert reason["blocked"]


async def test_why_of_a_run_that_waits_for_a_person(outlive: Commands, worker: None) -> None:
    await outlive("workflow", "start", "--type", "Greeting", "-t", QUEUE, "-w", "waits", "-i", '"wait"')
    async with asyncio.timeout(20):
        while "waits for a timer, a signal" not in (said := await outlive("why", "waits")).out:
            await asyncio.sleep(0.1)
    assert "outlive workflow stack -w waits" in said.out
