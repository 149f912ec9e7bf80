"""Resets with the official SDK: the code runs again from the point, and what clients sent is not lost."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle, WorkflowUpdateStage
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker
from temporalio.workflow import ParentClosePolicy

from outlive.config import ServerConfig
from outlive.server import Server

QUEUE = "reset-queue"
ran: list[str] = []


@activity.defn
async def step(name: str) -> str:
    ran.append(name)
    return name


@workflow.defn
class Collects:
    """Two steps, then signals and updates until it is told to end."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, name: str) -> list[str]:
        for part in ("one", "two"):
            await workflow.execute_activity(step, f"{name}/{part}", start_to_close_timeout=timedelta(seconds=10))
        await workflow.wait_condition(lambda: "end" in self.got)
        return self.got

    @workflow.signal
    def add(self, value: str) -> None:
        self.got.append(value)

    @workflow.update
    def put(self, value: str) -> int:
        self.got.append(value)
        return len(self.got)


@workflow.defn
class Waits:
    """A child that waits for its signal."""

    def __init__(self) -> None:
        self.value = ""

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: bool(self.value))
        return self.value

    @workflow.signal
    def give(self, value: str) -> None:
        self.value = value


@workflow.defn
class HasChild:
    """Starts a child, then waits for a signal, passes it on, and returns the child's result."""

    def __init__(self) -> None:
        self.values: list[str] = []

    @workflow.run
    async def run(self) -> str:
        child = await workflow.start_child_workflow(
            Waits.run, id=workflow.info().workflow_id + "-child", parent_close_policy=ParentClosePolicy.TERMINATE
        )
        await workflow.wait_condition(lambda: bool(self.values))
        if self.values[0]:
            await child.signal(Waits.give, self.values[0])
        return await child

    @workflow.signal
    def give(self, value: str) -> None:
        self.values.append(value)


@workflow.defn
class Chain:
    """Continues as new once; each run waits for its word."""

    def __init__(self) -> None:
        self.got: list[str] = []

    @workflow.run
    async def run(self, number: int) -> list[str]:
        await workflow.wait_condition(lambda: "next" in self.got)
        if number == 0:
            workflow.continue_as_new(1)
        return self.got

    @workflow.signal
    def add(self, value: str) -> None:
        self.got.append(value)


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[Worker]:
    ran.clear()
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Collects, HasChild, Waits, Chain],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
    ) as worker:
        yield worker


async def events_of(handle: WorkflowHandle[object, object]) -> list[HistoryEvent]:
    return [event async for event in handle.fetch_history_events()]


async def finish_of(handle: WorkflowHandle[object, object], task: int) -> int:
    """The end of the numbered workflow task, once it is there."""
    while True:
        kind = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
        ends = [event.event_id for event in await events_of(handle) if event.event_type == kind]
        if len(ends) >= task:
            return ends[task - 1]
        await asyncio.sleep(0.02)


async def reset(client: Client, workflow_id: str, event_id: int, run_id: str = "", **more: object) -> str:
    response = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            reason="again",
            request_id=str(more.pop("request_id", uuid.uuid4())),
            workflow_task_finish_event_id=event_id,
            **more,  # type: ignore[arg-type]
        )
    )
    return response.run_id


async def test_steps_run_again_and_signals_and_updates_are_applied_again(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(Collects.run, "a", id="collects", task_queue=QUEUE)
    await finish_of(handle, 3)
    await handle.signal(Collects.add, "s1")
    assert await handle.execute_update(Collects.put, "u1", id="update-1") == 2
    assert ran == ["a/one", "a/two"]
    new_run = await reset(client, "collects", await finish_of(handle, 1))
    again = client.get_workflow_handle_for(Collects.run, "collects", run_id=new_run)
    await again.signal(Collects.add, "end")
    got = await again.result()
    assert sorted(got) == ["end", "s1", "u1"]
    assert ran == ["a/one", "a/two"] * 2
    assert (await handle.describe()).status == WorkflowExecutionStatus.COMPLETED
    # the update is known under its id in the new run, and was decided on anew
    update = client.get_workflow_handle("collects", run_id=new_run).get_update_handle("update-1", result_type=int)
    assert await update.result() == got.index("u1") + 1
    old = await client.get_workflow_handle("collects", run_id=handle.first_execution_run_id).describe()
    assert old.status == WorkflowExecutionStatus.TERMINATED
    assert old.raw_description.workflow_extended_info.reset_run_id == new_run


async def test_what_is_before_the_point_is_not_done_again(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(Collects.run, "b", id="half", task_queue=QUEUE)
    second = await finish_of(handle, 2)
    await finish_of(handle, 3)
    await handle.signal(Collects.add, "lost")
    exclude = [ResetReapplyExcludeType.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL]
    await reset(client, "half", second, reset_reapply_exclude_types=exclude)
    await client.get_workflow_handle("half").signal(Collects.add, "end")
    assert await client.get_workflow_handle_for(Collects.run, "half").result() == ["end"]
    assert ran == ["b/one", "b/two", "b/two"]


async def test_closed_run_and_request_that_is_repeated(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(Collects.run, "c", id="closed", task_queue=QUEUE)
    await handle.signal(Collects.add, "end")
    await handle.result()
    first = await finish_of(handle, 1)
    base = handle.first_execution_run_id or ""
    new_run = await reset(client, "closed", first, base, request_id="once")
    assert await reset(client, "closed", first, base, request_id="once") == new_run
    assert await client.get_workflow_handle_for(Collects.run, "closed").result() == ["end"]
    assert await reset(client, "closed", first, base, request_id="once") == new_run
    assert ran == ["c/one", "c/two"] * 2
    assert (await client.get_workflow_handle("closed", run_id=base).describe()).status == (
        WorkflowExecutionStatus.COMPLETED
    )


async def test_new_run_takes_over_a_running_child(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(HasChild.run, id="parent", task_queue=QUEUE)
    second = await finish_of(handle, 2)
    child = client.get_workflow_handle("parent-child")
    child_run = (await child.describe()).run_id
    await reset(client, "parent", second)
    again = client.get_workflow_handle_for(HasChild.run, "parent")
    await again.signal(HasChild.give, "hello")
    assert await again.result() == "hello"
    assert (await child.describe()).run_id == child_run


async def test_child_that_ended_meanwhile_is_told_to_the_new_run(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(HasChild.run, id="late", task_queue=QUEUE)
    second = await finish_of(handle, 2)
    await handle.terminate()  # the child is terminated with it
    child = client.get_workflow_handle("late-child")
    while (await child.describe()).status == WorkflowExecutionStatus.RUNNING:
        await asyncio.sleep(0.02)
    await reset(client, "late", second, handle.first_execution_run_id or "")
    kinds = [event.event_type for event in await events_of(client.get_workflow_handle("late"))]
    assert EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED in kinds


async def test_reset_of_a_child_is_told_to_the_parent_at_its_end(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(HasChild.run, id="mother", task_queue=QUEUE)
    await finish_of(handle, 2)
    child = client.get_workflow_handle("mother-child")
    new_run = await reset(client, "mother-child", await finish_of(child, 1))
    await client.get_workflow_handle("mother-child").signal(Waits.give, "from the reset")
    await handle.signal(HasChild.give, "")
    assert await handle.result() == "from the reset"
    closed = [e for e in await events_of(handle) if e.HasField("child_workflow_execution_completed_event_attributes")]
    run_id = closed[0].child_workflow_execution_completed_event_attributes.workflow_execution.run_id
    assert run_id == new_run


async def test_signals_of_later_runs_of_the_chain_come_along(client: Client, worker: Worker) -> None:
    handle = await client.start_workflow(Chain.run, 0, id="chain", task_queue=QUEUE)
    first = handle.first_execution_run_id or ""
    point = await finish_of(handle, 1)
    await handle.signal(Chain.add, "in the first")
    await handle.signal(Chain.add, "next")
    current = client.get_workflow_handle("chain")
    while (await current.describe()).run_id == first:
        await asyncio.sleep(0.02)
    second = (await current.describe()).run_id
    await current.signal(Chain.add, "in the second")
    new_run = await reset(client, "chain", point, first)
    again = await events_of(client.get_workflow_handle("chain", run_id=new_run))
    signals = [
        e.workflow_execution_signaled_event_attributes.input.payloads[0].data
        for e in again
        if e.HasField("workflow_execution_signaled_event_attributes")
    ]
    assert signals == [b'"in the first"', b'"next"', b'"in the second"']
    status = (await client.get_workflow_handle("chain", run_id=second).describe()).status
    assert status == WorkflowExecutionStatus.TERMINATED


async def test_callers_of_updates_under_way(client: Client) -> None:
    """One that no worker has accepted is told that the run has closed."""
    handle = await client.start_workflow(Collects.run, "d", id="waiting", task_queue="nobody")
    waiting = asyncio.ensure_future(
        handle.start_update(Collects.put, "x", id="x", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    )
    with pytest.raises(RPCError) as missing:
        await reset(client, "waiting", 3)  # no task has been completed
    assert missing.value.status == RPCStatusCode.INVALID_ARGUMENT
    await client.get_workflow_handle("waiting").signal(Collects.add, "more")
    await reset(client, "waiting", 3)
    with pytest.raises(RPCError) as gone:
        await waiting
    assert gone.value.status == RPCStatusCode.NOT_FOUND


async def test_a_restart_keeps_the_new_run(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    queue = "restart"
    async with Worker(
        client, task_queue=queue, workflows=[Collects], activities=[step], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        handle = await client.start_workflow(Collects.run, "e", id="kept", task_queue=queue)
        await finish_of(handle, 3)
        await handle.signal(Collects.add, "s")
    new_run = await reset(client, "kept", await finish_of(handle, 2))
    await server.stop(0)
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    async with Worker(
        client, task_queue=queue, workflows=[Collects], activities=[step], workflow_runner=UnsandboxedWorkflowRunner()
    ):
        kept = client.get_workflow_handle_for(Collects.run, "kept")
        assert (await kept.describe()).run_id == new_run
        await kept.signal(Collects.add, "end")
        assert await kept.result() == ["s", "end"]
    await server.stop(0)
