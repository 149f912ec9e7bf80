"""The limits that decisions are given, from the keys."""

from __future__ import annotations

from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.limits import DeploymentLimits, ExecutionLimits, RequestLimits


def execution_limits(config: DynamicConfig, namespace: str) -> ExecutionLimits:
    """What one execution in the namespace may use."""
    return ExecutionLimits(**{field: config.get(key, namespace) for field, key in keys.EXECUTION.items()})


def deployment_limits(config: DynamicConfig) -> DeploymentLimits:
    """What worker deployments may use."""
    return DeploymentLimits(**{field: config.get(key) for field, key in keys.DEPLOYMENTS.items()})


def request_limits(config: DynamicConfig, namespace: str) -> RequestLimits:
    """What the namespace may ask of the server."""
    return RequestLimits(**{field: config.get(key, namespace) for field, key in keys.REQUESTS.items()})
