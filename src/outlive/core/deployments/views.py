"""Worker deployments as the protocol shows them."""

from __future__ import annotations

from typing import Any

from temporalio.api.deployment.v1 import (
    RoutingConfig,
    VersionDrainageInfo,
    VersionMetadata,
    WorkerDeploymentInfo,
    WorkerDeploymentVersionInfo,
)
from temporalio.api.enums.v1 import RoutingConfigUpdateState, TaskQueueType, VersionDrainageStatus
from temporalio.api.workflowservice.v1 import ListWorkerDeploymentsResponse

from outlive.core.deployments.state import Deployment, Status, Version
from outlive.core.proto import timestamp
from outlive.core.version_names import UNVERSIONED, VersionName, dotted

COMPLETED = RoutingConfigUpdateState.ROUTING_CONFIG_UPDATE_STATE_COMPLETED
Summary = WorkerDeploymentInfo.WorkerDeploymentVersionSummary


def _set_times(message: Any, times: dict[str, int]) -> None:
    for name, value in times.items():
        if value:
            getattr(message, name).CopyFrom(timestamp(value))


def ramping_string(deployment: Deployment) -> str:
    """The ramping version as the older string fields spell it; "" without a ramp."""
    if deployment.routing.ramping is None:
        return ""
    return dotted(deployment.named(deployment.routing.ramping))


def routing(deployment: Deployment) -> RoutingConfig:
    rows = deployment.routing
    current, ramping = deployment.named(rows.current), deployment.named(rows.ramping)
    result = RoutingConfig(
        current_deployment_version=current.message() if current else None,
        current_version=current.dotted if current else UNVERSIONED,
        ramping_deployment_version=ramping.message() if ramping else None,
        ramping_version=ramping_string(deployment),
        ramping_version_percentage=rows.ramp,
        revision_number=rows.revision,
    )
    _set_times(
        result,
        {
            "current_version_changed_time": rows.current_changed,
            "ramping_version_changed_time": rows.ramping_changed,
            "ramping_version_percentage_changed_time": rows.ramp_changed,
        },
    )
    return result


def _drainage(version: Version) -> VersionDrainageInfo | None:
    if not version.drainage_changed:
        return None
    return VersionDrainageInfo(
        status=VersionDrainageStatus.ValueType(version.drainage),
        last_changed_time=timestamp(version.drainage_changed),
        last_checked_time=timestamp(version.drainage_checked),
    )


def summary(deployment: Deployment, version: Version) -> Summary:
    """A version as the description of its deployment shows it."""
    name = VersionName(deployment.name, version.build_id)
    result = Summary(
        version=name.dotted,
        deployment_version=name.message(),
        status=Status.ValueType(version.status),
        drainage_status=VersionDrainageStatus.ValueType(version.drainage),
        drainage_info=_drainage(version),
        create_time=timestamp(version.created),
    )
    _set_times(result, {**_times(version), "routing_update_time": version.routing_changed})
    return result


def _times(version: Version) -> dict[str, int]:
    return {
        "current_since_time": version.current_since,
        "ramping_since_time": version.ramping_since,
        "first_activation_time": version.first_active,
        "last_current_time": version.last_current,
        "last_deactivation_time": version.last_active,
    }


def info(deployment: Deployment) -> WorkerDeploymentInfo:
    """DescribeWorkerDeployment: the latest version first."""
    latest_first = sorted(deployment.versions.values(), key=lambda v: -v.created)
    return WorkerDeploymentInfo(
        name=deployment.name,
        create_time=timestamp(deployment.created),
        routing_config=routing(deployment),
        last_modifier_identity=deployment.modifier,
        manager_identity=deployment.manager,
        routing_config_update_state=COMPLETED,
        version_summaries=[summary(deployment, version) for version in latest_first],
    )


def listed(deployment: Deployment) -> ListWorkerDeploymentsResponse.WorkerDeploymentSummary:
    """ListWorkerDeployments."""
    result = ListWorkerDeploymentsResponse.WorkerDeploymentSummary(
        name=deployment.name, create_time=timestamp(deployment.created), routing_config=routing(deployment)
    )
    versions = deployment.versions

    def of(version: Version) -> Summary:
        result = summary(deployment, version)
        result.ClearField("drainage_status")  # lists never had the older field
        return result

    if versions:
        latest = max(versions.values(), key=lambda v: v.created)
        result.latest_version_summary.CopyFrom(of(latest))
    for field, build_id in (
        (result.current_version_summary, deployment.routing.current),
        (result.ramping_version_summary, deployment.routing.ramping),
    ):
        if build_id and build_id in versions:
            field.CopyFrom(of(versions[build_id]))
    return result


def version_info(deployment: Deployment, version: Version) -> WorkerDeploymentVersionInfo:
    """DescribeWorkerDeploymentVersion."""
    name = VersionName(deployment.name, version.build_id)
    result = WorkerDeploymentVersionInfo(
        version=name.dotted,
        deployment_version=name.message(),
        status=Status.ValueType(version.status),
        create_time=timestamp(version.created),
        ramp_percentage=version.ramp,
        drainage_info=_drainage(version) if version.drainage else None,
        metadata=VersionMetadata.FromString(version.metadata) if version.metadata else None,
        last_modifier_identity=version.modifier,
        task_queue_infos=[
            WorkerDeploymentVersionInfo.VersionTaskQueueInfo(name=queue.name, type=TaskQueueType.ValueType(queue.kind))
            for queue in version.queues
        ],
    )
    _set_times(
        result,
        {
            "routing_changed_time": version.routing_changed,
            "current_since_time": version.current_since,
            "ramping_since_time": version.ramping_since,
        },
    )
    return result
