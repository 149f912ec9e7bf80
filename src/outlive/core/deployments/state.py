"""What is kept of a worker deployment. Rows are frozen: a change is a new row.

Times are nanoseconds since the epoch; 0 stands for "never".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, NamedTuple

from temporalio.api.enums.v1 import TaskQueueType, VersionDrainageStatus, WorkerDeploymentVersionStatus

from outlive.core.version_names import VersionName

Status: Final = WorkerDeploymentVersionStatus
INACTIVE: Final = Status.WORKER_DEPLOYMENT_VERSION_STATUS_INACTIVE  # has pollers, never took new work
CURRENT: Final = Status.WORKER_DEPLOYMENT_VERSION_STATUS_CURRENT
RAMPING: Final = Status.WORKER_DEPLOYMENT_VERSION_STATUS_RAMPING
DRAINING: Final = Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINING  # takes no new work; pinned runs may be open
DRAINED: Final = Status.WORKER_DEPLOYMENT_VERSION_STATUS_DRAINED  # none are
CREATED: Final = Status.WORKER_DEPLOYMENT_VERSION_STATUS_CREATED  # by request, no worker has polled yet
DRAINAGE_DRAINING: Final = VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING
DRAINAGE_DRAINED: Final = VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINED


class Queue(NamedTuple):
    """A task queue that workers of a version poll."""

    name: str
    kind: int  # TaskQueueType

    @property
    def activities(self) -> bool:
        return self.kind == TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a deployment (``deployment.v1.WorkerDeploymentVersionInfo``)."""

    build_id: str
    created: int
    status: int
    create_request_id: str = ""
    routing_changed: int = 0
    current_since: int = 0
    ramping_since: int = 0
    ramp: float = 0.0  # per cent
    first_active: int = 0
    last_current: int = 0
    last_active: int = 0
    drainage: int = 0  # VersionDrainageStatus
    drainage_changed: int = 0
    drainage_checked: int = 0
    queues: tuple[Queue, ...] = ()
    metadata: bytes = b""  # VersionMetadata
    modifier: str = ""


@dataclass(frozen=True, slots=True)
class Routing:
    """Which versions take new work (``deployment.v1.RoutingConfig``). A build id "" is unversioned workers."""

    current: str = ""
    ramping: str | None = None  # None: there is no ramp
    ramp: float = 0.0  # per cent of workflow ids that the ramping version gets
    current_changed: int = 0
    ramping_changed: int = 0
    ramp_changed: int = 0
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Deployment:
    """A worker deployment (``deployment.v1.WorkerDeploymentInfo``)."""

    name: str
    created: int
    token: int  # of conflicts: another one after every change by request
    create_request_id: str = ""
    modifier: str = ""
    manager: str = ""  # only this identity may change the routing; "": anybody
    routing: Routing = field(default_factory=Routing)
    versions: Mapping[str, Version] = field(default_factory=lambda: MappingProxyType({}))  # by build id

    def named(self, build_id: str | None) -> VersionName | None:
        """The name of one of the versions; None for unversioned workers, and for none at all."""
        return VersionName(self.name, build_id) if build_id else None
