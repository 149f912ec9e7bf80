"""RPCs about namespaces and their search attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import ArchivalState, IndexedValueType, NamespaceState
from temporalio.api.namespace.v1 import NamespaceConfig, NamespaceInfo
from temporalio.api.operatorservice.v1 import (
    AddSearchAttributesResponse,
    ListSearchAttributesResponse,
    RemoveSearchAttributesResponse,
)
from temporalio.api.replication.v1 import ClusterReplicationConfig, NamespaceReplicationConfig
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceResponse,
    DescribeNamespaceResponse,
    ListNamespacesResponse,
    RegisterNamespaceResponse,
    UpdateNamespaceResponse,
)

from outlive.api.handlers import Answer, Method
from outlive.api.validation.common import check_id, checked_namespace
from outlive.core.proto import duration, ns_of
from outlive.core.visibility import PREDEFINED_ATTRIBUTES, SYSTEM_ATTRIBUTES
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace, Namespaces
from outlive.errors import InvalidArgument, NamespaceNotFound
from outlive.limits import HOUR, PAGE_SIZE_MAX, TIMEOUT_MAX

CAPABILITIES = NamespaceInfo.Capabilities(eager_workflow_start=True, sync_update=True, async_update=True)
"""Only what is true: SDKs and tools change what they do by these."""

_RETENTION_MIN = HOUR  # less is almost always a mistake of units
_DISABLED = ArchivalState.ARCHIVAL_STATE_DISABLED


class NamespaceRpcs:
    """Register, describe, list, update, deprecate; search attributes."""

    def __init__(self, namespaces: Namespaces) -> None:
        self._namespaces = namespaces

    def methods(self) -> Mapping[str, Method]:
        return {
            "DescribeNamespace": self._describe,
            "ListNamespaces": self._list,
            "RegisterNamespace": self._register,
            "UpdateNamespace": self._update,
            "DeprecateNamespace": self._deprecate,
        }

    def operator_methods(self) -> Mapping[str, Method]:
        return {
            "AddSearchAttributes": self._add_attributes,
            "RemoveSearchAttributes": self._remove_attributes,
            "ListSearchAttributes": self._list_attributes,
        }

    async def _describe(self, request: Any, call: Call) -> Answer:
        if request.id:
            try:
                namespace = self._namespaces.by_id(request.id)
            except NamespaceNotFound:
                raise NamespaceNotFound(request.id) from None
        else:
            namespace = checked_namespace(self._namespaces, request.namespace)
        return _described(namespace)

    async def _list(self, request: Any, call: Call) -> Answer:
        size = min(request.page_size, PAGE_SIZE_MAX) if request.page_size > 0 else PAGE_SIZE_MAX
        after = request.next_page_token.decode(errors="replace")
        names = [n for n in self._namespaces.all() if n.name > after]
        page = names[:size]
        token = page[-1].name.encode() if len(names) > size else b""
        return ListNamespacesResponse(namespaces=[_described(n) for n in page], next_page_token=token)

    async def _register(self, request: Any, call: Call) -> Answer:
        check_id("Namespace", request.namespace)
        if not request.namespace:
            raise InvalidArgument("Namespace not set on request.")
        retention = _retention(request.workflow_execution_retention_period)
        self._namespaces.register(
            Namespace(
                id=self._namespaces.new_id(),
                name=request.namespace,
                description=request.description,
                owner_email=request.owner_email,
                retention=retention,
                data=dict(request.data),
            )
        )
        await self._namespaces.committed()
        return RegisterNamespaceResponse()

    async def _update(self, request: Any, call: Call) -> Answer:
        namespace = checked_namespace(self._namespaces, request.namespace)
        info, config = request.update_info, request.config
        if info.description:
            namespace = replace(namespace, description=info.description)
        if info.owner_email:
            namespace = replace(namespace, owner_email=info.owner_email)
        if info.data:
            namespace = replace(namespace, data={**namespace.data, **info.data})
        if info.state:
            namespace = replace(namespace, state=info.state)
        if config.HasField("workflow_execution_retention_ttl"):
            namespace = replace(namespace, retention=_retention(config.workflow_execution_retention_ttl))
        namespace = self._namespaces.put(namespace)
        await self._namespaces.committed()
        described = _described(namespace)
        return UpdateNamespaceResponse(
            namespace_info=described.namespace_info,
            config=described.config,
            replication_config=described.replication_config,
        )

    async def _deprecate(self, request: Any, call: Call) -> Answer:
        namespace = checked_namespace(self._namespaces, request.namespace)
        self._namespaces.put(replace(namespace, state=NamespaceState.NAMESPACE_STATE_DEPRECATED))
        await self._namespaces.committed()
        return DeprecateNamespaceResponse()

    # -- search attributes

    async def _add_attributes(self, request: Any, call: Call) -> Answer:
        name = _of_operator(request.namespace)
        if not request.search_attributes:
            raise InvalidArgument("SearchAttributes are not set on request.")
        for attribute, kind in request.search_attributes.items():
            check_id("Search attribute name", attribute)
            if kind not in IndexedValueType.values() or not kind:
                raise InvalidArgument(f"Unknown search attribute type of {attribute}: {kind}.")
        self._namespaces.add_attributes(name, dict(request.search_attributes))
        await self._namespaces.committed()
        return AddSearchAttributesResponse()

    async def _remove_attributes(self, request: Any, call: Call) -> Answer:
        name = _of_operator(request.namespace)
        if not request.search_attributes:
            raise InvalidArgument("SearchAttributes are not set on request.")
        self._namespaces.remove_attributes(name, list(request.search_attributes))
        await self._namespaces.committed()
        return RemoveSearchAttributesResponse()

    async def _list_attributes(self, request: Any, call: Call) -> Answer:
        namespace = self._namespaces.get(_of_operator(request.namespace))
        return ListSearchAttributesResponse(
            custom_attributes=dict(namespace.custom_attributes),
            system_attributes={**SYSTEM_ATTRIBUTES, **PREDEFINED_ATTRIBUTES},
        )


def _of_operator(name: str) -> str:
    if not name:
        raise InvalidArgument("Namespace is not set on request.")
    return name


def _retention(value: Duration) -> int:
    """Nanoseconds, at most as long as any time-out. Raises InvalidArgument for less than an hour."""
    retention = ns_of(value)
    if retention < _RETENTION_MIN:
        raise InvalidArgument("A valid retention period is not set on request: give at least one hour.")
    return min(retention, TIMEOUT_MAX)


def _described(namespace: Namespace) -> DescribeNamespaceResponse:
    limits = namespace.limits
    return DescribeNamespaceResponse(
        namespace_info=NamespaceInfo(
            name=namespace.name,
            id=namespace.id,
            state=namespace.state,  # type: ignore[arg-type]
            description=namespace.description,
            owner_email=namespace.owner_email,
            data=dict(namespace.data),
            capabilities=CAPABILITIES,
            limits=NamespaceInfo.Limits(
                blob_size_limit_error=limits.payload_size_max, memo_size_limit_error=limits.memo_size_max
            ),
        ),
        config=NamespaceConfig(
            workflow_execution_retention_ttl=duration(namespace.retention),
            history_archival_state=_DISABLED,
            visibility_archival_state=_DISABLED,
            custom_search_attribute_aliases={name: name for name in namespace.custom_attributes},
        ),
        replication_config=NamespaceReplicationConfig(
            active_cluster_name="active", clusters=[ClusterReplicationConfig(cluster_name="active")]
        ),
    )
