"""RPCs about the server itself."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from temporalio.api.workflowservice.v1 import (
    GetClusterInfoResponse,
    GetSearchAttributesResponse,
    GetSystemInfoResponse,
)

from outlive import __version__
from outlive.api.handlers import Answer, Method
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespaces

PROTOCOL_VERSION = "1.32.0"  # of the server whose behaviour this one follows; clients compare it

CAPABILITIES = GetSystemInfoResponse.Capabilities(
    signal_and_query_header=True,
    internal_error_differentiation=True,
    activity_failure_include_heartbeat=True,
    encoded_failure_attributes=True,
    upsert_memo=True,
    eager_workflow_start=True,
    sdk_metadata=True,
    count_group_by_execution_status=True,
    build_id_based_versioning=True,
)
"""Only what is true: SDKs change what they send by these."""

_CLUSTER = uuid.uuid5(uuid.NAMESPACE_URL, "outlive")
_CLIENTS = {
    "temporal-cli": "<2.0.0",
    "temporal-go": "<2.0.0",
    "temporal-java": "<2.0.0",
    "temporal-php": "<2.0.0",
    "temporal-server": "<2.0.0",
    "temporal-typescript": "<2.0.0",
    "temporal-ui": "<3.0.0",
}


class SystemRpcs:
    """GetSystemInfo, GetClusterInfo, GetSearchAttributes."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def methods(self) -> Mapping[str, Method]:
        return {
            "GetSystemInfo": self._system,
            "GetClusterInfo": self._cluster,
            "GetSearchAttributes": self._attributes,
        }

    async def _system(self, request: Any, call: Call) -> Answer:
        return GetSystemInfoResponse(server_version=PROTOCOL_VERSION, capabilities=CAPABILITIES)

    async def _cluster(self, request: Any, call: Call) -> Answer:
        return GetClusterInfoResponse(
            supported_clients=_CLIENTS,
            server_version=PROTOCOL_VERSION,
            cluster_id=str(_CLUSTER),
            cluster_name="active",
            history_shard_count=1,
            persistence_store=f"sqlite (outlive {__version__})",
            visibility_store="sqlite",
        )

    async def _attributes(self, request: Any, call: Call) -> Answer:
        types = self._namespaces.get("default").attribute_types
        return GetSearchAttributesResponse(keys=dict(types))
