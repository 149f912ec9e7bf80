"""Tasks and workers over raw gRPC: priorities, fairness, rate limits, and what survives a restart."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Priority
from temporalio.client import Client
from temporalio.common import Priority as SdkPriority
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.clock import SystemClock
from outlive.config import ServerConfig
from outlive.engine.matching import Matching, Offer, Poller, QueueName
from outlive.limits import SECOND
from outlive.server import Server
from tests.engine.queue_calls import ACTIVITY, WORKFLOW, Queue

pytestmark = pytest.mark.timeout(60)


def keyed(level: int = 0, key: str = "", weight: float = 0.0) -> Priority:
    return Priority(priority_key=level, fairness_key=key, fairness_weight=weight)


async def test_workflow_tasks_go_by_priority_then_in_order(client: Client) -> None:
    queue = Queue(client)
    for name, level in (("low", 5), ("first", 0), ("second", 3), ("beyond the last", 9), ("high", 1), ("higher", 2)):
        await queue.start(name, keyed(level))
    got = [(await queue.poll()).workflow_execution.workflow_id for _ in range(6)]
    assert got == ["high", "higher", "first", "second", "low", "beyond the last"]


async def test_activities_inherit_what_they_do_not_set(client: Client) -> None:
    queue = Queue(client)
    await queue.schedule(("inherits", None), ("own", keyed(1)), ("same level", keyed(0, "k")), priority=keyed(2, "of"))
    tasks = [await queue.poll_activity() for _ in range(3)]
    assert [task.activity_id for task in tasks] == ["own", "inherits", "same level"]
    assert [(task.priority.priority_key, task.priority.fairness_key) for task in tasks] == [
        (1, "of"),
        (2, "of"),
        (2, "k"),
    ]


async def test_fairness_keys_share_a_level_by_weight(client: Client) -> None:
    queue = Queue(client)
    flood = [(f"flood-{n}", keyed(key="flood")) for n in range(60)]
    heavy = [(f"heavy-{n}", keyed(key="heavy", weight=3)) for n in range(30)]
    await queue.schedule(*flood, *heavy, ("late", keyed(key="late")))
    got = [(await queue.poll_activity()).activity_id for _ in range(40)]
    assert got.index("late") <= 5
    shares = Counter(name.split("-")[0] for name in got)
    assert 28 <= shares["heavy"] <= 30
    assert got[:2] == ["flood-0", "heavy-0"]


async def test_priority_and_age_survive_a_restart(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    queue = Queue(await Client.connect(f"127.0.0.1:{server.port}"))
    await queue.schedule(("low", keyed(5)), ("plain", None), ("high", keyed(1)))
    await queue.start("workflow low", keyed(4))
    await queue.start("workflow high", keyed(1))
    await server.stop(0)
    server = Server(config)
    await server.start()
    try:
        queue = Queue(await Client.connect(f"127.0.0.1:{server.port}"))
        stats = (await queue.describe(ACTIVITY, report_stats=True)).stats_by_priority_key
        assert {level: s.approximate_backlog_count for level, s in stats.items()} == {1: 1, 3: 1, 5: 1}
        assert [(await queue.poll_activity()).activity_id for _ in range(3)] == ["high", "plain", "low"]
        got = [(await queue.poll()).workflow_execution.workflow_id for _ in range(2)]
        assert got == ["workflow high", "workflow low"]
    finally:
        await server.stop(0)


async def test_a_task_given_to_a_poll_that_is_cancelled_goes_to_the_next() -> None:
    clock = SystemClock()
    matching = Matching(clock)
    name = QueueName("namespace", "queue")
    until = clock.now() + 10 * SECOND
    leaving = asyncio.create_task(matching.poll(name, Poller("leaving"), until, stands=lambda offer: True))
    staying = asyncio.create_task(matching.poll(name, Poller("staying"), until, stands=lambda offer: True))
    await asyncio.sleep(0)  # both wait
    matching.offer(name, Offer(1, 0, 0))
    leaving.cancel()
    taken = await staying
    assert taken is not None
    assert taken.offer.key == 1
    assert leaving.cancelled()
    assert sum(level.backlog for level in matching.stats(name).values()) == 0


async def test_an_offer_that_no_longer_stands_is_dropped_and_the_next_one_goes() -> None:
    clock = SystemClock()
    matching = Matching(clock)
    name = QueueName("namespace", "queue")
    for key in range(5):
        matching.offer(name, Offer(key, 0, 0))
    taken = await matching.poll(name, Poller("me"), clock.now() + SECOND, stands=lambda offer: offer.key == 3)
    assert taken is not None
    assert taken.offer.key == 3
    waiting = asyncio.create_task(
        matching.poll(name, Poller("me"), clock.now() + 10 * SECOND, stands=lambda o: o.key == 9)
    )
    await asyncio.sleep(0)
    matching.offer(name, Offer(8, 0, 0))
    matching.offer(name, Offer(9, 0, 0))
    taken = await waiting
    assert taken is not None
    assert taken.offer.key == 9


async def test_a_workers_rate_limit_holds_tasks_back(client: Client) -> None:
    queue = Queue(client)
    await queue.schedule(*((f"a{n}", None) for n in range(40)))
    began = time.monotonic()
    for _ in range(30):
        assert (await queue.poll_activity(rate=20.0)).activity_id
    took = time.monotonic() - began
    assert 0.4 <= took <= 2.0, "a second's worth goes at once, ten more at 20 a second"
    described = await queue.describe(ACTIVITY, report_stats=True)
    assert described.effective_rate_limit.requests_per_second == 20
    assert described.stats.rate_limiting_active
    assert described.stats.approximate_backlog_count == 10
    for _ in range(10):  # the last word counts: a worker that asks for no limit lifts it
        assert (await queue.poll_activity()).activity_id
    assert (await queue.describe(ACTIVITY)).effective_rate_limit.requests_per_second == 4000


@activity.defn
async def noted(name: str) -> str:
    order.append(name)
    return name


order: list[str] = []


@workflow.defn
class Prioritised:
    @workflow.run
    async def run(self) -> None:
        from datetime import timedelta

        await asyncio.gather(
            *(
                workflow.execute_activity(
                    noted,
                    f"level {level}",
                    start_to_close_timeout=timedelta(seconds=30),
                    priority=SdkPriority(priority_key=level),
                )
                for level in (5, 3, 1, 4, 2)
            )
        )


async def test_the_sdks_worker_sees_priorities_in_order(client: Client) -> None:
    order.clear()
    async with Worker(
        client,
        task_queue="sdk",
        workflows=[Prioritised],
        workflow_runner=UnsandboxedWorkflowRunner(),
        disable_eager_activity_execution=True,
    ):
        handle = await client.start_workflow(Prioritised.run, id="prioritised", task_queue="sdk")
        await Queue(client, "sdk").backlog(ACTIVITY, 5)
        async with Worker(client, task_queue="sdk", activities=[noted], max_concurrent_activities=1):
            await handle.result()
    assert order == ["level 1", "level 2", "level 3", "level 4", "level 5"]


async def test_a_flood_of_one_queue_does_not_slow_another(client: Client) -> None:
    flooded, other = Queue(client, "flooded"), Queue(client, "other")
    await asyncio.gather(*(flooded.start() for _ in range(300)))
    await flooded.backlog(WORKFLOW, 300)
    began = time.monotonic()
    workflow_id = await other.start()
    assert (await other.poll()).workflow_execution.workflow_id == workflow_id
    assert time.monotonic() - began < 1
