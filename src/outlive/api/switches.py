"""RPCs that the dynamic configuration can switch off, for all namespaces or for some.

All of them are on here. What is switched off is refused in Temporal's words, which tools look for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.keys import Key
from outlive.errors import PermissionDenied, ServiceError, Unimplemented


@dataclass(frozen=True, slots=True)
class Switch:
    """A key, and how its RPCs are refused in a namespace where it is off."""

    key: Key[bool]
    refusal: Callable[[str], ServiceError]


def _denied(what: str) -> Callable[[str], ServiceError]:
    return lambda namespace: PermissionDenied(f"{what} disabled on this namespace.")


_UPDATES = Switch(keys.UPDATES, _denied("UpdateWorkflowExecution operation is"))
_MULTI_OPERATIONS = Switch(keys.MULTI_OPERATIONS, _denied("ExecuteMultiOperation operation is"))
_PAUSE = Switch(
    keys.PAUSE, lambda namespace: Unimplemented(f"workflow pause is not enabled for namespace: {namespace}")
)
_SCHEDULES = Switch(keys.SCHEDULES, _denied("Schedules are"))
_BATCHES = Switch(keys.BATCHES, _denied("Batch operation feature are"))
_DEPLOYMENTS = Switch(keys.WORKER_DEPLOYMENTS, _denied("Worker Deployment Versions are"))

SWITCHES: Final[Mapping[str, Switch]] = {
    "UpdateWorkflowExecution": _UPDATES,
    "PollWorkflowExecutionUpdate": _UPDATES,
    "ExecuteMultiOperation": _MULTI_OPERATIONS,
    "PauseWorkflowExecution": _PAUSE,
    **dict.fromkeys(
        (
            "CreateSchedule",
            "DescribeSchedule",
            "UpdateSchedule",
            "PatchSchedule",
            "ListScheduleMatchingTimes",
            "DeleteSchedule",
            "ListSchedules",
            "CountSchedules",
        ),
        _SCHEDULES,
    ),
    **dict.fromkeys(
        ("StartBatchOperation", "StopBatchOperation", "DescribeBatchOperation", "ListBatchOperations"), _BATCHES
    ),
    **dict.fromkeys(
        (
            "ListWorkerDeployments",
            "DescribeWorkerDeployment",
            "DescribeWorkerDeploymentVersion",
            "CreateWorkerDeployment",
            "CreateWorkerDeploymentVersion",
            "DeleteWorkerDeployment",
            "DeleteWorkerDeploymentVersion",
            "SetWorkerDeploymentCurrentVersion",
            "SetWorkerDeploymentRampingVersion",
            "SetWorkerDeploymentManager",
            "UpdateWorkerDeploymentVersionMetadata",
        ),
        _DEPLOYMENTS,
    ),
}


def gate(config: DynamicConfig, rpc: str) -> Callable[[str], None] | None:
    """What refuses the RPC in a namespace, by name, where it is switched off; None for RPCs without a switch."""
    switch = SWITCHES.get(rpc)
    if switch is None:
        return None
    key, refusal = switch.key, switch.refusal

    def check(namespace: str) -> None:
        if not config.get(key, namespace):
            raise refusal(namespace)

    return check
