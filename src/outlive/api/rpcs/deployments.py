"""Worker deployments: their versions and their routing."""

from __future__ import annotations

from typing import Any

from outlive.api import validation as v
from outlive.api.handlers import Answer
from outlive.api.rpcs import Rpcs
from outlive.engine.calls import Call
from outlive.engine.engine import Engine
from outlive.engine.namespaces import Namespace
from outlive.errors import Unimplemented


async def _first_generation(namespace: Namespace, request: Any, call: Call) -> Answer:
    """The RPCs that came before worker deployments: nobody answers them any more."""
    raise Unimplemented("Deployments are deprecated and no longer supported, use Worker Deployments instead")


def rpcs(engine: Engine) -> Rpcs:
    d, check = engine.deployment_requests, v.deployments
    return {
        "CreateWorkerDeployment": (check.create, d.create_worker_deployment),
        "CreateWorkerDeploymentVersion": (check.create_version, d.create_worker_deployment_version),
        "DescribeWorkerDeployment": (check.named, d.describe_worker_deployment),
        "DescribeWorkerDeploymentVersion": (check.describe_version, d.describe_worker_deployment_version),
        "ListWorkerDeployments": (v.nothing, d.list_worker_deployments),
        "SetWorkerDeploymentCurrentVersion": (check.current, d.set_worker_deployment_current_version),
        "SetWorkerDeploymentRampingVersion": (check.ramping, d.set_worker_deployment_ramping_version),
        "SetWorkerDeploymentManager": (check.manager, d.set_worker_deployment_manager),
        "DeleteWorkerDeployment": (check.named, d.delete_worker_deployment),
        "DeleteWorkerDeploymentVersion": (check.delete_version, d.delete_worker_deployment_version),
        "UpdateWorkerDeploymentVersionMetadata": (check.metadata, d.update_worker_deployment_version_metadata),
        "UpdateWorkerDeploymentVersionComputeConfig": (
            check.compute_config,
            d.update_worker_deployment_version_compute_config,
        ),
        "ValidateWorkerDeploymentVersionComputeConfig": (
            check.validate_compute_config,
            d.validate_worker_deployment_version_compute_config,
        ),
        "DescribeDeployment": (v.nothing, _first_generation),
        "ListDeployments": (v.nothing, _first_generation),
        "GetDeploymentReachability": (v.nothing, _first_generation),
        "GetCurrentDeployment": (v.nothing, _first_generation),
        "SetCurrentDeployment": (v.nothing, _first_generation),
    }
