"""DescribeTaskQueue, ListTaskQueuePartitions and UpdateTaskQueueConfig over raw gRPC."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import BuildIdTaskReachability, DescribeTaskQueueMode, RateLimitSource
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue, TaskQueueConfig, TaskQueueVersionSelection
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListTaskQueuePartitionsRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from outlive.config import ServerConfig
from outlive.server import Server
from tests.engine.queue_calls import ACTIVITY, WORKFLOW, Queue
from tests.engine.test_matching import keyed

pytestmark = pytest.mark.timeout(60)
Update = UpdateTaskQueueConfigRequest.RateLimitUpdate
API = RateLimitSource.RATE_LIMIT_SOURCE_API
WORKER = RateLimitSource.RATE_LIMIT_SOURCE_WORKER
SYSTEM = RateLimitSource.RATE_LIMIT_SOURCE_SYSTEM


def limit(per_second: float | None, reason: str = "") -> Update:
    return Update(
        rate_limit=RateLimit(requests_per_second=per_second) if per_second is not None else None, reason=reason
    )


async def configure(queue: Queue, kind: int = ACTIVITY, **changes: object) -> TaskQueueConfig:
    response = await queue.service.update_task_queue_config(
        UpdateTaskQueueConfigRequest(
            namespace=queue.client.namespace,
            task_queue=queue.name,
            task_queue_type=kind,  # type: ignore[arg-type]
            identity="me",
            **changes,  # type: ignore[arg-type]
        )
    )
    return response.config


async def refused(call: object) -> str:
    with pytest.raises(RPCError) as failure:
        await call  # type: ignore[misc]
    assert failure.value.status == RPCStatusCode.INVALID_ARGUMENT
    return failure.value.message


# -- describing


async def test_an_unused_queue_has_one_level_and_the_servers_limit(client: Client) -> None:
    told = await Queue(client, "unused").describe(report_stats=True, report_config=True)
    assert list(told.stats_by_priority_key) == [3]
    assert told.stats == told.stats_by_priority_key[3]
    assert told.stats.HasField("approximate_backlog_age")
    assert (told.effective_rate_limit.requests_per_second, told.effective_rate_limit.rate_limit_source) == (
        4000,
        SYSTEM,
    )
    assert told.versioning_info.current_version == "__unversioned__"
    assert not told.HasField("config")
    assert not told.pollers


async def test_stats_count_what_waits_by_level_with_ages_and_rates(client: Client) -> None:
    queue = Queue(client)
    for level in (1, 1, 0, 5):
        await queue.start(priority=keyed(level))
    await asyncio.sleep(0.05)
    told = await queue.describe(report_stats=True)
    levels = told.stats_by_priority_key
    assert {number: level.approximate_backlog_count for number, level in levels.items()} == {1: 2, 3: 1, 5: 1}
    assert told.stats.approximate_backlog_count == 4
    assert 0.05 < told.stats.approximate_backlog_age.ToMilliseconds() / 1000 < 10
    assert told.stats.tasks_add_rate > 0
    assert told.stats.tasks_dispatch_rate == 0
    for _ in range(4):
        await queue.poll()
    told = await queue.describe(report_stats=True)
    assert told.stats.approximate_backlog_count == 0
    assert told.stats.approximate_backlog_age.ToNanoseconds() == 0
    assert told.stats.tasks_dispatch_rate > 0
    assert told.stats_by_priority_key[1].tasks_dispatch_rate > told.stats_by_priority_key[5].tasks_dispatch_rate


async def test_pollers_are_told_with_rate_and_version_the_latest_first(client: Client) -> None:
    queue = Queue(client)
    await queue.poll_activity(identity="first", seconds=2.05)
    await queue.poll_activity(identity="second", rate=7.5, seconds=2.05)
    told = await queue.describe(ACTIVITY)
    assert [(p.identity, p.rate_per_second) for p in told.pollers] == [("second", 7.5), ("first", 100_000)]
    assert told.pollers[0].last_access_time.ToNanoseconds() > told.pollers[1].last_access_time.ToNanoseconds()
    assert (told.effective_rate_limit.requests_per_second, told.effective_rate_limit.rate_limit_source) == (7.5, WORKER)
    assert not (await queue.describe(WORKFLOW)).pollers, "a queue of activities is another one"


async def enhanced(queue: Queue, **asked: object) -> DescribeTaskQueueResponse:
    return await queue.service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=queue.client.namespace,
            task_queue=TaskQueue(name=queue.name),
            api_mode=DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED,
            **asked,  # type: ignore[arg-type]
        )
    )


async def test_the_enhanced_mode_tells_by_version_and_type_what_was_asked(client: Client) -> None:
    queue = Queue(client)
    await queue.start()
    told = await enhanced(queue, report_stats=True, report_pollers=True, report_task_reachability=True)
    assert list(told.versions_info) == [""]
    info = told.versions_info[""]
    assert info.task_reachability == BuildIdTaskReachability.BUILD_ID_TASK_REACHABILITY_REACHABLE
    assert {kind: t.stats.approximate_backlog_count for kind, t in info.types_info.items()} == {1: 1, 2: 0}
    asked = TaskQueueVersionSelection(build_ids=["x"], unversioned=True)
    told = await enhanced(queue, versions=asked, task_queue_types=[ACTIVITY])
    assert sorted(told.versions_info) == ["", "x"]
    assert list(told.versions_info["x"].types_info) == [2]
    assert not told.versions_info[""].types_info[2].HasField("stats")


async def test_one_partition_of_each_type(client: Client) -> None:
    told = await client.workflow_service.list_task_queue_partitions(
        ListTaskQueuePartitionsRequest(namespace=client.namespace, task_queue=TaskQueue(name="queue"))
    )
    assert [p.key for p in told.activity_task_queue_partitions] == ["queue"]
    assert [p.key for p in told.workflow_task_queue_partitions] == ["queue"]


# -- settings


async def test_settings_are_told_kept_and_in_force_after_a_restart(tmp_path: Path) -> None:
    config = ServerConfig(port=0, database=tmp_path / "outlive.db")
    server = Server(config)
    await server.start()
    queue = Queue(await Client.connect(f"127.0.0.1:{server.port}"))
    told = await configure(queue, update_queue_rate_limit=limit(5, "the model's quota"))
    assert told.queue_rate_limit.metadata.reason == "the model's quota"
    assert told.queue_rate_limit.metadata.update_identity == "me"
    await configure(queue, update_fairness_key_rate_limit_default=limit(2))
    told = await configure(queue, set_fairness_weight_overrides={"a": 2, "b": 3})
    told = await configure(queue, unset_fairness_weight_overrides=["a", "unknown"])
    assert told.fairness_weight_overrides == {"b": 3}
    await server.stop(0)
    server = Server(config)
    await server.start()
    try:
        queue = Queue(await Client.connect(f"127.0.0.1:{server.port}"))
        described = await queue.describe(ACTIVITY, report_config=True)
        assert described.config == told
        assert described.effective_rate_limit.requests_per_second == 5
        assert described.effective_rate_limit.rate_limit_source == API
        assert not (await queue.describe(WORKFLOW, report_config=True)).HasField("config")
    finally:
        await server.stop(0)


async def test_a_queues_limit_goes_before_the_workers_and_ends_when_unset(client: Client) -> None:
    queue = Queue(client)
    await configure(queue, update_queue_rate_limit=limit(10))
    await queue.poll_activity(rate=50, seconds=2.05)
    told = (await queue.describe(ACTIVITY)).effective_rate_limit
    assert (told.requests_per_second, told.rate_limit_source) == (10, API)
    await configure(queue, update_queue_rate_limit=limit(1_000_000))
    assert (await queue.describe(ACTIVITY)).effective_rate_limit.rate_limit_source == SYSTEM
    told_config = await configure(queue, update_queue_rate_limit=limit(None, "over"))
    assert told_config.queue_rate_limit.metadata.reason == "over"
    told = (await queue.describe(ACTIVITY)).effective_rate_limit
    assert (told.requests_per_second, told.rate_limit_source) == (50, WORKER)


async def test_a_limit_of_zero_pauses_the_queue_until_it_is_raised(client: Client) -> None:
    queue = Queue(client)
    await configure(queue, update_queue_rate_limit=limit(0))
    await queue.schedule(("a", None))
    assert not (await queue.poll_activity(seconds=2.05)).activity_id
    waiting = asyncio.create_task(queue.poll_activity(identity="waits"))
    await queue.polled("waits", ACTIVITY)
    await configure(queue, update_queue_rate_limit=limit(100))
    assert (await waiting).activity_id == "a"


async def test_a_waiting_poll_gets_its_task_when_the_limit_allows(client: Client) -> None:
    queue = Queue(client)
    await configure(queue, update_queue_rate_limit=limit(4))
    await queue.schedule(*((f"a{n}", None) for n in range(7)))
    began = time.monotonic()
    got = await asyncio.gather(*(queue.poll_activity(identity=f"w{n}") for n in range(7)))
    assert sorted(task.activity_id for task in got) == [f"a{n}" for n in range(7)]
    assert 0.2 < time.monotonic() - began < 5


async def test_each_fairness_key_has_a_limit_that_grows_with_its_weight(client: Client) -> None:
    queue = Queue(client)
    await configure(queue, update_fairness_key_rate_limit_default=limit(3), set_fairness_weight_overrides={"big": 4})
    small = [(f"small-{n}", keyed(1, key="small")) for n in range(30)]
    big = [(f"big-{n}", keyed(5, key="big")) for n in range(30)]
    await queue.schedule(*small, *big)

    got: list[str] = []
    shares: Counter[str] | None = None

    async def worker(name: str) -> None:
        while shares is None:
            task = await queue.poll_activity(identity=name, seconds=2.05)
            if task.activity_id:
                got.append(task.activity_id.split("-")[0])

    workers = [asyncio.create_task(worker(f"w{n}")) for n in range(3)]
    await asyncio.sleep(1.0)
    shares = Counter(got)
    await asyncio.gather(*workers)
    assert 4 <= shares["small"] <= 9, "three a second and a burst of three, though it goes first"
    assert 18 <= shares["big"] <= 28, "a key at its limit holds up nobody else"


async def test_new_weights_count_for_what_already_waits(client: Client) -> None:
    queue = Queue(client)
    waiting = [(f"{key}-{n}", keyed(key=key)) for n in range(20) for key in ("a", "b")]
    await queue.schedule(*waiting)
    await configure(queue, set_fairness_weight_overrides={"b": 4})
    got = Counter([(await queue.poll_activity()).activity_id[0] for _ in range(20)])
    assert got["b"] >= 15


# -- refused


@pytest.mark.parametrize(
    ("kind", "changes", "words"),
    [
        (WORKFLOW, {"update_queue_rate_limit": limit(5)}, "Setting rate limit on workflow task queues"),
        (WORKFLOW, {"update_fairness_key_rate_limit_default": limit(5)}, "Setting fairness key rate limit on workflow"),
        (ACTIVITY, {"update_queue_rate_limit": limit(-1)}, "UpdateQueueRateLimit rate limit must be non-negative"),
        (ACTIVITY, {"update_queue_rate_limit": limit(float("nan"))}, "must be non-negative"),
        (ACTIVITY, {"update_queue_rate_limit": limit(1, "x" * 1001)}, "UpdateQueueRateLimit.Reason field too long"),
        (ACTIVITY, {"update_fairness_key_rate_limit_default": limit(-1)}, "UpdateFairnessKeyRateLimitDefault"),
        (WORKFLOW, {"set_fairness_weight_overrides": {"k": -1}}, 'weight for key "k": must be greater than zero'),
        (WORKFLOW, {"set_fairness_weight_overrides": {"": 1}}, "must not be empty"),
        (WORKFLOW, {"set_fairness_weight_overrides": {"k" * 65: 1}}, "fairness key length exceeds limit"),
        (
            WORKFLOW,
            {"set_fairness_weight_overrides": {"k": 1}, "unset_fairness_weight_overrides": ["k"]},
            'key "k" present in both',
        ),
        (WORKFLOW, {"set_fairness_weight_overrides": {str(n): 1 for n in range(1001)}}, "got 1001, maximum 1000"),
    ],
)
async def test_bad_settings_are_refused_and_change_nothing(
    client: Client, kind: int, changes: dict[str, object], words: str
) -> None:
    queue = Queue(client)
    assert words in await refused(configure(queue, kind, **changes))
    for each in (WORKFLOW, ACTIVITY):
        assert not (await queue.describe(each, report_config=True)).HasField("config")


async def test_no_more_weights_than_one_queue_may_have(client: Client) -> None:
    queue = Queue(client)
    await configure(queue, set_fairness_weight_overrides={str(n): 1 for n in range(1000)})
    assert "exceeding maximum" in await refused(configure(queue, set_fairness_weight_overrides={"one more": 1}))
    await configure(queue, unset_fairness_weight_overrides=["0"], set_fairness_weight_overrides={"one more": 1})


async def test_partitions_of_other_servers_are_known_by_their_form(client: Client) -> None:
    assert "invalid task queue partition name" in await refused(Queue(client, "/_sys/q").describe())
    assert "only supported for the root" in await refused(Queue(client, "/_sys/q/1").describe(report_stats=True))
    assert (await Queue(client, "/_sys/q/1").describe()).effective_rate_limit.requests_per_second == 4000
    assert "reserved prefix" in await refused(enhanced(Queue(client, "/_sys/q/1")))
