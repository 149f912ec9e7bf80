"""RPCs about namespaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from temporalio.api.enums.v1 import ArchivalState, NamespaceState, ReplicationState
from temporalio.api.namespace.v1 import BadBinaries, NamespaceConfig, NamespaceInfo
from temporalio.api.operatorservice.v1 import DeleteNamespaceResponse
from temporalio.api.replication.v1 import ClusterReplicationConfig, NamespaceReplicationConfig
from temporalio.api.workflowservice.v1 import (
    DeprecateNamespaceResponse,
    DescribeNamespaceResponse,
    ListNamespacesResponse,
    RegisterNamespaceResponse,
    UpdateNamespaceResponse,
)

from outlive.api.handlers import Answer, Method
from outlive.api.system import CLUSTER_NAME
from outlive.api.validation import namespaces as validation
from outlive.api.validation.common import IN_USE, check_state
from outlive.core.proto import duration
from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.engine.calls import Call
from outlive.engine.namespace_upkeep import NamespaceUpkeep
from outlive.engine.namespaces import DELETED, Namespace, Namespaces
from outlive.limits import PAGE_SIZE_MAX


def capabilities(config: DynamicConfig, namespace: str) -> NamespaceInfo.Capabilities:
    """Only what is true: SDKs and tools change what they do by these."""
    updates = config.get(keys.UPDATES, namespace)
    return NamespaceInfo.Capabilities(
        eager_workflow_start=config.get(keys.EAGER_START, namespace),
        sync_update=updates,
        async_update=updates,
        worker_heartbeats=config.get(keys.WORKER_HEARTBEATS, namespace),
        worker_poll_complete_on_shutdown=True,
        reported_problems_search_attribute=True,
        workflow_pause=config.get(keys.PAUSE, namespace),
        poller_autoscaling=True,
        workflow_task_completion_pagination=True,
    )


_DISABLED = ArchivalState.ARCHIVAL_STATE_DISABLED


class NamespaceRpcs:
    """Register, describe, list, update, deprecate; delete, which the operator service has."""

    def __init__(self, namespaces: Namespaces, upkeep: NamespaceUpkeep, config: DynamicConfig) -> None:
        self._namespaces = namespaces
        self._upkeep = upkeep
        self._config = config

    def operator_methods(self) -> Mapping[str, Method]:
        return {"DeleteNamespace": self._delete}

    def methods(self) -> Mapping[str, Method]:
        return {
            "DescribeNamespace": self._describe,
            "ListNamespaces": self._list,
            "RegisterNamespace": self._register,
            "UpdateNamespace": self._update,
            "DeprecateNamespace": self._deprecate,
        }

    async def _describe(self, request: Any, call: Call) -> Answer:
        validation.describe(request)
        if request.id:
            return _described(self._namespaces.by_id(request.id), self._config)
        return _described(self._namespaces.get(request.namespace), self._config)

    async def _list(self, request: Any, call: Call) -> Answer:
        size = min(request.page_size, PAGE_SIZE_MAX) if request.page_size > 0 else PAGE_SIZE_MAX
        after = request.next_page_token.decode(errors="replace")
        deleted = request.namespace_filter.include_deleted
        names = [n for n in self._namespaces.all() if n.name > after and (deleted or n.state != DELETED)]
        page = names[:size]
        token = page[-1].name.encode() if len(names) > size else b""
        return ListNamespacesResponse(namespaces=[_described(n, self._config) for n in page], next_page_token=token)

    async def _register(self, request: Any, call: Call) -> Answer:
        validation.register(request)
        self._namespaces.register(
            Namespace(
                id=self._namespaces.new_id(),
                name=request.namespace,
                description=request.description,
                owner_email=request.owner_email,
                retention=validation.retention(request.workflow_execution_retention_period),
                data=dict(request.data),
            )
        )
        await self._namespaces.committed()
        return RegisterNamespaceResponse()

    async def _update(self, request: Any, call: Call) -> Answer:
        validation.check_name(request.namespace)
        namespace = self._namespaces.get(request.namespace)
        validation.update(request, namespace.state)
        check_state(namespace, IN_USE)
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
            retention = validation.retention(config.workflow_execution_retention_ttl)
            changed = namespace.retention_changed or retention != namespace.retention
            namespace = replace(namespace, retention=retention, retention_changed=changed)
        namespace = self._namespaces.put(namespace)
        await self._namespaces.committed()
        if namespace.retention_changed:
            self._upkeep.retention_changed(namespace)
        described = _described(namespace, self._config)
        return UpdateNamespaceResponse(
            namespace_info=described.namespace_info,
            config=described.config,
            replication_config=described.replication_config,
        )

    async def _deprecate(self, request: Any, call: Call) -> Answer:
        validation.check_name(request.namespace)
        namespace = self._namespaces.get(request.namespace)
        check_state(namespace, IN_USE)
        self._namespaces.put(replace(namespace, state=NamespaceState.NAMESPACE_STATE_DEPRECATED))
        await self._namespaces.committed()
        return DeprecateNamespaceResponse()

    async def _delete(self, request: Any, call: Call) -> Answer:
        validation.delete(request)
        validation.deletable(request.namespace, self._config.get(keys.PROTECTED_NAMESPACES))
        if request.namespace_id:
            namespace = self._namespaces.by_id(request.namespace_id)
            validation.deletable(namespace.name, self._config.get(keys.PROTECTED_NAMESPACES))
        else:
            namespace = self._namespaces.get(request.namespace)
        delay = self._config.get(keys.NAMESPACE_DELETE_DELAY)
        if request.HasField("namespace_delete_delay"):
            delay = validation.delay(request.namespace_delete_delay)
        return DeleteNamespaceResponse(deleted_namespace=await self._upkeep.delete(namespace, delay))


def _described(namespace: Namespace, config: DynamicConfig) -> DescribeNamespaceResponse:
    limits = namespace.limits
    return DescribeNamespaceResponse(
        namespace_info=NamespaceInfo(
            name=namespace.name,
            id=namespace.id,
            state=namespace.state,  # type: ignore[arg-type]
            description=namespace.description,
            owner_email=namespace.owner_email,
            data=dict(namespace.data),
            capabilities=capabilities(config, namespace.name),
            limits=NamespaceInfo.Limits(
                blob_size_limit_error=limits.payload_size_max, memo_size_limit_error=limits.memo_size_max
            ),
            supports_schedules=config.get(keys.SCHEDULES, namespace.name),
        ),
        config=NamespaceConfig(
            workflow_execution_retention_ttl=duration(namespace.retention),
            history_archival_state=_DISABLED,
            visibility_archival_state=_DISABLED,
            bad_binaries=BadBinaries(),
            custom_search_attribute_aliases={name: name for name in namespace.custom_attributes},
        ),
        replication_config=NamespaceReplicationConfig(
            active_cluster_name=CLUSTER_NAME,
            clusters=[ClusterReplicationConfig(cluster_name=CLUSTER_NAME)],
            state=ReplicationState.REPLICATION_STATE_NORMAL,
        ),
    )
