"""Views of the list of runs: a few that everybody needs, and those that people saved.

A saved view lies in the namespace's own data on the server (``UpdateNamespace``), so it is there for everybody and in
every browser, on any server of Temporal's API. Data cannot be taken away through that API: a view that is removed
stays as an empty entry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from temporalio.api.namespace.v1 import UpdateNamespaceInfo
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest

from outlive.client import Refused, Unsupported, WorkflowServiceClient
from outlive.web.views import times

KEY: Final = "outlive.view."
NAME_MAX: Final = 60  # characters of a view's name
_FIELDS: Final = ("query", "status", "columns", "sort")


@dataclass(frozen=True, slots=True)
class SavedView:
    """One view: its name and the parameters of the list's address. ``own``: somebody saved it."""

    name: str
    params: dict[str, str]
    own: bool = True


def built_in(now: datetime) -> list[SavedView]:
    """The views that everybody needs. Their moments are rounded, so that an address stays the same for a while."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    day = times.iso(hour - timedelta(days=1))
    ago = times.iso(hour - timedelta(hours=1))
    failed = f"ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated') AND CloseTime > '{day}'"
    return [
        SavedView("All runs", {}, own=False),
        SavedView("Failed in 24 h", {"query": failed}, own=False),
        SavedView("Open for over an hour", {"query": f"StartTime < '{ago}'", "status": "Running"}, own=False),
        SavedView("Code that fails", {"query": "TemporalReportedProblems IS NOT NULL", "status": "Running"}, own=False),
        SavedView("No children", {"query": "ParentWorkflowId IS NULL"}, own=False),
    ]


def of_data(data: Mapping[str, str]) -> list[SavedView]:
    """The saved views among a namespace's data; what is none is left out."""
    found = []
    for key, text in sorted(data.items()):
        if not key.startswith(KEY) or not text:
            continue
        try:
            params = json.loads(text)
        except ValueError:
            continue
        if isinstance(params, dict):
            kept = {name: str(params[name]) for name in _FIELDS if params.get(name)}
            found.append(SavedView(key.removeprefix(KEY), kept))
    return found


async def load(client: WorkflowServiceClient, namespace: str) -> list[SavedView]:
    """The namespace's saved views; none where the caller may not look at it."""
    try:
        answer = await client.describe_namespace(DescribeNamespaceRequest(namespace=namespace))
    except (Refused, Unsupported):
        return []
    return of_data(answer.namespace_info.data)


async def save(client: WorkflowServiceClient, namespace: str, name: str, params: Mapping[str, str]) -> None:
    """Keep a view under a name, in place of one that has it. Raises RpcError."""
    kept = {key: params[key] for key in _FIELDS if params.get(key)}
    await _write(client, namespace, name, json.dumps(kept, ensure_ascii=False))


async def remove(client: WorkflowServiceClient, namespace: str, name: str) -> None:
    """Forget a view. Raises RpcError."""
    await _write(client, namespace, name, "")


async def _write(client: WorkflowServiceClient, namespace: str, name: str, text: str) -> None:
    info = UpdateNamespaceInfo(data={KEY + name: text})  # merged with the data that is there
    await client.update_namespace(UpdateNamespaceRequest(namespace=namespace, update_info=info))
