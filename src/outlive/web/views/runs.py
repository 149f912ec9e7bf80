"""The list of runs: a filter, counts by status, one page of rows."""

from __future__ import annotations

import asyncio
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from temporalio.api.common.v1 import Payload
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)

from outlive.client import BadRequest, Unsupported, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import attributes, columns, payloads, saved, times
from outlive.web.views import status as statuses
from outlive.web.views.columns import Column
from outlive.web.views.complete import quoted
from outlive.web.views.groups import RunLink
from outlive.web.views.saved import SavedView
from outlive.web.views.status import RUN_STATUSES, Status

__all__ = ["RunRow", "RunsQuery", "RunsView", "StatusCount", "load", "page", "quoted", "row"]


@dataclass(frozen=True, slots=True)
class RunsQuery:
    """What is asked for. ``filter`` is a list filter; ``page`` a token of an earlier answer; ``columns`` are keys of
    columns (none: the usual ones), ``sort`` is one of them, with ``-`` before it for the largest first."""

    namespace: str
    filter: str = ""
    status: Status | None = None
    page: str = ""
    columns: tuple[str, ...] = ()
    sort: str = ""

    @property
    def text(self) -> str:
        """The list filter that the server gets."""
        wanted = self.filter.strip()
        if self.status is None:
            return wanted
        chosen = f"ExecutionStatus = '{self.status}'"
        return f"({wanted}) AND {chosen}" if wanted else chosen


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run. ``seconds`` is how long it took, or has taken so far."""

    workflow_id: str
    run_id: str
    type: str
    task_queue: str
    status: Status
    start: datetime | None
    close: datetime | None
    seconds: float | None
    events: int = 0
    bytes: int = 0
    parent: RunLink | None = None
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatusCount:
    """A quick filter. ``count`` is None where the server does not count by status."""

    status: Status | None
    count: int | None
    chosen: bool


@dataclass(frozen=True, slots=True)
class RunsView:
    """The page. ``problem`` is what the server says of the filter; then there are no rows."""

    query: RunsQuery
    rows: list[RunRow]
    counts: list[StatusCount]
    next_page: str
    problem: str
    address: str
    columns: list[Column] = field(default_factory=list)
    views: list[SavedView] = field(default_factory=list)
    attributes: list[str] = field(default_factory=list)
    sorted_of: int = 0  # how many runs were put in order, where there are more than that; else 0

    @property
    def live(self) -> bool:
        """Whether the list follows the server: its first page does; later ones would move."""
        return not self.query.page and not self.problem and not self.query.sort


async def load(client: WorkflowServiceClient, query: RunsQuery, now: Callable[[], datetime]) -> RunsView:
    """Ask the server. Raises RpcError for all but a bad filter, which the page itself shows."""
    listing = _sorted(client, query, now) if query.sort else _rows(client, query, now)
    counts, listed = await asyncio.gather(_counts(client, query), listing, return_exceptions=True)
    if isinstance(listed, BadRequest) and query.filter:
        empty = [replace(c, count=None) for c in _unknown(query)]
        return RunsView(query, [], empty, "", _plain(listed.message), client.address, columns.chosen(query.columns))
    if isinstance(listed, BaseException):
        raise listed
    if isinstance(counts, BaseException):
        raise counts
    rows, next_page, cut = listed
    return RunsView(query, rows, counts, next_page, "", client.address, columns.chosen(query.columns), sorted_of=cut)


async def page(client: WorkflowServiceClient, query: RunsQuery, now: Callable[[], datetime]) -> RunsView:
    """The list with what stands around it: saved views, and attributes to choose as columns. Raises RpcError."""
    view, own_views, own_attributes = await asyncio.gather(
        load(client, query, now), saved.load(client, query.namespace), attributes.own(client, query.namespace)
    )
    return replace(view, views=saved.built_in(now()) + own_views, attributes=sorted(own_attributes))


def _plain(message: str) -> str:
    return message.removeprefix("invalid query: ")


async def _rows(
    client: WorkflowServiceClient, query: RunsQuery, now: Callable[[], datetime]
) -> tuple[list[RunRow], str, int]:
    answer = await _list(client, query, bounds.RUNS_PAGE, _token(query.page))
    at = now()
    rows = [row(info, at) for info in answer.executions]
    return rows, urlsafe_b64encode(answer.next_page_token).decode(), 0


async def _sorted(
    client: WorkflowServiceClient, query: RunsQuery, now: Callable[[], datetime]
) -> tuple[list[RunRow], str, int]:
    """The rows in another order than the server's, which knows only one: as many as SORT_RUNS are read for it.
    A page's token is then the number of rows before it."""
    found: list[RunRow] = []
    token = b""
    at = now()
    while len(found) < bounds.SORT_RUNS:
        answer = await _list(client, query, bounds.HISTORY_PAGE, token)
        found += [row(info, at) for info in answer.executions]
        token = answer.next_page_token
        if not token:
            break
    first = int(query.page) if query.page.isascii() and query.page.isdecimal() and len(query.page) < 6 else 0
    rows = columns.in_order(found, query.sort)[first : first + bounds.RUNS_PAGE]
    following = first + bounds.RUNS_PAGE
    return rows, str(following) if following < len(found) else "", len(found) if token else 0


async def _list(
    client: WorkflowServiceClient, query: RunsQuery, size: int, token: bytes
) -> ListWorkflowExecutionsResponse:
    return await client.list_workflow_executions(
        ListWorkflowExecutionsRequest(
            namespace=query.namespace, query=query.text, page_size=size, next_page_token=token
        )
    )


def _token(page: str) -> bytes:
    """A page's token from its address; one that was cut or made up is passed on for the server to refuse."""
    try:
        return b64decode(page.encode(), altchars=b"-_", validate=True)
    except (Base64Error, ValueError):
        return page.encode()


def row(info: WorkflowExecutionInfo, now: datetime) -> RunRow:
    """One run of a list."""
    start, close = times.moment(info.start_time), times.moment(info.close_time)
    return RunRow(
        workflow_id=info.execution.workflow_id,
        run_id=info.execution.run_id,
        type=info.type.name,
        task_queue=info.task_queue,
        status=statuses.of_run(info.status),
        start=start,
        close=close,
        seconds=times.between(start, close or now),
        events=info.history_length,
        bytes=info.history_size_bytes,
        parent=_parent(info),
        attributes={name: _text(value) for name, value in info.search_attributes.indexed_fields.items()},
    )


def _parent(info: WorkflowExecutionInfo) -> RunLink | None:
    """The parent, in a namespace that the list does not tell: its page is looked for in the list's own."""
    parent = info.parent_execution
    return RunLink("", parent.workflow_id, parent.run_id) if parent.workflow_id else None


def _text(value: Payload) -> str:
    """A search attribute's value: a text as it is, anything else as its JSON."""
    return payloads.text_of(value) or payloads.line([value])


def _unknown(query: RunsQuery) -> list[StatusCount]:
    everything = StatusCount(None, None, query.status is None)
    return [everything, *(StatusCount(s, None, query.status is s) for s in RUN_STATUSES)]


async def _counts(client: WorkflowServiceClient, query: RunsQuery) -> list[StatusCount]:
    """How many runs the filter finds, by status; without numbers where the server cannot group."""
    wanted = replace(query, status=None).text
    try:
        answer = await client.count_workflow_executions(
            CountWorkflowExecutionsRequest(
                namespace=query.namespace, query=f"{wanted} GROUP BY ExecutionStatus".strip()
            )
        )
    except (BadRequest, Unsupported):
        return _unknown(query)
    by_status = {payloads.text_of(group.group_values[0]): group.count for group in answer.groups if group.group_values}
    total = StatusCount(None, answer.count, query.status is None)
    return [total, *(StatusCount(s, by_status.get(s, 0), query.status is s) for s in RUN_STATUSES)]
