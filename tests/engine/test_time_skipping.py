"""A test server's clock: what it jumps over, and what it waits for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio import activity, workflow
from temporalio.api.testservice.v1 import (
    LockTimeSkippingRequest,
    SleepRequest,
    SleepUntilRequest,
    UnlockTimeSkippingRequest,
)
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, TimeoutError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.config import ServerConfig, TimeSkipping
from outlive.server import Server

DAY = 24 * 3600.0
QUEUE = "time-skipping"
LONG = timedelta(days=400)


class Gate:
    """Lets an activity wait for the test, and the test for the activity."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.open = asyncio.Event()


gates: dict[str, Gate] = {}


@activity.defn
async def passes(gate: str) -> None:
    gates[gate].entered.set()
    await gates[gate].open.wait()


@activity.defn
async def fails_at_first(times: int) -> int:
    attempt = activity.info().attempt
    if attempt <= times:
        raise ApplicationError("not yet")
    return attempt


@workflow.defn
class Sleeper:
    @workflow.run
    async def run(self, days: float, times: int) -> float:
        """How many days passed in the workflow's own time."""
        began = workflow.time()
        for _ in range(times):
            await workflow.sleep(timedelta(days=days / times))
        return (workflow.time() - began) / DAY


@workflow.defn
class Works:
    """An activity beside a timer: which came first?"""

    @workflow.run
    async def run(self, gate: str) -> str:
        work = asyncio.ensure_future(
            workflow.execute_activity(passes, gate, start_to_close_timeout=timedelta(minutes=5))
        )
        timer = asyncio.ensure_future(workflow.sleep(timedelta(hours=1)))
        await workflow.wait([work, timer], return_when=asyncio.FIRST_COMPLETED)
        return "work" if work.done() else "timer"


@workflow.defn
class Retries:
    @workflow.run
    async def run(self, times: int) -> int:
        policy = RetryPolicy(initial_interval=timedelta(hours=1), backoff_coefficient=1.0)
        return await workflow.execute_activity(
            fails_at_first, times, start_to_close_timeout=timedelta(minutes=1), retry_policy=policy
        )


@workflow.defn
class Waits:
    """Cancels a timer, then waits for a word."""

    def __init__(self) -> None:
        self.word = ""
        self.ready = False

    @workflow.run
    async def run(self) -> str:
        timer = asyncio.ensure_future(workflow.sleep(timedelta(days=1)))
        await asyncio.sleep(0)
        timer.cancel()
        self.ready = True
        await workflow.wait_condition(lambda: bool(self.word))
        return self.word

    @workflow.signal
    def say(self, word: str) -> None:
        self.word = word

    @workflow.query
    def is_ready(self) -> bool:
        return self.ready


@workflow.defn
class Parent:
    @workflow.run
    async def run(self) -> float:
        began = workflow.time()
        await workflow.execute_child_workflow(Sleeper.run, args=[3.0, 3])
        await workflow.sleep(timedelta(days=1))
        return (workflow.time() - began) / DAY


class Skipping:
    """A test server, its client, and its TestService."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.service = client.test_service

    async def now(self) -> float:
        answer = await self.service.get_current_time(Empty())
        return answer.time.seconds + answer.time.nanos / 1e9

    async def skipped(self) -> float:
        """How far the server's clock is ahead of the machine's, in seconds."""
        return await self.now() - time.time()

    async def lock(self) -> None:
        await self.service.lock_time_skipping(LockTimeSkippingRequest())

    async def unlock(self) -> None:
        await self.service.unlock_time_skipping(UnlockTimeSkippingRequest())

    async def pass_time(self, seconds: float) -> None:
        await self.service.unlock_time_skipping_with_sleep(SleepRequest(duration=_span(seconds)))

    @asynccontextmanager
    async def unlocked(self) -> AsyncIterator[None]:
        await self.unlock()
        yield
        await self.lock()

    async def start(
        self, run: Callable[..., Any], *args: Any, id: str = "w", **options: Any
    ) -> WorkflowHandle[Any, Any]:
        return await self.client.start_workflow(run, args=args, id=id, task_queue=QUEUE, **options)

    async def result(self, run: Callable[..., Any], *args: Any, **options: Any) -> Any:
        handle = await self.start(run, *args, **options)
        async with self.unlocked():
            return await handle.result()


def _span(seconds: float) -> Duration:
    span = Duration()
    span.FromTimedelta(timedelta(seconds=seconds))
    return span


@pytest.fixture
async def skipping() -> AsyncIterator[Skipping]:
    server = Server(ServerConfig(port=0, time_skipping=TimeSkipping.LOCKED))
    await server.start()
    yield Skipping(await Client.connect(f"127.0.0.1:{server.port}"))
    await server.stop(0)


@pytest.fixture
async def worker(skipping: Skipping) -> AsyncIterator[None]:
    async with Worker(
        skipping.client,
        task_queue=QUEUE,
        workflows=[Sleeper, Works, Retries, Waits, Parent],
        activities=[passes, fails_at_first],
        workflow_runner=UnsandboxedWorkflowRunner(),
        graceful_shutdown_timeout=timedelta(0),
    ):
        yield


# -- locks and sleeping callers


async def test_sleeping_unlocked_passes_time_at_once(skipping: Skipping) -> None:
    before = time.monotonic()
    await skipping.pass_time(365 * DAY)
    assert time.monotonic() - before < 1
    assert await skipping.skipped() == pytest.approx(365 * DAY, abs=2)


async def test_locks_are_counted(skipping: Skipping) -> None:
    await skipping.lock()
    before = time.monotonic()
    await skipping.pass_time(0.2)  # one of two locks undone: the clock is still locked
    assert time.monotonic() - before >= 0.2
    assert await skipping.skipped() < 0.1
    await skipping.unlock()
    await skipping.pass_time(3600)
    assert await skipping.skipped() == pytest.approx(3600, abs=2)


async def test_an_unlock_without_a_lock_is_refused(skipping: Skipping) -> None:
    await skipping.unlock()
    for unbalanced in (skipping.unlock(), skipping.pass_time(60)):
        with pytest.raises(RPCError) as error:
            await unbalanced
        assert error.value.status == RPCStatusCode.FAILED_PRECONDITION
    assert await skipping.skipped() < 1
    await skipping.service.sleep(SleepRequest(duration=_span(60)))  # it is unlocked all the same
    assert await skipping.skipped() == pytest.approx(60, abs=1)


async def test_sleeping_until_what_is_past_returns(skipping: Skipping) -> None:
    past = Timestamp()
    past.FromDatetime(datetime(2020, 1, 1))
    await skipping.service.sleep_until(SleepUntilRequest(timestamp=past))
    assert await skipping.skipped() < 1


async def test_all_who_sleep_wake(skipping: Skipping) -> None:
    began = await skipping.now()

    async def sleep(hours: int) -> float:
        await skipping.service.sleep_until(SleepUntilRequest(timestamp=Timestamp(seconds=int(began) + hours * 3600)))
        return await skipping.now()

    sleepers = [asyncio.ensure_future(sleep(hours)) for hours in (3, 1, 2)]
    async with skipping.unlocked():
        awake = await asyncio.gather(*sleepers)
    assert all(woke >= int(began) + hours * 3600 for woke, hours in zip(awake, (3, 1, 2), strict=True))
    assert await skipping.skipped() == pytest.approx(3 * 3600, abs=5)


@pytest.mark.parametrize("seconds", [10_000 * 365 * DAY, 100 * 365 * DAY])
async def test_the_clock_has_an_end(skipping: Skipping, seconds: float) -> None:
    await skipping.pass_time(100 * 365 * DAY)
    with pytest.raises(RPCError, match="duration") as error:
        await skipping.pass_time(seconds)
    assert error.value.status == RPCStatusCode.INVALID_ARGUMENT
    handle = await skipping.start(Sleeper.run, 1.0, 1, run_timeout=timedelta(days=365 * 100))
    assert (await handle.describe()).start_time.year >= 2126


async def test_only_test_servers_skip(client: Client) -> None:
    with pytest.raises(RPCError, match="outlive PORT") as error:
        await client.test_service.get_current_time(Empty())
    assert error.value.status == RPCStatusCode.UNIMPLEMENTED


# -- executions


@pytest.mark.usefixtures("worker")
async def test_a_year_of_sleep_takes_no_time(skipping: Skipping) -> None:
    await skipping.result(Sleeper.run, 1.0, 1, id="warm")
    before = time.monotonic()
    assert await skipping.result(Sleeper.run, 365.0, 1) == pytest.approx(365, abs=0.01)
    assert time.monotonic() - before < 1


@pytest.mark.usefixtures("worker")
async def test_nothing_is_skipped_while_locked(skipping: Skipping) -> None:
    handle = await skipping.start(Sleeper.run, 1.0, 1)
    await skipping.service.sleep(SleepRequest(duration=_span(0.2)))
    assert await skipping.skipped() < 1
    assert (await handle.describe()).close_time is None
    await skipping.pass_time(2 * DAY)
    assert await handle.result() == pytest.approx(1, abs=0.01)


@pytest.mark.usefixtures("worker")
async def test_timers_of_several_workflows_fire_in_order(skipping: Skipping) -> None:
    handles = [await skipping.start(Sleeper.run, days, 2, id=f"w{days}") for days in (3.0, 1.0, 2.0)]
    async with skipping.unlocked():
        await asyncio.gather(*(handle.result() for handle in handles))
    closed = {handle.id: (await handle.describe()).close_time for handle in handles}
    assert sorted(closed, key=lambda name: str(closed[name])) == ["w1.0", "w2.0", "w3.0"]
    assert await skipping.skipped() == pytest.approx(3 * DAY, abs=5)


@pytest.mark.usefixtures("worker")
async def test_time_stands_while_an_activity_runs(skipping: Skipping) -> None:
    gate = gates["stands"] = Gate()
    handle = await skipping.start(Works.run, "stands")
    async with skipping.unlocked():
        await gate.entered.wait()
        assert await skipping.skipped() < 2
        gate.open.set()
        assert await handle.result() == "work"
    assert await skipping.skipped() < 2


@pytest.mark.usefixtures("worker")
async def test_the_wait_before_a_retry_is_skipped(skipping: Skipping) -> None:
    assert await skipping.result(Retries.run, 4) == 5
    assert await skipping.skipped() == pytest.approx(4 * 3600, abs=5)


@pytest.mark.usefixtures("worker")
async def test_a_cancelled_timer_is_not_jumped_to(skipping: Skipping) -> None:
    handle = await skipping.start(Waits.run)
    async with skipping.unlocked():
        assert await handle.query(Waits.is_ready)
        await handle.signal(Waits.say, "now")
        assert await handle.result() == "now"
    assert await skipping.skipped() < 2


@pytest.mark.usefixtures("worker")
async def test_a_wait_ends_by_the_runs_time_out(skipping: Skipping) -> None:
    with pytest.raises(WorkflowFailureError) as error:
        await skipping.result(Waits.run, run_timeout=timedelta(days=30))
    assert isinstance(error.value.cause, TimeoutError)
    assert await skipping.skipped() == pytest.approx(30 * DAY, abs=5)


@pytest.mark.usefixtures("worker")
async def test_children_share_the_clock(skipping: Skipping) -> None:
    assert await skipping.result(Parent.run) == pytest.approx(4, abs=0.01)


@pytest.mark.usefixtures("worker")
async def test_a_start_delay_is_skipped(skipping: Skipping) -> None:
    assert await skipping.result(Sleeper.run, 1.0, 1, start_delay=timedelta(days=9)) == pytest.approx(1, abs=0.01)
    assert await skipping.skipped() == pytest.approx(10 * DAY, abs=5)


@pytest.mark.usefixtures("worker")
async def test_what_closed_long_ago_is_still_there(skipping: Skipping) -> None:
    await skipping.result(Sleeper.run, 1.0, 1)
    await skipping.pass_time(LONG.total_seconds())
    assert (await skipping.client.get_workflow_handle("w").describe()).close_time is not None


async def test_a_task_without_a_worker_keeps_time(skipping: Skipping) -> None:
    """Whoever waits for a worker waits in real time; the first worker that comes sets it free."""
    handle = await skipping.start(Sleeper.run, 1.0, 1)
    async with skipping.unlocked():
        sleep = asyncio.ensure_future(skipping.service.sleep(SleepRequest(duration=_span(3600))))
        await skipping.service.sleep(SleepRequest(duration=_span(0.2)))
        assert not sleep.done()
        assert await skipping.skipped() < 2
        async with Worker(
            skipping.client, task_queue=QUEUE, workflows=[Sleeper], workflow_runner=UnsandboxedWorkflowRunner()
        ):
            assert await handle.result() == pytest.approx(1, abs=0.01)
        await sleep
