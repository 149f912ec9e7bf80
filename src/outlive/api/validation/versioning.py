"""Overrides of the worker version that a workflow is to run on."""

from __future__ import annotations

from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflow.v1 import VersioningOverride

from outlive.errors import FailedPrecondition, InvalidArgument

_PINNED = VersioningBehavior.VERSIONING_BEHAVIOR_PINNED


def check_override(override: VersioningOverride, queue: str) -> None:
    """Raises InvalidArgument for one that says too little or too much.

    No worker version is kept track of yet, so one that pins a version raises FailedPrecondition, as for any
    version that no worker of the queue has.
    """
    kind = override.WhichOneof("override")
    if kind == "pinned":
        if not override.pinned.HasField("version"):
            raise InvalidArgument("must provide version if override is pinned.")
        if not override.pinned.behavior:
            raise InvalidArgument("must specify pinned override behavior if override is pinned.")
        version = override.pinned.version
        raise _unknown(f"{version.deployment_name}:{version.build_id}", queue)
    if kind is None:
        _check_old_fields(override, queue)


def _check_old_fields(override: VersioningOverride, queue: str) -> None:
    """The deprecated way to say it, which old SDKs use."""
    named = bool(override.pinned_version) or override.HasField("deployment")
    if override.behavior != _PINNED:
        if named:
            raise InvalidArgument("only provide pinned version if behavior is 'PINNED'")
        return
    if not named:
        raise InvalidArgument("must provide deployment (deprecated) or pinned version if behavior is 'PINNED'")
    old = override.deployment
    raise _unknown(override.pinned_version or f"{old.series_name}:{old.build_id}", queue)


def _unknown(version: str, queue: str) -> FailedPrecondition:
    return FailedPrecondition(f"Pinned version '{version}' is not present in task queue '{queue}' of type 'Workflow'")
