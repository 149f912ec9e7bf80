"""One run: how it stands, its timeline, what is pending, what went in and came out, its history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryRequest,
)

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import failures, fields, history, payloads, pending, stuck, timeline, times
from outlive.web.views import status as statuses
from outlive.web.views.failures import FailureView
from outlive.web.views.fold import RunFold, attributes
from outlive.web.views.groups import Group, RunLink
from outlive.web.views.history import HistoryWindow
from outlive.web.views.payloads import PayloadView
from outlive.web.views.pending import PendingActivity, PendingTask
from outlive.web.views.status import Status
from outlive.web.views.stuck import Reason
from outlive.web.views.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Related:
    """Another run of the family. ``role`` says which: Parent, Continued from, Continued as, Next attempt."""

    role: str
    link: RunLink


@dataclass(frozen=True, slots=True)
class RunHeader:
    """How the run stands. ``failure`` is why it ended badly; ``reason`` a person's words for ending it."""

    link: RunLink
    type: str
    task_queue: str
    status: Status
    start: datetime | None
    close: datetime | None
    seconds: float | None
    events: int
    history_bytes: int
    attempt: int
    cron: str
    reason: str
    failure: FailureView | None
    related: list[Related]


@dataclass(frozen=True, slots=True)
class RunView:
    """The page. ``result`` is what the run returned, or the details of its end; ``reasons`` is why it waits."""

    header: RunHeader
    timeline: Timeline
    activities: list[PendingActivity]
    task: PendingTask | None
    input: list[PayloadView]
    result: list[PayloadView]
    history: HistoryWindow
    address: str
    reasons: list[Reason]

    @property
    def live(self) -> bool:
        """Whether more is to come."""
        return self.header.status.open


@dataclass(frozen=True, slots=True)
class Shown:
    """What of the history is listed: ``events``, which are (the last of) those from ``first`` to ``last``."""

    events: list[HistoryEvent]
    first: int
    last: int


async def describe(client: WorkflowServiceClient, link: RunLink) -> DescribeWorkflowExecutionResponse:
    """The run as it stands; the latest one of its workflow id where no run is named. Raises RpcError."""
    return await client.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=link.namespace,
            execution=WorkflowExecution(workflow_id=link.workflow_id, run_id=link.run_id),
        )
    )


async def load(
    client: WorkflowServiceClient,
    link: RunLink,
    first: int,
    address: str,
    now: Callable[[], datetime],
    fetch: Callable[[RunFold], Awaitable[None]] | None = None,
) -> RunView:
    """Ask the server; ``first`` is the id of the first event to list; ``fetch`` completes the input and the result
    where they are elsewhere. Raises RpcError."""
    (described, reasons), (fold, shown) = await asyncio.gather(standing(client, link, now()), read(client, link, first))
    if fetch is not None:
        await fetch(fold)
    return view(described, reasons, fold, shown, link.namespace, client.address, address, now())


async def standing(
    client: WorkflowServiceClient, link: RunLink, now: datetime
) -> tuple[DescribeWorkflowExecutionResponse, list[Reason]]:
    """How the run stands, and what it waits for where it is open. Raises RpcError."""
    described = await describe(client, link)
    if not statuses.of_run(described.workflow_execution_info.status).open:
        return described, []
    return described, await stuck.of_described(client, link, described, now)


async def head(client: WorkflowServiceClient, link: RunLink, now: datetime) -> RunHeader:
    """The top of a run's further pages. Raises RpcError."""
    described = await describe(client, link)
    fold = RunFold()
    for event in await ends(client, link, closed=not statuses.of_run(described.workflow_execution_info.status).open):
        fold.add(event)
    return header(described, fold, link.namespace, now)


async def ends(client: WorkflowServiceClient, link: RunLink, *, closed: bool) -> list[HistoryEvent]:
    """The first event of the run, and of a closed one the last. Raises RpcError."""
    request = GetWorkflowExecutionHistoryRequest(
        namespace=link.namespace,
        execution=WorkflowExecution(workflow_id=link.workflow_id, run_id=link.run_id),
        maximum_page_size=1,
    )
    requests = [request]
    if closed:  # of an open run, servers wait for it
        last = GetWorkflowExecutionHistoryRequest()
        last.CopyFrom(request)
        last.history_event_filter_type = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
        requests.append(last)
    answers = await asyncio.gather(*map(client.get_workflow_execution_history, requests))
    return [event for answer in answers for event in answer.history.events[:1]]


async def read(client: WorkflowServiceClient, link: RunLink, first: int) -> tuple[RunFold, Shown]:
    """The whole history folded, as far as FOLD_EVENTS goes, and the events listed from ``first`` on."""
    fold = RunFold()
    window: list[HistoryEvent] = []
    async for page in history.pages(client, link):
        for event in page:
            if event.event_id <= bounds.FOLD_EVENTS:
                fold.add(event)
            if first <= event.event_id < first + bounds.HISTORY_WINDOW:
                window.append(event)
        if page and page[-1].event_id >= max(bounds.FOLD_EVENTS, first + bounds.HISTORY_WINDOW):
            break
    return fold, Shown(window, first, window[-1].event_id if window else first - 1)


def view(
    described: DescribeWorkflowExecutionResponse,
    reasons: list[Reason],
    fold: RunFold,
    shown: Shown,
    namespace: str,
    server: str,
    address: str,
    now: datetime,
) -> RunView:
    """The page of a run from what was read. ``address`` is the page's own."""
    info = described.workflow_execution_info
    head = header(described, fold, namespace, now)
    start = head.start or now
    groups = pending.onto(fold.groups.values(), described.pending_activities)
    if head.close is not None:
        groups = [_left_open(group, head.close) if group.ended is None else group for group in groups]
    total = max(info.history_length, fold.last_id)
    cut = total > bounds.FOLD_EVENTS
    return RunView(
        header=head,
        timeline=timeline.view(groups, start, head.close or max(now, start), cut=cut),
        activities=[pending.activity(one, now) for one in described.pending_activities],
        task=pending.task(described, now),
        input=_payloads(fold.first, ("input[",), address),
        result=_payloads(fold.closing, ("result[", "details["), address),
        history=_window(shown, total, head.start, address, fold.names()),
        address=server,
        reasons=reasons,
    )


def header(described: DescribeWorkflowExecutionResponse, fold: RunFold, namespace: str, now: datetime) -> RunHeader:
    """How the run stands, from what was read."""
    info = described.workflow_execution_info
    start, close = times.moment(info.start_time), times.moment(info.close_time)
    first = attributes(fold.first) if fold.first is not None else None
    closing = attributes(fold.closing) if fold.closing is not None else None
    failed = closing is not None and "failure" in closing.DESCRIPTOR.fields_by_name and closing.HasField("failure")
    return RunHeader(
        link=RunLink(namespace, info.execution.workflow_id, info.execution.run_id),
        type=info.type.name,
        task_queue=described.execution_config.task_queue.name or info.task_queue,
        status=statuses.of_run(info.status),
        start=start,
        close=close,
        seconds=times.between(start, close or now),
        events=max(info.history_length, fold.last_id),
        history_bytes=info.history_size_bytes,
        attempt=getattr(first, "attempt", 0),
        cron=getattr(first, "cron_schedule", ""),
        reason=getattr(closing, "reason", ""),
        failure=failures.view(closing.failure) if failed and closing is not None else None,
        related=_related(info, first, closing, namespace),
    )


def _related(info: WorkflowExecutionInfo, first: Any, closing: Any, namespace: str) -> list[Related]:
    own = info.execution
    found: list[Related] = []
    if info.HasField("parent_execution") and info.parent_execution.workflow_id:
        parent = info.parent_execution
        home = getattr(first, "parent_workflow_namespace", "") or namespace
        found.append(Related("Parent", RunLink(home, parent.workflow_id, parent.run_id)))
        root = info.root_execution
        if root.workflow_id and root.run_id not in (parent.run_id, own.run_id):
            found.append(Related("Root", RunLink(home, root.workflow_id, root.run_id)))
    before = getattr(first, "continued_execution_run_id", "")
    if before:
        found.append(Related("Continued from", RunLink(namespace, own.workflow_id, before)))
    after = getattr(closing, "new_execution_run_id", "")
    if after:
        found.append(Related("Continued as", RunLink(namespace, own.workflow_id, after)))
    return found


def _left_open(group: Group, close: datetime) -> Group:
    return replace(group, status=Status.LEFT_OPEN, ended=max(close, group.scheduled))


def _payloads(event: HistoryEvent | None, names: tuple[str, ...], address: str) -> list[PayloadView]:
    """The run's input or result, from the event that carries it, in the room of the page's main thing."""
    a = attributes(event) if event is not None else None
    if event is None or a is None:
        return []
    raw = f"{address}/events/{event.event_id}/payloads"
    found = [(label, value) for label, value in fields.leaves(a) if isinstance(value, Payload)]
    return [
        payloads.shaped(value, bounds.PREVIEW_RUN, label, f"{raw}/{number}")
        for number, (label, value) in enumerate(found)
        if label.startswith(names)
    ]


def _window(shown: Shown, total: int, start: datetime | None, address: str, names: Mapping[int, str]) -> HistoryWindow:
    size = bounds.HISTORY_WINDOW
    more = shown.last < total
    return HistoryWindow(
        events=history.rows(shown.events, start, address, names),
        first=shown.first,
        last=shown.last,
        total=total,
        previous=max(shown.first - size, 1) if shown.first > 1 else None,
        next=shown.last + 1 if more else None,
        latest=max(total - size + 1, shown.last + 1) if more else None,
    )
