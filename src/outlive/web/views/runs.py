"""The list of runs: a filter, counts by status, one page of rows."""

from __future__ import annotations

import asyncio
from base64 import b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest

from outlive.client import BadRequest, Unsupported, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import payloads, times
from outlive.web.views import status as statuses
from outlive.web.views.status import RUN_STATUSES, Status


@dataclass(frozen=True, slots=True)
class RunsQuery:
    """What is asked for. ``filter`` is a list filter; ``page`` a token of an earlier answer."""

    namespace: str
    filter: str = ""
    status: Status | None = None
    page: str = ""

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

    @property
    def live(self) -> bool:
        """Whether the list follows the server: its first page does; later ones would move."""
        return not self.query.page and not self.problem


def quoted(text: str) -> str:
    """The text as a string of a list filter."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


async def load(client: WorkflowServiceClient, query: RunsQuery, now: Callable[[], datetime]) -> RunsView:
    """Ask the server. Raises RpcError for all but a bad filter, which the page itself shows."""
    counts, listed = await asyncio.gather(_counts(client, query), _rows(client, query, now), return_exceptions=True)
    if isinstance(listed, BadRequest) and query.filter:
        empty = [replace(c, count=None) for c in _unknown(query)]
        return RunsView(query, [], empty, "", _plain(listed.message), client.address)
    if isinstance(listed, BaseException):
        raise listed
    if isinstance(counts, BaseException):
        raise counts
    rows, next_page = listed
    return RunsView(query, rows, counts, next_page, "", client.address)


def _plain(message: str) -> str:
    return message.removeprefix("invalid query: ")


async def _rows(
    client: WorkflowServiceClient, query: RunsQuery, now: Callable[[], datetime]
) -> tuple[list[RunRow], str]:
    answer = await client.list_workflow_executions(
        ListWorkflowExecutionsRequest(
            namespace=query.namespace,
            query=query.text,
            page_size=bounds.RUNS_PAGE,
            next_page_token=_token(query.page),
        )
    )
    at = now()
    rows = [row(info, at) for info in answer.executions]
    return rows, urlsafe_b64encode(answer.next_page_token).decode()


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
    )


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
