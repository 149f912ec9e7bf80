"""The plug-in on real servers, outlive's and Temporal's: children, schedules, collection by the command."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowFailureError,
    WorkflowHandle,
)
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker

from outlive.ai.contents import ContentsPlugin, collect, store_at
from outlive.server import Server

OUTLIVE = (sys.executable, "-m", "outlive")
REPLY = "A reply of some length. " * 40


@activity.defn
async def answer(messages: list[str]) -> str:
    return f"{len(messages)}: {REPLY}"


@workflow.defn
class Chat:
    @workflow.run
    async def run(self, messages: list[str], turns: int) -> list[str]:
        for _ in range(turns):
            messages.append(
                await workflow.execute_activity(answer, messages, start_to_close_timeout=timedelta(seconds=10))
            )
        return messages


@workflow.defn
class Parent:
    def __init__(self) -> None:
        self.go = False

    @workflow.run
    async def run(self) -> str:
        said = await workflow.execute_child_workflow(Chat.run, args=[["x" * 600], 2], id="child")
        await workflow.wait_condition(lambda: self.go)
        return said[-1]

    @workflow.signal
    def finish(self, words: str) -> None:
        self.go = True


async def connected(server: Server, folder: Path) -> Client:
    return await Client.connect(f"127.0.0.1:{server.port}", plugins=[ContentsPlugin(store_at(str(folder)))])


async def _delete(client: Client, workflow_id: str) -> None:
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id)
        )
    )
    while [run async for run in client.list_workflows(f'WorkflowId = "{workflow_id}"')]:
        await asyncio.sleep(0.02)


async def test_a_parent_outlives_its_child_and_its_contents(server: Server, tmp_path: Path) -> None:
    """The child's result stands in its parent's history: it is needed when that is replayed."""
    store = store_at(str(tmp_path))
    client = await connected(server, tmp_path)
    async with Worker(client, task_queue="q", workflows=[Chat, Parent], activities=[answer], max_cached_workflows=0):
        handle = await client.start_workflow(Parent.run, id="parent", task_queue="q")
        child: WorkflowHandle[Any, Any] = client.get_workflow_handle("child")
        assert len(await asyncio.wait_for(_result_of(child), 20)) == 3
        wanted = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
        while not [event async for event in handle.fetch_history_events() if event.event_type == wanted]:
            await asyncio.sleep(0.02)
    await _delete(client, "child")
    found = await collect(store, client.workflow_service, "default", grace=-60)
    assert found.gone == ["child"]
    fresh = await connected(server, tmp_path)  # remembers nothing
    async with Worker(fresh, task_queue="q", workflows=[Chat, Parent], activities=[answer], max_cached_workflows=0):
        again = fresh.get_workflow_handle("parent")
        await again.signal(Parent.finish, "go on " * 200)
        assert await asyncio.wait_for(again.result(), 20) == f"2: {REPLY}"
    await _delete(client, "parent")
    left = await collect(store, client.workflow_service, "default", grace=-60)
    assert "parent" in left.gone
    assert not [path for path in tmp_path.rglob("contents/*/*") if path.is_file()]


async def _result_of(handle: WorkflowHandle[Any, Any]) -> list[str]:
    while True:
        try:
            said: list[str] = await handle.result()
            return said
        except RPCError:  # it has not begun
            await asyncio.sleep(0.05)


async def test_a_schedules_arguments_stay_while_it_does(server: Server, tmp_path: Path) -> None:
    client = await connected(server, tmp_path)
    action = ScheduleActionStartWorkflow(Chat.run, args=[["y" * 600], 1], id="nightly", task_queue="q")
    schedule = await client.create_schedule("s", Schedule(action=action, spec=ScheduleSpec()))
    store = store_at(str(tmp_path))
    found = await collect(store, client.workflow_service, "default", grace=-60)
    assert (found.owners, found.gone, found.swept.contents) == (1, [], 0)
    async with Worker(client, task_queue="q", workflows=[Chat], activities=[answer]):
        await schedule.trigger()
        while not (runs := [run async for run in client.list_workflows('ExecutionStatus = "Completed"')]):
            await asyncio.sleep(0.05)
    assert runs[0].id.startswith("nightly-")
    await schedule.delete()
    command = await asyncio.create_subprocess_exec(
        *(*OUTLIVE, "contents", "gc", "--store", str(tmp_path), "--older", "0"),
        *("--address", f"127.0.0.1:{server.port}"),
        stdout=asyncio.subprocess.PIPE,
    )
    said = (await asyncio.wait_for(command.communicate(), 30))[0].decode()
    assert said.startswith("1 of 2 workflows are gone: released. 0 contents that nobody holds"), said
    assert (await client.get_workflow_handle(runs[0].id).result())[0] == "y" * 600


async def test_a_history_replays_offline_and_a_missing_content_is_said(server: Server, tmp_path: Path) -> None:
    client = await connected(server, tmp_path / "a")
    async with Worker(client, task_queue="q", workflows=[Chat], activities=[answer]):
        handle = await client.start_workflow(Chat.run, args=[["z" * 600], 3], id="chat", task_queue="q")
        assert len(await asyncio.wait_for(handle.result(), 20)) == 4
    history = await handle.fetch_history()
    await Replayer(workflows=[Chat], plugins=[ContentsPlugin(store_at(str(tmp_path / "a")))]).replay_workflow(history)
    elsewhere = await connected(server, tmp_path / "b")
    with pytest.raises(Exception, match="another store than the one that wrote it") as missing:
        await elsewhere.get_workflow_handle("chat").result()
    assert not isinstance(missing.value, WorkflowFailureError)
