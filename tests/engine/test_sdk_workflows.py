"""What the official SDK's users write, against a real server."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryFailedError
from temporalio.common import RetryPolicy, WorkflowIDConflictPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, WorkflowAlreadyStartedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

SHORT = timedelta(seconds=20)
attempts: dict[str, int] = {}


@activity.defn
async def double(number: int) -> int:
    return 2 * number


@activity.defn
async def fails_twice(key: str) -> int:
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] < 3:
        raise ApplicationError(f"attempt {attempts[key]}")
    return attempts[key]


@activity.defn
async def waits_for_cancel() -> str:
    while True:
        activity.heartbeat("beat")
        await asyncio.sleep(0.05)


@workflow.defn
class Sum:
    """Activities side by side, then one after the other."""

    @workflow.run
    async def run(self, numbers: list[int]) -> int:
        parts = await asyncio.gather(
            *(workflow.execute_activity(double, n, start_to_close_timeout=SHORT) for n in numbers)
        )
        total = 0
        for part in parts:
            total += await workflow.execute_activity(double, part, start_to_close_timeout=SHORT)
        return total


@workflow.defn
class Retried:
    @workflow.run
    async def run(self, key: str) -> int:
        policy = RetryPolicy(initial_interval=timedelta(milliseconds=10))
        return await workflow.execute_activity(fails_twice, key, start_to_close_timeout=SHORT, retry_policy=policy)


@workflow.defn
class Inbox:
    """Collects signals until told to stop; answers queries; sleeps on a timer."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.done = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self.done)
        await workflow.sleep(timedelta(milliseconds=20))
        return self.seen

    @workflow.signal
    def add(self, text: str) -> None:
        self.seen.append(text)

    @workflow.signal
    def stop(self) -> None:
        self.done = True

    @workflow.query
    def so_far(self) -> list[str]:
        return self.seen

    @workflow.query
    def broken(self) -> None:
        raise ApplicationError("no such thing")


@workflow.defn
class Cancellable:
    @workflow.run
    async def run(self) -> str:
        try:
            return await workflow.execute_activity(
                waits_for_cancel,
                start_to_close_timeout=SHORT,
                heartbeat_timeout=timedelta(seconds=5),
                cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
        except ActivityError as error:
            assert isinstance(error.cause, CancelledError)
            raise


@workflow.defn
class Countdown:
    @workflow.run
    async def run(self, left: int) -> str:
        if left:
            workflow.continue_as_new(left - 1)
        return workflow.info().first_execution_run_id


@workflow.defn
class Parent:
    @workflow.run
    async def run(self, numbers: list[int]) -> int:
        parts = await asyncio.gather(
            *(workflow.execute_child_workflow(Sum.run, [n], id=f"{workflow.info().workflow_id}-{n}") for n in numbers)
        )
        return sum(parts)


@pytest.fixture
async def queue(client: Client) -> AsyncIterator[str]:
    """A task queue with a worker on it."""
    name = f"queue-{uuid.uuid4()}"
    async with Worker(
        client,
        task_queue=name,
        workflows=[Sum, Retried, Inbox, Cancellable, Countdown, Parent],
        activities=[double, fails_twice, waits_for_cancel],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        yield name


async def kinds(handle: WorkflowHandle) -> list[str]:
    """The types of the run's events."""
    numbers = [event.event_type async for event in handle.fetch_history_events()]
    return [EventType.Name(number).removeprefix("EVENT_TYPE_") for number in numbers]


async def test_activities_in_parallel_and_in_sequence(client: Client, queue: str) -> None:
    assert await client.execute_workflow(Sum.run, [1, 2, 3], id="sum", task_queue=queue) == 24


async def test_a_retried_activity_leaves_one_started_event_with_its_last_attempt(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Retried.run, str(uuid.uuid4()), id="retried", task_queue=queue)
    assert await handle.result() == 3
    started = [
        event.activity_task_started_event_attributes
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED
    ]
    assert [s.attempt for s in started] == [3]
    assert started[0].last_failure.message == "attempt 2"


async def test_signals_queries_and_a_timer(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Inbox.run, id="inbox", task_queue=queue)
    for text in ("a", "b", "c"):
        await handle.signal(Inbox.add, text)
    assert await handle.query(Inbox.so_far) == ["a", "b", "c"]
    with pytest.raises(WorkflowQueryFailedError, match="no such thing"):
        await handle.query(Inbox.broken)
    await handle.signal(Inbox.stop)
    assert await handle.result() == ["a", "b", "c"]
    assert await handle.query(Inbox.so_far) == ["a", "b", "c"], "a closed workflow answers from its history"
    assert "TIMER_FIRED" in await kinds(handle)


async def test_cancelling_reaches_a_running_activity(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Cancellable.run, id="cancel", task_queue=queue)
    while not (await handle.describe()).raw_description.pending_activities:
        await asyncio.sleep(0)
    await handle.cancel()
    with pytest.raises(WorkflowFailureError) as failure:
        await handle.result()
    assert isinstance(failure.value.cause, CancelledError)
    assert (await kinds(handle))[-1] == "WORKFLOW_EXECUTION_CANCELED"


async def test_continue_as_new_keeps_the_chain(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Countdown.run, 1, id="countdown", task_queue=queue)
    assert await handle.result() == handle.first_execution_run_id


async def test_children_report_to_their_parent(client: Client, queue: str) -> None:
    handle = await client.start_workflow(Parent.run, [1, 2, 3], id="parent", task_queue=queue)
    assert await handle.result() == 24
    assert (await kinds(handle)).count("CHILD_WORKFLOW_EXECUTION_COMPLETED") == 3


async def test_ids_are_unique_among_running_workflows(client: Client, queue: str) -> None:
    first = await client.start_workflow(Inbox.run, id="one", task_queue=queue)
    with pytest.raises(WorkflowAlreadyStartedError):
        await client.start_workflow(Inbox.run, id="one", task_queue=queue)
    again = await client.start_workflow(
        Inbox.run, id="one", task_queue=queue, id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING
    )
    assert again.result_run_id == first.result_run_id
    await first.terminate("enough")
    with pytest.raises(WorkflowFailureError):
        await first.result()


async def test_lists_and_counts_by_filter(client: Client, queue: str) -> None:
    for name in ("list-a", "list-b"):
        await client.execute_workflow(Sum.run, [1], id=name, task_queue=queue)
    waiting = await client.start_workflow(Inbox.run, id="list-c", task_queue=queue)
    found = [run.id async for run in client.list_workflows("WorkflowType = 'Sum' AND ExecutionStatus = 'Completed'")]
    assert sorted(found) == ["list-a", "list-b"]
    counts = await client.count_workflows("GROUP BY ExecutionStatus")
    assert {g.group_values[0]: g.count for g in counts.groups} == {"Running": 1, "Completed": 2}
    await waiting.terminate()
