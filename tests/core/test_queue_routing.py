"""Which version takes the new work of a task queue."""

from __future__ import annotations

from types import MappingProxyType

from outlive.core.deployments.state import CURRENT, Deployment, Queue, Routing, Version
from outlive.core.queue_routing import UNROUTED, QueueRouting, Target, queue_routing, ramp_threshold
from outlive.core.version_names import VersionName

QUEUE, OTHER = Queue("q", 1), Queue("other", 1)


def deployment(name: str, routing: Routing, **queues: tuple[Queue, ...]) -> Deployment:
    versions = {build: Version(build, 1, CURRENT, queues=has) for build, has in queues.items()}
    return Deployment(name, 1, 1, routing=routing, versions=MappingProxyType(versions))


def test_a_queue_that_nobody_routes_is_for_unversioned_workers() -> None:
    assert queue_routing([], QUEUE) == UNROUTED
    assert UNROUTED.target("w") == Target(None, 0)
    registered = deployment("d", Routing(), b1=(QUEUE,))
    assert queue_routing([registered], QUEUE) == UNROUTED


def test_the_current_version_takes_it_if_it_has_the_queue() -> None:
    moved = deployment("d", Routing(current="b2", current_changed=9, revision=4), b1=(QUEUE, OTHER), b2=(OTHER,))
    assert queue_routing([moved], OTHER).target("w") == Target(VersionName("d", "b2"), 4)
    assert queue_routing([moved], QUEUE).target("w") == Target(None, 0)


def test_of_two_deployments_the_last_changed_counts_and_a_version_before_none() -> None:
    first = deployment("a", Routing(current="b1", current_changed=5, revision=1), b1=(QUEUE,))
    second = deployment("b", Routing(current="b1", current_changed=6, revision=2), b1=(QUEUE,))
    none = deployment("c", Routing(current="", current_changed=7, revision=3), b1=(QUEUE,))
    for order in ([first, second, none], [none, second, first]):
        assert queue_routing(order, QUEUE).current == VersionName("b", "b1")


def test_a_ramp_takes_its_share_and_keeps_who_it_has() -> None:
    ids = [f"workflow-{number}" for number in range(2000)]
    before: set[str] = set()
    for ramp in (0, 10, 35, 100):
        routing = QueueRouting(VersionName("d", "b1"), 1, 1, VersionName("d", "b2"), ramp, 2, 2)
        taken = {each for each in ids if routing.target(each).version == VersionName("d", "b2")}
        assert before <= taken
        assert abs(len(taken) - len(ids) * ramp / 100) < 0.03 * len(ids)
        before = taken


def test_thresholds_are_the_same_for_ever() -> None:
    assert [round(ramp_threshold(each), 3) for each in ("", "a", "order-1")] == [89.317, 25.379, 14.687]


def test_a_ramp_to_unversioned_workers() -> None:
    known = deployment(
        "d",
        Routing(current="b1", current_changed=1, ramping="", ramp=100, ramp_changed=2, revision=2),
        b1=(QUEUE,),
    )
    routing = queue_routing([known], QUEUE)
    assert routing.ramps
    assert routing.target("w") == Target(None, 2)


def test_who_asks_for_the_ramping_version_gets_it_whatever_its_share() -> None:
    routing = QueueRouting(VersionName("d", "b1"), 1, 1, VersionName("d", "b2"), 0.0, 2, 2)
    assert routing.target("w").version == VersionName("d", "b1")
    assert routing.target("w", use_ramping=True) == Target(VersionName("d", "b2"), 2)
    assert QueueRouting(VersionName("d", "b1"), 1).target("w", use_ramping=True).version == VersionName("d", "b1")
