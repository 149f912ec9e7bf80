"""Overrides of the worker version that a workflow is to run on.

Whether workers of the version take tasks of the workflow's queue is for the engine to say.
"""

from __future__ import annotations

from temporalio.api.deployment.v1 import WorkerDeploymentVersion
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflow.v1 import VersioningOverride

from outlive.api.validation.deployments import BUILD_ID, NAME, check_name
from outlive.core.version_names import parsed
from outlive.errors import InvalidArgument

_PINNED = VersioningBehavior.VERSIONING_BEHAVIOR_PINNED


def check_override(override: VersioningOverride) -> None:
    """Raises InvalidArgument for one that says too little or too much."""
    kind = override.WhichOneof("override")
    if kind == "pinned":
        if not override.pinned.HasField("version"):
            raise InvalidArgument("must provide version if override is pinned.")
        if not override.pinned.behavior:
            raise InvalidArgument("must specify pinned override behavior if override is pinned.")
        _check_version(override.pinned.version)
    elif kind == "one_time":
        if not override.one_time.HasField("target_deployment_version"):
            raise InvalidArgument("must provide target deployment version if override is one-time.")
        _check_version(override.one_time.target_deployment_version)
    elif kind == "auto_upgrade":
        if not override.auto_upgrade:
            raise InvalidArgument("auto-upgrade override must be true")
    else:
        _check_old_fields(override)


def _check_version(version: WorkerDeploymentVersion) -> None:
    check_name(NAME, version.deployment_name)
    check_name(BUILD_ID, version.build_id)


def _check_old_fields(override: VersioningOverride) -> None:
    """The deprecated way to say it, which old SDKs use."""
    if not override.behavior:
        raise InvalidArgument("override behavior is required")
    if override.behavior != _PINNED:
        if override.HasField("deployment"):
            raise InvalidArgument("only provide deployment if behavior is 'PINNED'")
        if override.pinned_version:
            raise InvalidArgument("only provide pinned version if behavior is 'PINNED'")
    elif override.HasField("deployment"):
        check_name(NAME, override.deployment.series_name)
        check_name(BUILD_ID, override.deployment.build_id)
    elif not override.pinned_version:
        raise InvalidArgument("must provide deployment (deprecated) or pinned version if behavior is 'PINNED'")
    else:
        try:
            parsed(override.pinned_version)
        except ValueError:
            raise InvalidArgument(
                f'invalid version string "{override.pinned_version}", expected format is "<deployment_name>.<build_id>"'
            ) from None
