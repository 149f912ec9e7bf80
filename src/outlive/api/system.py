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
from outlive.api.versions import PROTOCOL_VERSION, SUPPORTED_CLIENTS
from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespaces

CAPABILITIES = GetSystemInfoResponse.Capabilities(
    signal_and_query_header=True,
    internal_error_differentiation=True,
    activity_failure_include_heartbeat=True,
    encoded_failure_attributes=True,
    upsert_memo=True,
    sdk_metadata=True,
    count_group_by_execution_status=True,
    build_id_based_versioning=True,
)
"""Only what is true: SDKs change what they send by these."""

CLUSTER_NAME = "active"
CLUSTER_ID = str(uuid.uuid5(uuid.NAMESPACE_URL, "outlive"))


class SystemRpcs:
    """GetSystemInfo, GetClusterInfo, GetSearchAttributes."""

    def __init__(self, namespaces: Namespaces, config: DynamicConfig) -> None:
        self._namespaces = namespaces
        self._config = config

    def methods(self) -> Mapping[str, Method]:
        return {
            "GetSystemInfo": self._system,
            "GetClusterInfo": self._cluster,
            "GetSearchAttributes": self._attributes,
        }

    async def _system(self, request: Any, call: Call) -> Answer:
        response = GetSystemInfoResponse(server_version=PROTOCOL_VERSION, capabilities=CAPABILITIES)
        response.capabilities.eager_workflow_start = self._config.get(keys.EAGER_START)
        response.capabilities.supports_schedules = self._config.get(keys.SCHEDULES)
        return response

    async def _cluster(self, request: Any, call: Call) -> Answer:
        return GetClusterInfoResponse(
            supported_clients=SUPPORTED_CLIENTS,
            server_version=PROTOCOL_VERSION,
            cluster_id=CLUSTER_ID,
            cluster_name=CLUSTER_NAME,
            history_shard_count=1,
            initial_failover_version=1,
            failover_version_increment=10,
            persistence_store=f"sqlite (outlive {__version__})",
            visibility_store="sqlite",
        )

    async def _attributes(self, request: Any, call: Call) -> Answer:
        types = self._namespaces.get("default").attribute_types
        return GetSearchAttributesResponse(keys=dict(types))
