"""Task queues: those that open runs wait in, with who polls them and how much waits."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from temporalio.api.enums.v1 import TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, ListWorkflowExecutionsRequest

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import times

_KINDS = (
    ("workflow", TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW),
    ("activity", TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY),
)


@dataclass(frozen=True, slots=True)
class Poller:
    """A worker that polls. ``gone``: it has not for longer than a poll takes."""

    identity: str
    kind: str
    last: datetime | None
    rate: float
    build: str
    gone: bool


@dataclass(frozen=True, slots=True)
class QueueRow:
    """One queue. ``backlog`` are tasks that wait, by kind; ``age`` the oldest's, in seconds."""

    name: str
    open_runs: int
    workers: int
    backlog: int
    age: float
    added: float
    taken: float
    lonely: bool


@dataclass(frozen=True, slots=True)
class QueuesView:
    """The list. ``read`` runs were looked at to find the queues."""

    namespace: str
    rows: list[QueueRow]
    read: int


@dataclass(frozen=True, slots=True)
class QueueView:
    """One queue."""

    namespace: str
    row: QueueRow
    pollers: list[Poller]


async def load(client: WorkflowServiceClient, namespace: str, now: Callable[[], datetime]) -> QueuesView:
    """Ask the server for the queues of its newest runs. Raises RpcError."""
    request = ListWorkflowExecutionsRequest(namespace=namespace, page_size=bounds.VALUES_RUNS)
    found = (await client.list_workflow_executions(request)).executions
    open_runs = Counter(info.task_queue for info in found if not info.HasField("close_time"))
    names = list(dict.fromkeys(info.task_queue for info in found if info.task_queue))[: bounds.QUEUES_SHOWN]
    views = await asyncio.gather(*(one(client, namespace, name, now, open_runs[name]) for name in names))
    rows = sorted((view.row for view in views), key=lambda row: (not row.lonely, row.name))
    return QueuesView(namespace, rows, len(found))


async def one(
    client: WorkflowServiceClient, namespace: str, name: str, now: Callable[[], datetime], open_runs: int = 0
) -> QueueView:
    """One queue. Raises RpcError."""
    answers = await asyncio.gather(
        *(
            client.describe_task_queue(
                DescribeTaskQueueRequest(
                    namespace=namespace,
                    task_queue=TaskQueue(name=name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
                    task_queue_type=kind,
                    report_stats=True,
                )
            )
            for _, kind in _KINDS
        )
    )
    at = now()
    pollers = [
        _poller(poller, words, at)
        for (words, _), answer in zip(_KINDS, answers, strict=True)
        for poller in answer.pollers
    ]
    stats = [answer.stats for answer in answers]
    workers = len({poller.identity for poller in pollers if not poller.gone})
    backlog = sum(stat.approximate_backlog_count for stat in stats)
    row = QueueRow(
        name=name,
        open_runs=open_runs,
        workers=workers,
        backlog=backlog,
        age=max(times.seconds(stat.approximate_backlog_age) for stat in stats),
        added=sum(stat.tasks_add_rate for stat in stats),
        taken=sum(stat.tasks_dispatch_rate for stat in stats),
        lonely=not workers and bool(open_runs or backlog),
    )
    return QueueView(namespace, row, sorted(pollers, key=lambda poller: (poller.gone, poller.identity, poller.kind)))


def _poller(poller: Any, kind: str, now: datetime) -> Poller:
    last = times.moment(poller.last_access_time)
    build = poller.deployment_options.build_id or poller.worker_version_capabilities.build_id
    gone = (times.between(last, now) or 0.0) > bounds.POLLER_GONE
    return Poller(poller.identity, kind, last, poller.rate_per_second, build, gone)
