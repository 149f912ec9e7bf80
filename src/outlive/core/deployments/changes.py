"""What requests, polls and passing time make of a worker deployment.

    CREATED --first poll--> INACTIVE --set--> CURRENT or RAMPING --replaced--> DRAINING --no open run--> DRAINED
                               ^ |_________ a run is pinned to it ____________^ |____________________________|

Rules (all of them live in this file)
- A request that changes nothing, by the one who made the last change, is answered with the state as it is:
  neither its conflict token nor the manager are asked for.
- A conflict token must be that of the last change. A manager, if there is one, is the only one to change
  the routing and to delete versions; anybody may take the manager's place.
- The current version does not ramp: what becomes current stops ramping, and a ramp to it is refused.
- A version may not take the place of another that has task queues in use which it lacks, unless asked for.
- What is neither current nor ramping any more drains: it is drained once no pinned run of it is open, and
  draining again when a run is pinned to it.
- A version that is current or ramping, draining (unless asked for) or polled is not deleted. When a new one
  finds no room, the oldest that may be deleted goes.
- Each change of the routing has the next revision number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from temporalio.api.common.v1 import Payload
from temporalio.api.deployment.v1 import VersionMetadata
from temporalio.api.enums.v1 import ResourceExhaustedCause

from outlive.core.deployments.state import (
    CREATED,
    CURRENT,
    DRAINAGE_DRAINED,
    DRAINAGE_DRAINING,
    DRAINED,
    DRAINING,
    INACTIVE,
    RAMPING,
    Deployment,
    Queue,
    Routing,
    Version,
)
from outlive.core.version_names import UNVERSIONED, VersionName
from outlive.errors import AlreadyExists, FailedPrecondition, NotFound, ResourceExhausted
from outlive.limits import DeploymentLimits

LIMITS = ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_WORKER_DEPLOYMENT_LIMITS
Polled = Callable[[Version], bool]  # whether workers of the version have polled lately
InUse = Callable[[Queue], bool]  # whether a queue of the current version has work that would be left behind


@dataclass(frozen=True, slots=True)
class Facts:
    """What a change is given besides the deployment."""

    now: int
    limits: DeploymentLimits
    polled: Polled
    in_use: InUse


@dataclass(frozen=True, slots=True)
class Change:
    """Who asks for a change, and what must hold for it."""

    identity: str
    token: int | None  # the conflict token given; None if none was
    ignore_missing_queues: bool = False
    allow_no_pollers: bool = False


def not_found(name: str) -> NotFound:
    """There is no such deployment."""
    return NotFound(f"no Worker Deployment found with name '{name}'; does your Worker Deployment have pollers?")


def version_not_found(name: VersionName) -> NotFound:
    return NotFound(f"build ID '{name.build_id}' not found in Worker Deployment '{name.deployment}'")


def _require_token(deployment: Deployment, change: Change) -> None:
    if change.token is not None and change.token != deployment.token:
        raise FailedPrecondition("conflict token mismatch")


def _require_manager(deployment: Deployment, identity: str) -> None:
    if deployment.manager and deployment.manager != identity:
        raise FailedPrecondition(
            f"ManagerIdentity '{deployment.manager}' is set and does not match user identity '{identity}'; to "
            "proceed, set your own identity as the ManagerIdentity, remove the ManagerIdentity, or wait for the "
            "other client to do so"
        )


def _require_version(deployment: Deployment, build_id: str | None, change: Change) -> None:
    if build_id and build_id not in deployment.versions and not change.allow_no_pollers:
        raise version_not_found(VersionName(deployment.name, build_id))


def _changed(deployment: Deployment, identity: str, now: int) -> Deployment:
    """A change by request is done: the token is another one."""
    return replace(deployment, modifier=identity, token=max(now, deployment.token + 1))


def _put(deployment: Deployment, *versions: Version) -> Deployment:
    changed = {**deployment.versions, **{version.build_id: version for version in versions}}
    return replace(deployment, versions=MappingProxyType(changed))


# -- versions come ---------------------------------------------------------------------------------------


def add_version(deployment: Deployment, version: Version, facts: Facts) -> Deployment:
    """Take the version in; makes room if there is none. Raises ResourceExhausted if that fails."""
    if len(deployment.versions) >= facts.limits.versions_max:
        deployment = _make_room(deployment, VersionName(deployment.name, version.build_id), facts)
    return _put(deployment, version)


def _make_room(deployment: Deployment, name: VersionName, facts: Facts) -> Deployment:
    for version in sorted(deployment.versions.values(), key=lambda v: v.created):
        if _obstacle(deployment, version, facts.polled, skip_drainage=False) is None:
            return _without(deployment, version.build_id)
    most = facts.limits.versions_max
    raise ResourceExhausted(
        f"cannot add version {name.dotted} since maximum number of versions ({most}) have been "
        "registered in the deployment",
        LIMITS,
    )


def create_version(deployment: Deployment, version: Version, facts: Facts) -> Deployment:
    """CreateWorkerDeploymentVersion. Repeating the request changes nothing."""
    known = deployment.versions.get(version.build_id)
    if known is not None:
        if version.create_request_id and known.create_request_id == version.create_request_id:
            return deployment
        name = VersionName(deployment.name, version.build_id)
        raise AlreadyExists(f'Worker Deployment Version "{name.dotted}" already exists')
    return add_version(deployment, version, facts)


def register(deployment: Deployment, build_id: str, queue: Queue, facts: Facts) -> Deployment:
    """A worker of the version polls the queue. Raises ResourceExhausted if there are too many of either."""
    if build_id not in deployment.versions:
        deployment = add_version(deployment, Version(build_id, facts.now, INACTIVE), facts)
    version = deployment.versions[build_id]
    if queue in version.queues:
        return deployment
    names = {each.name for each in version.queues}
    if queue.name not in names and len(names) >= facts.limits.queues_max:
        raise ResourceExhausted(
            f"cannot add task queue {queue.name} since maximum number of task queues ({facts.limits.queues_max}) have "
            "been registered in deployment",
            LIMITS,
        )
    status = INACTIVE if version.status == CREATED else version.status
    return _put(deployment, replace(version, queues=(*version.queues, queue), status=status))


# -- routing -----------------------------------------------------------------------------------------------


def set_current(deployment: Deployment, build_id: str, change: Change, facts: Facts) -> Deployment:
    """SetWorkerDeploymentCurrentVersion; a build id "" makes unversioned workers current."""
    routing, now = deployment.routing, facts.now
    if routing.current == build_id and deployment.modifier == change.identity:
        return deployment
    _require_token(deployment, change)
    _require_version(deployment, build_id, change)
    _require_manager(deployment, change.identity)
    if build_id and build_id not in deployment.versions:
        deployment = add_version(deployment, Version(build_id, facts.now, INACTIVE), facts)
    if routing.current != build_id:
        _require_queues(deployment, build_id, change, facts.in_use, "current")
        after = replace(routing, current=build_id, current_changed=now, revision=routing.revision + 1)
        if routing.ramping == build_id:
            after = replace(after, ramping=None, ramp=0.0, ramping_changed=now, ramp_changed=now)
        deployment = _route(deployment, after, now)
    return _changed(deployment, change.identity, now)


def set_ramping(deployment: Deployment, build_id: str | None, ramp: float, change: Change, facts: Facts) -> Deployment:
    """SetWorkerDeploymentRampingVersion; None ends the ramp, "" ramps to unversioned workers."""
    routing, now = deployment.routing, facts.now
    same = routing.ramping == build_id and routing.ramp == ramp
    if same and deployment.modifier == change.identity:
        return deployment
    _require_token(deployment, change)
    if build_id == routing.current and (build_id or ramp):
        shown = VersionName(deployment.name, build_id).dotted if build_id else UNVERSIONED
        raise FailedPrecondition(f"requested ramping version {shown} is already current")
    _require_version(deployment, build_id, change)
    _require_manager(deployment, change.identity)
    if build_id and build_id not in deployment.versions:
        deployment = add_version(deployment, Version(build_id, facts.now, INACTIVE), facts)
    if not same:
        after = replace(routing, ramping=build_id, ramp=ramp, ramp_changed=now, revision=routing.revision + 1)
        if routing.ramping != build_id:
            if build_id:
                _require_queues(deployment, build_id, change, facts.in_use, "ramping")
            after = replace(after, ramping_changed=now)
        deployment = _route(deployment, after, now)
    return _changed(deployment, change.identity, now)


def _require_queues(deployment: Deployment, build_id: str, change: Change, in_use: InUse, what: str) -> None:
    """The new version must have the queues of the current one that are in use."""
    current = deployment.versions.get(deployment.routing.current)
    if change.ignore_missing_queues or current is None or not build_id:
        return
    has = deployment.versions[build_id].queues
    if any(queue not in has and in_use(queue) for queue in current.queues):
        raise FailedPrecondition(
            f"proposed {what} version '{VersionName(deployment.name, build_id)}' is missing active task queues from "
            f"the current version; these would become unversioned if it is set as the {what} version"
        )


def _route(deployment: Deployment, routing: Routing, now: int) -> Deployment:
    """Take the routing over, and tell the versions what they are by it."""
    was = deployment.routing
    changed = []
    for build_id in {was.current, was.ramping, routing.current, routing.ramping}:
        version = deployment.versions.get(build_id) if build_id else None
        if version is not None:
            changed.append(_placed(version, routing, now))
    return replace(_put(deployment, *changed), routing=routing)


def _placed(version: Version, routing: Routing, now: int) -> Version:
    if version.build_id == routing.current:
        if version.current_since:
            return version
        return replace(
            version,
            status=CURRENT,
            routing_changed=now,
            current_since=now,
            last_current=now,
            ramping_since=0,
            ramp=0.0,
            first_active=version.first_active or now,
            last_active=0,
            drainage=0,
            drainage_changed=now,  # lists show when it stopped draining, even where it never did
            drainage_checked=now,
        )
    if version.build_id == routing.ramping:
        return replace(
            version,
            status=RAMPING,
            routing_changed=routing.ramp_changed,
            current_since=0,
            ramping_since=routing.ramping_changed,
            ramp=routing.ramp,
            first_active=version.first_active or now,
            last_active=0,
            drainage=0,
            drainage_changed=0,
            drainage_checked=0,
        )
    return _draining(
        replace(version, routing_changed=now, current_since=0, ramping_since=0, ramp=0.0, last_active=now), now
    )


def _draining(version: Version, now: int) -> Version:
    return replace(version, status=DRAINING, drainage=DRAINAGE_DRAINING, drainage_changed=now, drainage_checked=now)


# -- drainage ----------------------------------------------------------------------------------------------


def check_due(version: Version, limits: DeploymentLimits) -> int:
    """When the next look for open runs of a draining version is due; 0 if none is."""
    if version.drainage != DRAINAGE_DRAINING:
        return 0
    first = version.drainage_checked == version.drainage_changed
    return version.drainage_checked + (limits.drainage_grace if first else limits.drainage_refresh)


def checked(deployment: Deployment, build_id: str, open_runs: int, now: int) -> Deployment:
    """The open pinned runs of a draining version have been counted."""
    version = deployment.versions.get(build_id)
    if version is None or version.drainage != DRAINAGE_DRAINING:
        return deployment
    version = replace(version, drainage_checked=now)
    if not open_runs:
        version = replace(version, status=DRAINED, drainage=DRAINAGE_DRAINED, drainage_changed=now)
    return _put(deployment, version)


def reactivated(deployment: Deployment, build_id: str, now: int) -> Deployment:
    """A run has been pinned to the version: if it took no new work, it drains from now."""
    version = deployment.versions.get(build_id)
    if version is None or version.status not in (DRAINED, INACTIVE):
        return deployment
    return _put(deployment, _draining(version, now))


# -- the rest ----------------------------------------------------------------------------------------------


def set_manager(deployment: Deployment, manager: str, change: Change, now: int) -> Deployment:
    """SetWorkerDeploymentManager; "" takes it away."""
    if deployment.manager == manager and deployment.modifier == change.identity:
        return deployment
    _require_token(deployment, change)
    return _changed(replace(deployment, manager=manager), change.identity, now)


def update_metadata(
    deployment: Deployment, build_id: str, upsert: Mapping[str, Payload], remove: Iterable[str], identity: str
) -> Deployment:
    """UpdateWorkerDeploymentVersionMetadata."""
    version = deployment.versions[build_id]
    metadata = VersionMetadata.FromString(version.metadata)
    for key, value in upsert.items():
        metadata.entries[key].CopyFrom(value)
    for key in remove:
        metadata.entries.pop(key, None)
    return _put(deployment, replace(version, metadata=metadata.SerializeToString(), modifier=identity))


def _obstacle(deployment: Deployment, version: Version, polled: Polled, *, skip_drainage: bool) -> str | None:
    """What keeps the version from being deleted."""
    if version.build_id in (deployment.routing.current, deployment.routing.ramping):
        return "it is current or ramping"
    if version.drainage == DRAINAGE_DRAINING and not skip_drainage:
        return "it is draining"
    return "it has active pollers" if polled(version) else None


def delete_version(
    deployment: Deployment, build_id: str, identity: str, polled: Polled, *, skip_drainage: bool
) -> Deployment:
    """DeleteWorkerDeploymentVersion; one that is not there is deleted already."""
    version = deployment.versions.get(build_id)
    if version is None:
        return deployment
    obstacle = _obstacle(deployment, version, polled, skip_drainage=skip_drainage)
    name = VersionName(deployment.name, build_id)
    if obstacle == "it is current or ramping":
        raise FailedPrecondition(f"version '{name}' cannot be deleted since {obstacle}")
    _require_manager(deployment, identity)
    if obstacle is not None:
        raise FailedPrecondition(f"version '{name}' cannot be deleted since {obstacle}")
    return replace(_without(deployment, build_id), modifier=identity)


def _without(deployment: Deployment, build_id: str) -> Deployment:
    rest = {key: version for key, version in deployment.versions.items() if key != build_id}
    return replace(deployment, versions=MappingProxyType(rest))


def require_deletable(deployment: Deployment) -> None:
    """Raises FailedPrecondition while the deployment has versions."""
    if deployment.versions:
        raise FailedPrecondition("deployment has versions, can't be deleted")
