"""Worker deployments: names that are none, and what a request must say."""

from __future__ import annotations

from typing import Any

from temporalio.api.compute.v1 import ComputeConfigScalingGroup
from temporalio.api.deployment.v1 import WorkerDeploymentOptions

from outlive.api.validation.common import Scope, length
from outlive.core.version_names import VERSIONED, required, routed
from outlive.errors import InvalidArgument
from outlive.limits import DEPLOYMENT_NAME_MAX

NAME, BUILD_ID = "WorkerDeploymentName", "BuildID"


def check_name(field: str, text: str) -> None:
    """A deployment's name or a build id. Raises InvalidArgument for one that cannot be."""
    if not text:
        raise InvalidArgument(f"{field} cannot be empty")
    if length(text) > DEPLOYMENT_NAME_MAX:
        raise InvalidArgument(f"size of {field} larger than the maximum allowed")
    if field == NAME:
        for mark in ".:":
            if mark in text:
                raise InvalidArgument(f"worker deployment name cannot contain '{mark}'")
    if text.startswith("__"):
        raise InvalidArgument(f"{field} cannot start with '__'")


def check_options(options: WorkerDeploymentOptions) -> None:
    """What a worker says of its version."""
    if options.worker_versioning_mode != VERSIONED:
        return
    if not options.deployment_name or not options.build_id:
        raise InvalidArgument("Deployment name and build id must be set together.")
    check_name(NAME, options.deployment_name)
    check_name(BUILD_ID, options.build_id)


def create(request: Any, scope: Scope) -> None:
    if not request.deployment_name:
        raise InvalidArgument("deployment name cannot be empty")
    check_name(NAME, request.deployment_name)


def _check_both(request: Any) -> None:
    if not request.deployment_version.deployment_name:
        raise InvalidArgument("deployment name cannot be empty")
    if not request.deployment_version.build_id:
        raise InvalidArgument("build ID cannot be empty")


def create_version(request: Any, scope: Scope) -> None:
    _check_both(request)
    check_name(NAME, request.deployment_version.deployment_name)
    check_name(BUILD_ID, request.deployment_version.build_id)
    for name, group in request.compute_config.scaling_groups.items():
        raise _no_provider(name, group)


def compute_config(request: Any, scope: Scope) -> None:
    """UpdateWorkerDeploymentVersionComputeConfig: no compute provider is built in."""
    _check_both(request)
    validate_compute_config(request, scope)


def validate_compute_config(request: Any, scope: Scope) -> None:
    for name, update in request.compute_config_scaling_groups.items():
        raise _no_provider(name, update.scaling_group)


def _no_provider(name: str, group: ComputeConfigScalingGroup) -> InvalidArgument:
    return InvalidArgument(f"{name}: Could not instantiate compute provider with type '{group.provider.type}'")


def named(request: Any, scope: Scope) -> None:
    """A request of one deployment."""
    check_name(NAME, request.deployment_name)


def current(request: Any, scope: Scope) -> None:
    """SetWorkerDeploymentCurrentVersion."""
    if not request.deployment_name:
        raise InvalidArgument("deployment name cannot be empty")
    _check_routed(request)


def ramping(request: Any, scope: Scope) -> None:
    """SetWorkerDeploymentRampingVersion."""
    if not 0 <= request.percentage <= 100:
        raise InvalidArgument("Percentage must be between 0 and 100 (inclusive)")
    _check_routed(request)


def _check_routed(request: Any) -> None:
    name = routed(request.deployment_name, request.version, request.build_id)
    check_name(NAME, request.deployment_name)
    if name is not None and request.allow_no_pollers:
        check_name(BUILD_ID, name.build_id)


def describe_version(request: Any, scope: Scope) -> None:
    if not request.version and not request.HasField("deployment_version"):
        raise InvalidArgument("deployment version cannot be empty")
    name = required(request.version, request.deployment_version)
    check_name(NAME, name.deployment)
    check_name(BUILD_ID, name.build_id)


def delete_version(request: Any, scope: Scope) -> None:
    text = "" if request.HasField("deployment_version") else request.version
    check_name(NAME, required(text, request.deployment_version).deployment)


def metadata(request: Any, scope: Scope) -> None:
    if not request.upsert_entries and not request.remove_entries:
        raise InvalidArgument("At least one of remove_entries or upsert_entries must be provided")
    if request.ByteSize() >= scope.namespace.limits.payload_size_max:
        raise InvalidArgument("Blob data size exceeds limit.")


def manager(request: Any, scope: Scope) -> None:
    if not request.identity:
        raise InvalidArgument("Identity is required")
    check_name(NAME, request.deployment_name)
