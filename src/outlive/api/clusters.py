"""RPCs about what one server does not have: other clusters, and archives."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from temporalio.api.operatorservice.v1 import ClusterMetadata, ListClustersResponse

from outlive.api.handlers import Answer, Method
from outlive.api.system import CLUSTER_ID, CLUSTER_NAME
from outlive.api.validation.common import checked_namespace
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespaces
from outlive.errors import InvalidArgument, NotFound, Unavailable
from outlive.limits import ARCHIVE_PAGE_MAX


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server answers; empty where it does not."""

    grpc: str = ""
    http: str = ""


class ClusterRpcs:
    """ListClusters, AddOrUpdateRemoteCluster, RemoveRemoteCluster: there is this one, and no other can be added."""

    def __init__(self, addresses: Callable[[], Addresses]) -> None:
        self._addresses = addresses

    def methods(self) -> Mapping[str, Method]:
        return {
            "ListClusters": self._list,
            "AddOrUpdateRemoteCluster": self._add,
            "RemoveRemoteCluster": self._remove,
        }

    async def _list(self, request: Any, call: Call) -> Answer:
        if request.next_page_token:
            raise InvalidArgument("next_page_token: there is one cluster and no further page")
        addresses = self._addresses()
        own = ClusterMetadata(
            cluster_name=CLUSTER_NAME,
            cluster_id=CLUSTER_ID,
            address=addresses.grpc,
            http_address=addresses.http,
            initial_failover_version=1,
            history_shard_count=1,
            is_connection_enabled=True,
        )
        return ListClustersResponse(clusters=[own])

    async def _add(self, request: Any, call: Call) -> Answer:
        address = request.frontend_address
        if address and address == self._addresses().grpc:
            raise InvalidArgument(
                "Unable connect to remote cluster with invalid config: "
                "Cannot update current cluster metadata from rpc calls."
            )
        raise Unavailable(f"Unable connect to remote cluster {address}: this server stands alone")

    async def _remove(self, request: Any, call: Call) -> Answer:
        if request.cluster_name == CLUSTER_NAME:
            raise InvalidArgument("cluster_name: Cannot delete current cluster metadata.")
        raise NotFound("The cluster to be deleted cannot be found in clusters cache.")


class ArchiveRpcs:
    """ListArchivedWorkflowExecutions, which needs an archive."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def methods(self) -> Mapping[str, Method]:
        return {"ListArchivedWorkflowExecutions": self._list}

    async def _list(self, request: Any, call: Call) -> Answer:
        checked_namespace(self._namespaces, request.namespace)
        if request.page_size > ARCHIVE_PAGE_MAX:
            raise InvalidArgument(f"PageSize is larger than allowed {ARCHIVE_PAGE_MAX}.")
        raise InvalidArgument("Cluster is not configured for visibility archival.")
