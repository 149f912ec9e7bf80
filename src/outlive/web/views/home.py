"""The first page: what failed lately, what is blocked, what waits for a person, what runs next, what was spent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeTaskQueueRequest,
    ListSchedulesRequest,
    ListWorkflowExecutionsRequest,
)

from outlive.client import BadRequest, Refused, Unsupported, WorkflowServiceClient
from outlive.ledger.errors import LedgerError
from outlive.ledger.interface import Ledger
from outlive.ledger.types import NANO, Approval, BudgetUse, Filter
from outlive.web import bounds
from outlive.web.views import runs, times
from outlive.web.views.runs import RunRow

_BAD = "ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated')"


@dataclass(frozen=True, slots=True)
class Waiting:
    """Something that waits for a person."""

    id: str
    title: str
    workflow_id: str
    run_id: str
    assignee: str
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class Next:
    """The next start of a schedule."""

    schedule_id: str
    workflow_type: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Spent:
    """A budget's use in its period; ``share`` is of its hard limit, None without one."""

    name: str
    period: str
    unit: str
    used: float
    limit: float | None
    share: float | None


@dataclass(frozen=True, slots=True)
class HomeView:
    """The page. ``lonely`` are queues with open runs and no worker. ``spent_today`` is None without a ledger."""

    namespace: str
    running: int | None
    failed_count: int | None
    failed_query: str
    failed: list[RunRow]
    failing_code: list[RunRow]
    lonely: list[str]
    approvals: list[Waiting]
    next: list[Next]
    spent_today: float | None
    budgets: list[Spent]
    address: str


async def load(
    client: WorkflowServiceClient, ledger: Ledger | None, namespace: str, now: Callable[[], datetime]
) -> HomeView:
    """Ask the server and the ledger. Raises RpcError; without the ledger's answer its parts are empty."""
    at = now()
    since = (at - timedelta(days=1)).replace(minute=0, second=0, microsecond=0)
    query = f"{_BAD} AND CloseTime > '{times.iso(since)}'"
    by_status, failed, broken, open_runs, coming, money = await asyncio.gather(
        _counts(client, namespace, since),
        _listed(client, namespace, query),
        _listed(client, namespace, "ExecutionStatus = 'Running' AND TemporalReportedProblems IS NOT NULL"),
        _listed(client, namespace, "ExecutionStatus = 'Running'", bounds.VALUES_RUNS),
        _next(client, namespace),
        _ledger(ledger, namespace, at),
    )
    queues = list(dict.fromkeys(row.task_queue for row in open_runs))[: bounds.HOME_QUEUES]
    polled = await asyncio.gather(*(_polled(client, namespace, queue, at) for queue in queues))
    approvals, today, budgets = money
    return HomeView(
        namespace=namespace,
        running=by_status[0],
        failed_count=by_status[1],
        failed_query=query,
        failed=failed,
        failing_code=broken,
        lonely=[queue for queue, one in zip(queues, polled, strict=True) if not one],
        approvals=[_waiting(one) for one in approvals],
        next=coming,
        spent_today=today,
        budgets=[spent(one) for one in budgets],
        address=client.address,
    )


def without_clock(view: HomeView) -> HomeView:
    """The page without what changes by itself."""
    return replace(view, failing_code=[replace(row, seconds=None) for row in view.failing_code])


async def _counts(client: WorkflowServiceClient, namespace: str, since: datetime) -> tuple[int | None, int | None]:
    """How many run, and how many failed lately."""
    queries = ("ExecutionStatus = 'Running'", f"{_BAD} AND CloseTime > '{times.iso(since)}'")
    try:
        answers = await asyncio.gather(
            *(
                client.count_workflow_executions(CountWorkflowExecutionsRequest(namespace=namespace, query=query))
                for query in queries
            )
        )
    except (BadRequest, Unsupported):
        return None, None
    return answers[0].count, answers[1].count


async def _listed(
    client: WorkflowServiceClient, namespace: str, query: str, size: int = bounds.HOME_ROWS
) -> list[RunRow]:
    request = ListWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=size)
    try:
        answer = await client.list_workflow_executions(request)
    except BadRequest:  # a server that does not know the attribute
        return []
    at = datetime.now(UTC)
    return [runs.row(info, at) for info in answer.executions[:size]]


async def _polled(client: WorkflowServiceClient, namespace: str, queue: str, now: datetime) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=namespace,
        task_queue=TaskQueue(name=queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
    )
    pollers = (await client.describe_task_queue(request)).pollers
    return any((times.between(times.moment(one.last_access_time), now) or 0.0) < bounds.POLLER_GONE for one in pollers)


async def _next(client: WorkflowServiceClient, namespace: str) -> list[Next]:
    """The next starts of schedules that are not paused, soonest first."""
    request = ListSchedulesRequest(namespace=namespace, maximum_page_size=bounds.HOME_SCHEDULES)
    try:
        answer = await client.list_schedules(request)
    except (Refused, Unsupported):
        return []
    found = []
    for one in answer.schedules:
        at = next((times.moment(time) for time in one.info.future_action_times), None)
        if at is not None and not one.info.paused:
            found.append(Next(one.schedule_id, one.info.workflow_type.name, at))
    return sorted(found, key=lambda one: one.at)[: bounds.HOME_ROWS]


async def _ledger(
    ledger: Ledger | None, namespace: str, now: datetime
) -> tuple[list[Approval], float | None, list[BudgetUse]]:
    """Open questions, dollars since midnight (UTC), budgets."""
    if ledger is None:
        return [], None, []
    midnight = int(now.replace(hour=0, minute=0, second=0, microsecond=0).timestamp() * 1000)
    try:
        questions, costs, budgets = await asyncio.gather(
            ledger.approvals(namespace=namespace, state="open"),
            ledger.costs("namespace", Filter(namespace=namespace, since=midnight)),
            ledger.budgets(),
        )
    except LedgerError:
        return [], None, []
    return questions[: bounds.HOME_ROWS], sum(row.cost for row in costs) / NANO, budgets[: bounds.HOME_ROWS]


def _waiting(one: Approval) -> Waiting:
    until = datetime.fromtimestamp(one.deadline / 1000, UTC) if one.deadline else None
    return Waiting(one.id, one.title, one.workflow_id, one.run, one.assignee, until)


def spent(use: BudgetUse) -> Spent:
    """A budget as it stands, in dollars or tokens."""
    unit = NANO if use.budget.unit == "usd" else 1
    limit = use.budget.hard or use.budget.soft
    scope = " ".join(f"{label}={value}" for label, value in sorted(use.scope.items()))
    return Spent(
        name=f"{use.budget.name} {scope}".strip(),
        period=use.budget.period,
        unit=use.budget.unit,
        used=use.spent / unit,
        limit=limit / unit if limit else None,
        share=use.spent / limit if limit else None,
    )
