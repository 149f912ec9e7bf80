"""The family of a run: its parents and children as a tree, and the runs that had its workflow id before and after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from outlive.client import BadRequest, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import run as run_view
from outlive.web.views import runs
from outlive.web.views.complete import quoted
from outlive.web.views.groups import RunLink
from outlive.web.views.run import RunHeader
from outlive.web.views.runs import RunRow


@dataclass(frozen=True, slots=True)
class Relative:
    """One run of the tree, with its children by start."""

    row: RunRow
    here: bool
    children: list[Relative] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class RelativesView:
    """The page. ``cut``: there are more relatives than were read. ``chain`` are runs with the same workflow id."""

    header: RunHeader
    tree: list[Relative]
    chain: list[RunRow]
    cut: bool


async def load(client: WorkflowServiceClient, link: RunLink, now: Callable[[], datetime]) -> RelativesView:
    """Ask the server. Raises RpcError."""
    described = await run_view.describe(client, link)
    info = described.workflow_execution_info
    root = info.root_execution if info.root_execution.run_id else info.execution
    head, family, chain = await asyncio.gather(
        run_view.head(client, link, now()),
        _listed(
            client, link.namespace, f"RootWorkflowId = {quoted(root.workflow_id)} AND RootRunId = {quoted(root.run_id)}"
        ),
        _listed(client, link.namespace, f"WorkflowId = {quoted(link.workflow_id)}"),
    )
    infos = {one.execution.run_id: one for one in family}
    infos.setdefault(info.execution.run_id, info)
    at = now()
    return RelativesView(
        header=head,
        tree=tree(infos, link.run_id, at),
        chain=[runs.row(one, at) for one in chain],
        cut=len(family) >= bounds.RELATIVES,
    )


async def _listed(client: WorkflowServiceClient, namespace: str, query: str) -> list[WorkflowExecutionInfo]:
    """The runs that a filter finds; none where the server does not know its attribute."""
    request = ListWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=bounds.RELATIVES)
    try:
        return list((await client.list_workflow_executions(request)).executions)
    except BadRequest:
        return []


def tree(infos: dict[str, WorkflowExecutionInfo], here: str, now: datetime) -> list[Relative]:
    """The runs below their parents, by start; those whose parent was not read are at the top."""
    below: dict[str, list[WorkflowExecutionInfo]] = {}
    for one in sorted(infos.values(), key=lambda one: (one.start_time.seconds, one.start_time.nanos)):
        parent = one.parent_execution.run_id
        below.setdefault(parent if parent in infos else "", []).append(one)
    seen: set[str] = set()

    def grown(one: WorkflowExecutionInfo) -> Relative:
        seen.add(one.execution.run_id)
        relative = Relative(runs.row(one, now), one.execution.run_id == here)
        rest = [child for child in below.get(one.execution.run_id, []) if child.execution.run_id not in seen]
        return replace(relative, children=[grown(child) for child in rest])

    return [grown(one) for one in below.get("", [])]
