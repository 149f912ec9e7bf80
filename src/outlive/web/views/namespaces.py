"""The namespaces of the server."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.enums.v1 import NamespaceState
from temporalio.api.workflowservice.v1 import ListNamespacesRequest

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import times


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """One namespace. ``retention_seconds`` is how long its closed runs are kept."""

    name: str
    description: str
    retention_seconds: float
    deleted: bool


@dataclass(frozen=True, slots=True)
class NamespacesView:
    """The page."""

    rows: list[NamespaceRow]
    address: str


async def load(client: WorkflowServiceClient) -> NamespacesView:
    """Ask the server. Raises RpcError."""
    rows: list[NamespaceRow] = []
    request = ListNamespacesRequest(page_size=bounds.NAMESPACES_PAGE)
    while len(rows) < bounds.NAMESPACES_MAX:
        answer = await client.list_namespaces(request)
        for one in answer.namespaces:
            info, keep = one.namespace_info, one.config.workflow_execution_retention_ttl
            deleted = info.state == NamespaceState.NAMESPACE_STATE_DELETED
            rows.append(NamespaceRow(info.name, info.description, times.seconds(keep), deleted))
        if not answer.next_page_token:
            break
        request.next_page_token = answer.next_page_token
    return NamespacesView(sorted(rows, key=lambda row: row.name), client.address)
