"""The life of a worker deployment: every rule at the top of `changes.py`."""

from __future__ import annotations

from dataclasses import replace

import pytest
from temporalio.api.common.v1 import Payload

from outlive.core.deployments import changes, codec, views
from outlive.core.deployments.changes import Change, Facts
from outlive.core.deployments.state import (
    CREATED,
    CURRENT,
    DRAINED,
    DRAINING,
    INACTIVE,
    RAMPING,
    Deployment,
    Queue,
    Version,
)
from outlive.errors import AlreadyExists, FailedPrecondition, NotFound, ResourceExhausted
from outlive.limits import MINUTE, DeploymentLimits

NOW = 1_000_000_000_000_000_000
WORK, ACTS = Queue("q", 1), Queue("q", 2)
LIMITS = DeploymentLimits(versions_max=3, queues_max=2)
ANYBODY = Change("me", None)


def facts(after: int = 0, *, polled: bool = False, in_use: bool = True) -> Facts:
    return Facts(NOW + after, LIMITS, lambda version: polled, lambda queue: in_use)


def with_versions(*builds: str) -> Deployment:
    deployment = Deployment("d", NOW, NOW)
    for place, build in enumerate(builds):
        deployment = changes.register(deployment, build, WORK, facts(place))
    return deployment


def statuses(deployment: Deployment) -> dict[str, int]:
    return {build: version.status for build, version in deployment.versions.items()}


def test_polls_register_versions_and_their_queues() -> None:
    deployment = with_versions("b1")
    deployment = changes.register(deployment, "b1", ACTS, facts())
    assert deployment.versions["b1"].queues == (WORK, ACTS)
    assert statuses(deployment) == {"b1": INACTIVE}
    assert changes.register(deployment, "b1", ACTS, facts()) is deployment


def test_a_created_version_is_inactive_once_it_is_polled() -> None:
    deployment = Deployment("d", NOW, NOW)
    version = Version("b1", NOW, CREATED, create_request_id="r1")
    deployment = changes.create_version(deployment, version, facts())
    assert statuses(deployment) == {"b1": CREATED}
    assert changes.create_version(deployment, version, facts()) is deployment
    with pytest.raises(AlreadyExists):
        changes.create_version(deployment, replace(version, create_request_id="r2"), facts())
    assert statuses(changes.register(deployment, "b1", WORK, facts())) == {"b1": INACTIVE}


def test_too_many_queues_of_a_version_are_refused() -> None:
    deployment = changes.register(with_versions("b1"), "b1", Queue("q2", 1), facts())
    with pytest.raises(ResourceExhausted, match="q3"):
        changes.register(deployment, "b1", Queue("q3", 1), facts())
    changes.register(deployment, "b1", Queue("q2", 2), facts())  # the other kind of a known name is no new one


def test_current_then_replaced_then_drained() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts(10))
    assert statuses(deployment) == {"b1": CURRENT, "b2": INACTIVE}
    assert deployment.routing.revision == 1
    deployment = changes.set_current(deployment, "b2", ANYBODY, facts(20))
    assert statuses(deployment) == {"b1": DRAINING, "b2": CURRENT}
    draining = deployment.versions["b1"]
    assert (draining.current_since, draining.last_current, draining.last_active) == (0, NOW + 10, NOW + 20)
    due = changes.check_due(draining, LIMITS)
    assert due == NOW + 20 + LIMITS.drainage_grace
    deployment = changes.checked(deployment, "b1", 2, due)
    assert statuses(deployment)["b1"] == DRAINING
    assert changes.check_due(deployment.versions["b1"], LIMITS) == due + LIMITS.drainage_refresh
    deployment = changes.checked(deployment, "b1", 0, due + 3 * MINUTE)
    assert statuses(deployment)["b1"] == DRAINED
    assert deployment.versions["b1"].drainage_changed == due + 3 * MINUTE
    assert not changes.check_due(deployment.versions["b1"], LIMITS)


def test_a_run_pinned_to_a_drained_version_makes_it_drain_again() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts())
    deployment = changes.set_current(deployment, "b2", ANYBODY, facts(1))
    deployment = changes.checked(deployment, "b1", 0, NOW + 2)
    assert statuses(changes.reactivated(deployment, "b1", NOW + 3))["b1"] == DRAINING
    assert changes.reactivated(deployment, "b2", NOW + 3) is deployment


def test_a_version_that_comes_back_drains_no_more() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts(1))
    deployment = changes.set_current(deployment, "b2", ANYBODY, facts(2))
    deployment = changes.set_current(deployment, "b1", ANYBODY, facts(3))
    version = deployment.versions["b1"]
    assert (version.status, version.drainage, version.first_active) == (CURRENT, 0, NOW + 1)
    assert not views.version_info(deployment, version).HasField("drainage_info")


def test_nothing_changes_for_who_asks_for_what_is() -> None:
    deployment = changes.set_current(with_versions("b1"), "b1", ANYBODY, facts())
    assert changes.set_current(deployment, "b1", Change("me", -1), facts(5)) is deployment
    other = changes.set_current(deployment, "b1", Change("you", None), facts(5))
    assert (other.modifier, other.routing) == ("you", deployment.routing)


def test_a_conflict_token_is_that_of_the_last_change() -> None:
    deployment = with_versions("b1", "b2")
    changed = changes.set_current(deployment, "b1", Change("me", deployment.token), facts(1))
    with pytest.raises(FailedPrecondition, match="conflict token mismatch"):
        changes.set_current(changed, "b2", Change("me", deployment.token), facts(2))
    with pytest.raises(FailedPrecondition, match="conflict token mismatch"):
        changes.set_manager(changed, "me", Change("me", deployment.token), NOW)


def test_only_the_manager_changes_the_routing() -> None:
    deployment = changes.set_manager(with_versions("b1"), "boss", ANYBODY, NOW)
    for attempt in (
        lambda: changes.set_current(deployment, "b1", ANYBODY, facts()),
        lambda: changes.set_ramping(deployment, "b1", 5, ANYBODY, facts()),
        lambda: changes.delete_version(deployment, "b1", "me", lambda version: False, skip_drainage=False),
    ):
        with pytest.raises(FailedPrecondition, match="ManagerIdentity 'boss'"):
            attempt()
    assert changes.set_current(deployment, "b1", Change("boss", None), facts()).routing.current == "b1"
    assert changes.set_manager(deployment, "", ANYBODY, NOW).manager == ""


def test_an_unknown_version_is_refused_unless_no_pollers_are_allowed() -> None:
    deployment = with_versions("b1")
    with pytest.raises(NotFound, match="build ID 'b9' not found in Worker Deployment 'd'"):
        changes.set_current(deployment, "b9", ANYBODY, facts())
    with pytest.raises(NotFound):
        changes.set_ramping(deployment, "b9", 5, ANYBODY, facts())
    made = changes.set_current(deployment, "b9", Change("me", None, allow_no_pollers=True), facts())
    assert statuses(made)["b9"] == CURRENT


def test_ramping_and_its_end() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts(1))
    deployment = changes.set_ramping(deployment, "b2", 10, ANYBODY, facts(2))
    assert statuses(deployment) == {"b1": CURRENT, "b2": RAMPING}
    more = changes.set_ramping(deployment, "b2", 50, ANYBODY, facts(3))
    version = more.versions["b2"]
    assert (version.ramping_since, version.ramp, version.routing_changed) == (NOW + 2, 50, NOW + 3)
    ended = changes.set_ramping(more, None, 0, ANYBODY, facts(4))
    assert statuses(ended) == {"b1": CURRENT, "b2": DRAINING}
    assert (ended.routing.ramping, ended.routing.ramp, ended.routing.revision) == (None, 0, 4)


def test_what_becomes_current_ramps_no_more() -> None:
    deployment = changes.set_ramping(with_versions("b1"), "b1", 10, ANYBODY, facts(1))
    deployment = changes.set_current(deployment, "b1", ANYBODY, facts(2))
    assert (deployment.routing.current, deployment.routing.ramping) == ("b1", None)
    version = deployment.versions["b1"]
    assert (version.status, version.ramping_since, version.first_active) == (CURRENT, 0, NOW + 1)
    with pytest.raises(FailedPrecondition, match=r"requested ramping version d\.b1 is already current"):
        changes.set_ramping(deployment, "b1", 10, ANYBODY, facts(3))


def test_a_ramp_to_unversioned_workers() -> None:
    deployment = changes.set_current(with_versions("b1"), "b1", ANYBODY, facts(1))
    deployment = changes.set_ramping(deployment, "", 30, ANYBODY, facts(2))
    assert views.ramping_string(deployment) == "__unversioned__"
    assert statuses(deployment) == {"b1": CURRENT}
    unset = changes.set_current(deployment, "", ANYBODY, facts(3))
    assert (unset.routing.current, unset.routing.ramping) == ("", None)
    with pytest.raises(FailedPrecondition, match="__unversioned__ is already current"):
        changes.set_ramping(unset, "", 30, ANYBODY, facts(4))


def test_a_version_that_lacks_queues_in_use_is_refused() -> None:
    deployment = changes.register(with_versions("b1", "b2"), "b1", ACTS, facts())
    deployment = changes.set_current(deployment, "b1", ANYBODY, facts())
    with pytest.raises(FailedPrecondition, match="proposed current version 'd:b2' is missing active task queues"):
        changes.set_current(deployment, "b2", ANYBODY, facts())
    with pytest.raises(FailedPrecondition, match="proposed ramping version 'd:b2' is missing active task queues"):
        changes.set_ramping(deployment, "b2", 5, ANYBODY, facts())
    asked = Change("me", None, ignore_missing_queues=True)
    assert changes.set_current(deployment, "b2", asked, facts()).routing.current == "b2"
    assert changes.set_current(deployment, "b2", ANYBODY, facts(in_use=False)).routing.current == "b2"


def test_what_may_be_deleted() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts())
    deployment = changes.set_current(deployment, "b2", ANYBODY, facts(1))

    def delete(build: str, *, polled: bool = False, skip: bool = False) -> Deployment:
        return changes.delete_version(deployment, build, "me", lambda version: polled, skip_drainage=skip)

    with pytest.raises(FailedPrecondition, match="'d:b2' cannot be deleted since it is current or ramping"):
        delete("b2")
    with pytest.raises(FailedPrecondition, match="'d:b1' cannot be deleted since it is draining"):
        delete("b1")
    with pytest.raises(FailedPrecondition, match="'d:b1' cannot be deleted since it has active pollers"):
        delete("b1", polled=True, skip=True)
    assert set(delete("b1", skip=True).versions) == {"b2"}
    assert delete("b9") is deployment
    with pytest.raises(FailedPrecondition):
        changes.require_deletable(deployment)


def test_the_oldest_that_may_go_makes_room() -> None:
    deployment = changes.set_current(with_versions("b1", "b2", "b3"), "b1", ANYBODY, facts())
    deployment = changes.register(deployment, "b4", WORK, facts())
    assert set(deployment.versions) == {"b1", "b3", "b4"}
    with pytest.raises(ResourceExhausted, match=r"d\.b5"):
        changes.register(deployment, "b5", WORK, facts(polled=True))


def test_metadata() -> None:
    deployment = with_versions("b1")
    deployment = changes.update_metadata(deployment, "b1", {"k": Payload(data=b"1"), "l": Payload(data=b"2")}, (), "me")
    deployment = changes.update_metadata(deployment, "b1", {"k": Payload(data=b"3")}, ("l", "none"), "you")
    info = views.version_info(deployment, deployment.versions["b1"])
    assert {key: value.data for key, value in info.metadata.entries.items()} == {"k": b"3"}
    assert info.last_modifier_identity == "you"


def test_what_is_kept_comes_back() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts(1))
    deployment = changes.set_ramping(deployment, "b2", 12.5, ANYBODY, facts(2))
    deployment = changes.update_metadata(deployment, "b1", {"k": Payload(data=b"\xff")}, (), "me")
    assert codec.decode(codec.encode(deployment)) == deployment
    older = codec.encode(deployment).replace(b'"manager":"",', b"").replace(b'"modifier"', b'"unheard_of"', 1)
    assert codec.decode(older).versions == deployment.versions


def test_how_it_is_listed() -> None:
    deployment = changes.set_current(with_versions("b1", "b2"), "b1", ANYBODY, facts(5))
    shown = views.listed(deployment)
    assert shown.latest_version_summary.version == "d.b2"
    assert shown.current_version_summary.version == "d.b1"
    assert not shown.HasField("ramping_version_summary")
    assert [each.version for each in views.info(deployment).version_summaries] == ["d.b2", "d.b1"]
