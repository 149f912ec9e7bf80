"""Requests about namespaces."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import NamespaceState

from outlive.api.system import CLUSTER_NAME
from outlive.api.validation.common import UUID, check_namespace_name, duration_problem
from outlive.engine.namespaces import SYSTEM_NAMESPACE
from outlive.errors import FailedPrecondition, InvalidArgument
from outlive.limits import HOUR, SECOND, TIMEOUT_MAX

_ABSENT = "Namespace not set on request."
_RETENTION_MIN = HOUR  # less is almost always a mistake of units
_FOLLOWING = {
    NamespaceState.NAMESPACE_STATE_REGISTERED: (
        NamespaceState.NAMESPACE_STATE_DEPRECATED,
        NamespaceState.NAMESPACE_STATE_DELETED,
    ),
    NamespaceState.NAMESPACE_STATE_DEPRECATED: (NamespaceState.NAMESPACE_STATE_DELETED,),
}


def check_name(name: str) -> None:
    check_namespace_name(name, _ABSENT)


def describe(request: Any) -> None:
    """DescribeNamespace: by name or by id."""
    if not request.id:
        check_name(request.namespace)
        return
    if request.namespace:
        raise InvalidArgument("Both Namespace and Id are set on request: give one of them.")
    if not UUID.fullmatch(request.id):
        raise InvalidArgument("Id is not a valid UUID.")


def register(request: Any) -> None:
    """RegisterNamespace."""
    check_name(request.namespace)
    if request.is_global_namespace:
        raise InvalidArgument("Cannot register global namespace when not enabled")
    _check_clusters(request.active_cluster_name, request.clusters)
    retention(request.workflow_execution_retention_period)


def update(request: Any, state: int) -> None:
    """UpdateNamespace of a namespace in this state."""
    if request.promote_namespace:
        raise InvalidArgument(
            "global namespace is not enabled on this cluster, cannot update global namespace or promote local "
            f"namespace: {request.namespace}"
        )
    _check_clusters(request.replication_config.active_cluster_name, request.replication_config.clusters)
    wanted = request.update_info.state
    if wanted and wanted != state and wanted not in _FOLLOWING.get(state, ()):  # type: ignore[call-overload]
        raise InvalidArgument("Invalid namespace state update.")
    if request.config.HasField("workflow_execution_retention_ttl"):
        retention(request.config.workflow_execution_retention_ttl)
    if request.delete_bad_binary:
        raise InvalidArgument(f"Bad binary checksum {request.delete_bad_binary} doesn't exists.")


def delete(request: Any) -> None:
    """DeleteNamespace: by name or by id."""
    if request.namespace and request.namespace_id:
        raise InvalidArgument("Only one of namespace name or Id should be set on request.")
    if not request.namespace_id:
        check_name(request.namespace)


def deletable(name: str, protected: Sequence[str]) -> None:
    """Raises if the namespace may not be deleted."""
    if name == SYSTEM_NAMESPACE:
        raise FailedPrecondition("unable to delete system namespace")
    if name in protected:
        raise FailedPrecondition(f"namespace {name} is protected from deletion")


def delay(value: Duration) -> int:
    """Nanoseconds, at most as long as any time-out; a negative one is none."""
    return min(max(value.seconds * SECOND + value.nanos, 0), TIMEOUT_MAX)


def retention(value: Duration) -> int:
    """Nanoseconds, at most as long as any time-out. Raises InvalidArgument for less than an hour."""
    nanoseconds = value.seconds * SECOND + value.nanos
    if duration_problem(value) or nanoseconds < _RETENTION_MIN:
        raise InvalidArgument("A valid retention period is not set on request: give at least one hour.")
    return min(nanoseconds, TIMEOUT_MAX)


def _check_clusters(active: str, clusters: Any) -> None:
    for name in (active, *(cluster.cluster_name for cluster in clusters)):
        if name and name != CLUSTER_NAME:
            raise InvalidArgument(f"Invalid cluster name: {name}")
