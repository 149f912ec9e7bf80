"""Executions with a time of their own: what they skip, what holds them, and what others inherit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import activity, workflow
from temporalio.api.common.v1 import TimeSkippingConfig, TimeSkippingInfo, WorkflowExecution
from temporalio.api.enums.v1 import EventType, FastForwardPollingResult
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionTimeSkippingRequest,
    PollWorkflowExecutionTimeSkippingResponse,
    ResetWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
)
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, TimeoutError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkipper
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.config import ServerConfig
from outlive.server import Server

QUEUE = "own-time"
DAY = 24 * 3600
E = EventType
SKIPPED = E.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED
R = FastForwardPollingResult
Handle = WorkflowHandle[Any, Any]


@activity.defn
async def fails_at_first(times: int) -> int:
    attempt = activity.info().attempt
    if attempt <= times:
        raise ApplicationError("not yet")
    return attempt


@workflow.defn
class Days:
    """Sleeps that many days, then waits for a word if told to; returns the days that passed."""

    def __init__(self) -> None:
        self.word = ""

    @workflow.run
    async def run(self, days: int, waits: bool = False) -> float:
        began = workflow.time()
        for _ in range(days):
            await workflow.sleep(timedelta(days=1))
        await workflow.wait_condition(lambda: bool(self.word) or not waits)
        return (workflow.time() - began) / DAY

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word

    @workflow.update
    async def nap(self) -> float:
        await workflow.sleep(timedelta(days=1))
        return workflow.time()


@workflow.defn
class Family:
    """A day, then a child that sleeps two, then another day."""

    @workflow.run
    async def run(self) -> float:
        began = workflow.time()
        await workflow.sleep(timedelta(days=1))
        await workflow.execute_child_workflow(Days.run, args=[2], id=f"{workflow.info().workflow_id}-child")
        await workflow.sleep(timedelta(days=1))
        return (workflow.time() - began) / DAY


@workflow.defn
class Tries:
    @workflow.run
    async def run(self) -> float:
        began = workflow.time()
        policy = RetryPolicy(initial_interval=timedelta(days=1), backoff_coefficient=1.0)
        await workflow.execute_activity(
            fails_at_first, 2, start_to_close_timeout=timedelta(seconds=20), retry_policy=policy
        )
        return (workflow.time() - began) / DAY


@workflow.defn
class Chain:
    """A day in each run; the last one tells when it began."""

    @workflow.run
    async def run(self, left: int) -> float:
        began = workflow.time()
        await workflow.sleep(timedelta(days=1))
        if left:
            workflow.continue_as_new(left - 1)
        return began


@workflow.defn
class Stumbles:
    @workflow.run
    async def run(self) -> int:
        if workflow.info().attempt < 3:
            raise ApplicationError("again")
        return workflow.info().attempt


@pytest.fixture
async def worker(client: Client) -> AsyncIterator[None]:
    async with a_worker(client):
        yield


def a_worker(client: Client) -> Worker:
    return Worker(
        client,
        task_queue=QUEUE,
        workflows=[Days, Family, Tries, Chain, Stumbles],
        activities=[fails_at_first],
        workflow_runner=UnsandboxedWorkflowRunner(),
    )


class _Config:
    """Stamps any configuration on what it starts, also one that the SDK's own class refuses."""

    def __init__(self, config: TimeSkippingConfig) -> None:
        self._config = config

    def _to_proto(self) -> TimeSkippingConfig:
        return self._config


def configured(*, forward: float = 0, id: str = "ff", **options: Any) -> TimeSkippingConfig:
    """A configuration; `forward` is a fast-forward in seconds."""
    config = TimeSkippingConfig(enabled=True, **options)
    if forward:
        config.fast_forward_config.id = id
        config.fast_forward_config.duration.FromTimedelta(timedelta(seconds=forward))
    return config


async def start(
    client: Client, run: Any, *args: Any, config: TimeSkippingConfig | None = None, **options: Any
) -> Handle:
    skipper = TimeSkipper(client, config=_Config(config or configured()))  # type: ignore[arg-type]
    return await skipper.client.start_workflow(run, args=args, id=options.pop("id", "w"), task_queue=QUEUE, **options)


async def history(handle: Handle) -> list[HistoryEvent]:
    return [event async for event in handle.fetch_history_events()]


def kinds(events: list[HistoryEvent]) -> list[str]:
    return [E.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in events]


def at(event: HistoryEvent) -> float:
    return event.event_time.ToNanoseconds() / 1e9


async def skipping(handle: Handle) -> TimeSkippingInfo:
    described = await handle.describe()
    return described.raw_description.workflow_extended_info.time_skipping_info


async def poll(client: Client, id: str = "w", forward: str = "ff") -> PollWorkflowExecutionTimeSkippingResponse:
    return await client.workflow_service.poll_workflow_execution_time_skipping(
        PollWorkflowExecutionTimeSkippingRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=id), fast_forward_id=forward
        ),
        timeout=timedelta(seconds=20),
    )


# -- what is skipped


@pytest.mark.usefixtures("worker")
async def test_timers_are_skipped_and_history_says_so(client: Client) -> None:
    wall = datetime.now(UTC).timestamp()
    handle = await start(client, Days.run, 2)
    assert await handle.result() == pytest.approx(2, abs=0.01)
    events = await history(handle)
    assert kinds(events)[4:8] == [
        "TIMER_STARTED",
        "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED",
        "TIMER_FIRED",
        "WORKFLOW_TASK_SCHEDULED",
    ]
    started, skip, fired = events[4:7]
    attributes = skip.workflow_execution_time_skipping_transitioned_event_attributes
    assert attributes.target_time.ToNanoseconds() == started.event_time.ToNanoseconds() + DAY * 1_000_000_000
    assert attributes.wall_clock_time.ToNanoseconds() / 1e9 == pytest.approx(wall, abs=30)
    assert not attributes.disabled_after_fast_forward
    assert skip.worker_may_ignore
    assert at(skip) == at(started)
    assert at(fired) == pytest.approx(at(started) + DAY, abs=1)
    times = [at(event) for event in events]
    assert times == sorted(times)
    described = await handle.describe()
    assert described.close_time is not None
    assert described.close_time - described.start_time == pytest.approx(timedelta(days=2), abs=timedelta(minutes=1))


@pytest.mark.usefixtures("worker")
async def test_others_keep_their_time(client: Client) -> None:
    plain = await client.start_workflow(Days.run, args=[1], id="plain", task_queue=QUEUE)
    handle = await start(client, Days.run, 30)
    assert await handle.result() == pytest.approx(30, abs=0.01)
    described = await plain.describe()
    assert described.close_time is None
    assert not described.raw_description.workflow_extended_info.HasField("time_skipping_info")
    assert SKIPPED not in [event.event_type for event in await history(plain)]


@pytest.mark.usefixtures("worker")
async def test_the_wait_before_a_retry_is_skipped(client: Client) -> None:
    handle = await start(client, Tries.run)
    assert await handle.result() == pytest.approx(2, abs=0.01)
    assert [event.event_type for event in await history(handle)].count(SKIPPED) == 2


@pytest.mark.usefixtures("worker")
async def test_a_start_delay_and_a_time_out_are_skipped(client: Client) -> None:
    handle = await start(client, Days.run, 0, True, start_delay=timedelta(days=5), run_timeout=timedelta(days=7))
    with pytest.raises(WorkflowFailureError) as error:
        await handle.result()
    assert isinstance(error.value.cause, TimeoutError)
    described = await handle.describe()
    assert described.execution_time is not None
    assert described.close_time is not None
    assert described.execution_time - described.start_time == timedelta(days=5)
    assert described.close_time - described.start_time == pytest.approx(timedelta(days=12), abs=timedelta(minutes=1))


@pytest.mark.usefixtures("worker")
async def test_an_update_that_sleeps(client: Client) -> None:
    handle = await start(client, Days.run, 0, True)
    woke = await handle.execute_update(Days.nap)
    assert woke == pytest.approx(datetime.now(UTC).timestamp() + DAY, abs=60)
    await handle.signal(Days.say, "enough")
    assert await handle.result() == pytest.approx(1, abs=0.01)


@pytest.mark.usefixtures("worker")
async def test_skips_are_limited(client: Client) -> None:
    handle = await start(client, Days.run, 4, config=configured(max_session_skip_count=2))
    while (info := await skipping(handle)).effective_config.enabled:
        await asyncio.sleep(0.01)
    assert info.current_session_skip_count == 2
    while kinds(await history(handle)).count("TIMER_STARTED") < 3:
        await asyncio.sleep(0.01)
    assert kinds(await history(handle))[-1] == "TIMER_STARTED"


# -- children and chains


@pytest.mark.usefixtures("worker")
async def test_a_child_begins_at_its_parents_time(client: Client) -> None:
    handle = await start(client, Family.run)
    assert await handle.result() == pytest.approx(2, abs=0.01)  # the child's own days are its own
    child = client.get_workflow_handle("w-child")
    described, parent = await child.describe(), await handle.describe()
    assert described.start_time - parent.start_time == pytest.approx(timedelta(days=1), abs=timedelta(minutes=1))
    assert described.close_time is not None
    assert described.close_time - described.start_time == pytest.approx(timedelta(days=2), abs=timedelta(minutes=1))
    first = (await history(child))[0].workflow_execution_started_event_attributes
    assert first.time_skipping_config.enabled
    assert first.time_skipping_state_propagation.initial_skipped_duration.ToTimedelta() == timedelta(days=1)
    waits = [k for k in kinds(await history(handle)) if "SKIPPING" in k or "CHILD" in k]
    assert [kind.split("_")[-1] for kind in waits] == [
        "TRANSITIONED",
        "INITIATED",
        "STARTED",
        "COMPLETED",
        "TRANSITIONED",
    ]


@pytest.mark.usefixtures("worker")
async def test_a_child_may_be_left_out(client: Client) -> None:
    handle = await start(client, Family.run, config=configured(disable_propagation=True))
    child = client.get_workflow_handle("w-child")
    while "CHILD_WORKFLOW_EXECUTION_STARTED" not in kinds(await history(handle)):
        await asyncio.sleep(0.01)
    while "TIMER_STARTED" not in kinds(await history(child)):
        await asyncio.sleep(0.01)
    first = (await history(child))[0]
    assert not first.workflow_execution_started_event_attributes.HasField("time_skipping_config")
    assert at(first) == pytest.approx(datetime.now(UTC).timestamp() + DAY, abs=60)
    assert (await child.describe()).close_time is None
    assert kinds(await history(handle))[-1] != "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED"


@pytest.mark.usefixtures("worker")
async def test_the_next_run_goes_on_where_time_stands(client: Client) -> None:
    handle = await start(client, Chain.run, 3)
    began = await handle.result()
    described = await client.get_workflow_handle("w", run_id=handle.first_execution_run_id).describe()
    assert began == pytest.approx(described.start_time.timestamp() + 3 * DAY, abs=60)
    last = (await history(client.get_workflow_handle("w")))[0]
    before = last.workflow_execution_started_event_attributes.time_skipping_state_propagation
    assert before.initial_skip_count >= 3
    assert at(last) == pytest.approx(described.start_time.timestamp() + 3 * DAY, abs=60)


@pytest.mark.usefixtures("worker")
async def test_a_workflows_own_retry_is_skipped_to(client: Client) -> None:
    policy = RetryPolicy(initial_interval=timedelta(days=1), backoff_coefficient=1.0)
    handle = await start(client, Stumbles.run, retry_policy=policy)
    assert await handle.result() == 3
    described = await client.get_workflow_handle("w").describe()
    assert described.close_time is not None
    assert described.close_time.timestamp() == pytest.approx(datetime.now(UTC).timestamp() + 2 * DAY, abs=60)


# -- fast-forwards


@pytest.mark.usefixtures("worker")
async def test_a_fast_forward_ends_where_it_was_to_end(client: Client) -> None:
    handle = await start(client, Days.run, 3, config=configured(forward=1.5 * DAY))
    answer = await poll(client)
    assert answer.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED
    events = await history(handle)
    target = events[0].event_time.ToNanoseconds() + int(1.5 * DAY) * 1_000_000_000
    assert answer.fast_forward_info.target_time.ToNanoseconds() == target
    last = events[-1].workflow_execution_time_skipping_transitioned_event_attributes
    assert last.disabled_after_fast_forward
    assert last.target_time.ToNanoseconds() == target
    info = await skipping(handle)
    assert info.fast_forward_info.has_completed
    assert not info.effective_config.enabled
    assert info.current_time.ToNanoseconds() / 1e9 == pytest.approx(target / 1e9, abs=60)
    again = await poll(client, forward="another")
    assert again.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED
    assert "does not match" in again.failed_reason


@pytest.mark.usefixtures("worker")
async def test_a_fast_forward_completes_in_a_later_run(client: Client) -> None:
    handle = await start(client, Chain.run, 3, config=configured(forward=2.5 * DAY))
    answer = await poll(client)
    assert answer.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED
    current = await client.get_workflow_handle("w").describe()
    assert current.run_id != handle.first_execution_run_id


@pytest.mark.usefixtures("worker")
async def test_a_fast_forward_beyond_the_end_fails(client: Client) -> None:
    await start(client, Days.run, 2, config=configured(forward=10 * DAY))
    answer = await poll(client)
    assert answer.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED
    assert "ended before" in answer.failed_reason


async def test_a_fast_forward_comes_true_by_itself(client: Client) -> None:
    """While there is work to do (here, no worker does it) time goes at its real pace, and the moment comes."""
    handle = await start(client, Days.run, 1, config=configured(forward=0.3))
    answer = await poll(client)
    assert answer.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED
    last = (await history(handle))[-1].workflow_execution_time_skipping_transitioned_event_attributes
    assert last.disabled_after_fast_forward
    assert not last.HasField("target_time")


async def test_a_poll_that_nothing_answers_ends(client: Client) -> None:
    await start(client, Days.run, 1, config=configured(forward=DAY))
    answer = await client.workflow_service.poll_workflow_execution_time_skipping(
        PollWorkflowExecutionTimeSkippingRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id="w"), fast_forward_id="ff"
        ),
        timeout=timedelta(seconds=1.2),
    )
    assert answer.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_POLL_TIMEOUT
    assert answer.fast_forward_info.fast_forward_id == "ff"


# -- a change while it runs


async def change(client: Client, config: TimeSkippingConfig | None, *, path: str = "time_skipping_config") -> Any:
    return await client.workflow_service.update_workflow_execution_options(
        UpdateWorkflowExecutionOptionsRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id="w"),
            workflow_execution_options=WorkflowExecutionOptions(time_skipping_config=config),
            update_mask=FieldMask(paths=[path]),
        )
    )


@pytest.mark.usefixtures("worker")
async def test_the_sdks_fast_forward(client: Client) -> None:
    skipper = TimeSkipper(client)
    handle = await client.start_workflow(Days.run, args=[3, True], id="w", task_queue=QUEUE)
    began = await skipper.get_current_time(handle)
    assert await skipper.fast_forward(handle, timedelta(days=1.5))
    now = await skipper.get_current_time(handle)
    assert now - began == pytest.approx(timedelta(days=1.5), abs=timedelta(minutes=1))
    assert await skipper.fast_forward(handle, DAY)
    await handle.signal(Days.say, "enough")
    assert not await skipper.fast_forward(handle)  # to the end
    assert await handle.result() == pytest.approx(3, abs=0.01)


@pytest.mark.usefixtures("worker")
async def test_a_change_is_written_and_followed(client: Client) -> None:
    handle = await client.start_workflow(Days.run, args=[2], id="w", task_queue=QUEUE)
    while "TIMER_STARTED" not in kinds(await history(handle)):
        await asyncio.sleep(0.01)
    answer = await change(client, configured())
    assert answer.workflow_execution_options.time_skipping_config.max_session_skip_count == 200
    assert await handle.result() == pytest.approx(2, abs=0.01)
    events = await history(handle)
    place = kinds(events).index("WORKFLOW_EXECUTION_OPTIONS_UPDATED")
    assert kinds(events)[place + 1] == "WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED"
    changed = events[place].workflow_execution_options_updated_event_attributes
    assert changed.time_skipping_config_updated
    assert changed.time_skipping_config.enabled


@pytest.mark.usefixtures("worker")
async def test_a_configuration_can_be_taken_away(client: Client) -> None:
    handle = await start(client, Days.run, 0, True, config=configured(forward=DAY))
    await poll(client)
    await change(client, None)
    info = await skipping(handle)
    assert not info.HasField("effective_config")
    assert not info.HasField("fast_forward_info")
    assert info.current_time.ToNanoseconds() / 1e9 == pytest.approx(datetime.now(UTC).timestamp() + DAY, abs=60)


async def test_a_poll_hears_of_changes(client: Client) -> None:
    """No worker takes the first task, so that nothing is skipped meanwhile."""
    await start(client, Days.run, 1, config=configured(forward=DAY))
    for config, reason in (
        (configured(forward=DAY), "was reset"),
        (configured(forward=DAY, id="other"), "does not match"),
    ):
        waiting = asyncio.ensure_future(poll(client))
        while not waiting.done():  # the change may come before the poll: then the next one is heard of
            await change(client, config)
        answer = await waiting
        assert answer.fast_forward_polling_result == R.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED
        assert reason in answer.failed_reason
    await change(client, TimeSkippingConfig())
    assert "does not match" in (await poll(client, forward="other")).failed_reason


async def test_it_is_changed_as_a_whole(client: Client) -> None:
    await start(client, Days.run, 1)
    with pytest.raises(RPCError, match="partial update") as error:
        await change(client, configured(), path="time_skipping_config.enabled")
    assert error.value.status == RPCStatusCode.INVALID_ARGUMENT


@pytest.mark.usefixtures("worker")
async def test_a_reset_keeps_the_time(client: Client) -> None:
    handle = await start(client, Days.run, 3)
    assert await handle.result() == pytest.approx(3, abs=0.01)
    completed = [e.event_id for e in await history(handle) if e.event_type == E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
    before = (await history(handle))[completed[1] - 1]
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id="w", run_id=handle.result_run_id or ""),
            workflow_task_finish_event_id=completed[1],
            request_id="reset",
        )
    )
    again = client.get_workflow_handle("w", run_id=answer.run_id)
    assert await again.result() == pytest.approx(3, abs=0.01)
    times = [at(event) for event in await history(again)]
    assert times == sorted(times)
    assert times[-1] >= at(before) + 2 * DAY


# -- what lasts, and what is refused


async def test_a_restart_keeps_the_time(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    async with a_worker(client):
        handle = await start(client, Days.run, 3, config=configured(max_session_skip_count=2))
        while (await skipping(handle)).effective_config.enabled:
            await asyncio.sleep(0.01)
        before = await skipping(handle)
    await server.stop(0)
    server = Server(config)
    await server.start()
    try:
        client = await Client.connect(f"127.0.0.1:{server.port}")
        after = await skipping(client.get_workflow_handle("w"))
        elapsed = after.current_time.ToNanoseconds() - before.current_time.ToNanoseconds()
        assert 0 < elapsed < 60_000_000_000
        before.current_time.CopyFrom(after.current_time)
        assert after == before
    finally:
        await server.stop(0)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (configured(forward=-1), "duration must be positive"),
        (configured(forward=1, id=" "), "fast_forward_id must be set"),
        (TimeSkippingConfig(fast_forward_config=configured(forward=1).fast_forward_config), "enabled is false"),
    ],
)
async def test_what_cannot_be_followed_is_refused(client: Client, config: TimeSkippingConfig, words: str) -> None:
    with pytest.raises(RPCError, match=words) as error:
        await start(client, Days.run, 1, config=config)
    assert error.value.status == RPCStatusCode.INVALID_ARGUMENT


async def test_a_poll_names_its_fast_forward(client: Client) -> None:
    with pytest.raises(RPCError, match="fast_forward_id") as error:
        await poll(client, forward="")
    assert error.value.status == RPCStatusCode.INVALID_ARGUMENT
    with pytest.raises(RPCError) as missing:
        await poll(client, id="nobody")
    assert missing.value.status == RPCStatusCode.NOT_FOUND


async def test_the_limit_of_skips_is_filled_in(client: Client) -> None:
    handle = await start(client, Days.run, 1)
    first = (await history(handle))[0].workflow_execution_started_event_attributes
    assert first.time_skipping_config.max_session_skip_count == 200


async def test_time_ends_where_the_file_ends(client: Client) -> None:
    """A run whose next thing falls due beyond what can be skipped waits for it as others do."""
    centuries = timedelta(days=36_500)
    async with a_worker(client):
        handle = await start(client, Days.run, 0, True, start_delay=centuries, run_timeout=centuries)
        while (await skipping(handle)).current_session_skip_count < 1:
            await asyncio.sleep(0.01)
        while "WORKFLOW_TASK_COMPLETED" not in kinds(await history(handle)):
            await asyncio.sleep(0.01)
        assert (await handle.describe()).close_time is None
        await handle.signal(Days.say, "enough")
        assert await handle.result() == pytest.approx(0, abs=0.01)
