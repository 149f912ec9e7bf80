"""Names of worker deployment versions, and the spellings that the protocol has for them."""

from __future__ import annotations

from typing import Final, NamedTuple

from temporalio.api.common.v1 import WorkerVersionCapabilities, WorkerVersionStamp
from temporalio.api.deployment.v1 import WorkerDeploymentOptions, WorkerDeploymentVersion
from temporalio.api.enums.v1 import WorkerVersioningMode

from outlive.errors import InvalidArgument

UNVERSIONED: Final = "__unversioned__"  # how the older string fields spell "no version"
VERSIONED: Final = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED


class VersionName(NamedTuple):
    """A version of a worker deployment. None stands for workers without one."""

    deployment: str
    build_id: str

    def __str__(self) -> str:
        """As search attributes and task queues spell it: `deployment:build`."""
        return f"{self.deployment}:{self.build_id}"

    @property
    def dotted(self) -> str:
        """As the older string fields spell it: `deployment.build`."""
        return f"{self.deployment}.{self.build_id}"

    def message(self) -> WorkerDeploymentVersion:
        return WorkerDeploymentVersion(deployment_name=self.deployment, build_id=self.build_id)


def stamped(worker: WorkerVersionStamp | WorkerVersionCapabilities) -> bytes | None:
    """The build that a worker says it is of, as an encoded WorkerVersionStamp; None if it says none."""
    if not worker.build_id:
        return None
    stamp = WorkerVersionStamp(build_id=worker.build_id, use_versioning=worker.use_versioning)
    return stamp.SerializeToString()


def named(version: WorkerDeploymentVersion) -> VersionName | None:
    """The name in a message; None for one that says nothing."""
    if not version.deployment_name and not version.build_id:
        return None
    return VersionName(version.deployment_name, version.build_id)


def dotted(name: VersionName | None) -> str:
    """The older spelling, also of no version."""
    return UNVERSIONED if name is None else name.dotted


def parsed(text: str) -> VersionName | None:
    """A name in either spelling; None for `__unversioned__`. Raises ValueError with what is missing."""
    if text == UNVERSIONED:
        return None
    places = [place for place in (text.find("."), text.find(":")) if place >= 0]
    if not places:
        raise ValueError(f"expected delimiter ':' or '.' not found in version string {text}")
    deployment, build_id = text[: min(places)], text[min(places) + 1 :]
    if not deployment:
        raise ValueError(f"deployment name is empty in version string {text}")
    if not build_id:
        raise ValueError(f"build id is empty in version string {text}")
    return VersionName(deployment, build_id)


def of_worker(options: WorkerDeploymentOptions) -> VersionName | None:
    """The version that a worker says it is of; None for one that does without."""
    if options.worker_versioning_mode != VERSIONED:
        return None
    return VersionName(options.deployment_name, options.build_id)


def required(text: str, message: WorkerDeploymentVersion) -> VersionName:
    """The version that a request names, in either way. Raises InvalidArgument if it names none."""
    text = text or f"{message.deployment_name}.{message.build_id}"
    try:
        name = parsed(text)
    except ValueError:
        name = None
    if name is None:
        shown = "" if text == "." else text
        raise InvalidArgument(f'invalid version string "{shown}", expected format is "<deployment_name>.<build_id>"')
    return name


def routed(deployment: str, text: str, build_id: str) -> VersionName | None:
    """The version that a request wants to take work; None for unversioned workers, or none at all.

    Raises InvalidArgument for a spelling that is none, and for another deployment's version.
    """
    if not text and build_id:
        text = f"{deployment}.{build_id}"
    if text in ("", UNVERSIONED):
        return None
    try:
        name = parsed(text)
    except ValueError as error:
        raise InvalidArgument(f"invalid version string: {error}") from None
    if name is not None and name.deployment != deployment:
        raise InvalidArgument(f"invalid version string '{text}' does not match deployment name '{deployment}'")
    return name
