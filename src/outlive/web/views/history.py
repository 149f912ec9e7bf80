"""A run's history: read in pages, listed event by event, each with its details."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest

from outlive.client import CALL_SECONDS, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import failures, fields, payloads, times
from outlive.web.views.fields import Fields
from outlive.web.views.fold import attributes
from outlive.web.views.groups import RunLink

_CATEGORIES: Final = (
    ("WorkflowTask", "task"),
    ("Activity", "activity"),
    ("Timer", "timer"),
    ("StartChildWorkflow", "child"),
    ("ChildWorkflow", "child"),
    ("WorkflowExecutionSignaled", "signal"),
    ("WorkflowExecutionUpdate", "update"),
    ("Nexus", "nexus"),
    ("Marker", "marker"),
    ("Upsert", "marker"),
    ("WorkflowProperties", "marker"),
    ("SignalExternal", "external"),
    ("RequestCancelExternal", "external"),
    ("External", "external"),
)


@dataclass(frozen=True, slots=True)
class EventRow:
    """One event. ``summary`` is its one line, ``since_start`` in seconds, ``raw`` the address of its JSON."""

    id: int
    type: str
    category: str
    time: datetime | None
    since_start: float | None
    summary: str
    bad: bool
    details: Fields
    raw: str


@dataclass(frozen=True, slots=True)
class HistoryWindow:
    """Consecutive events of a history. ``first`` and ``last`` are event ids; ``total`` counts all of them."""

    events: list[EventRow]
    first: int
    last: int
    total: int
    previous: int | None
    next: int | None
    latest: int | None


async def pages(
    client: WorkflowServiceClient, run: RunLink, *, wait: bool = False
) -> AsyncIterator[list[HistoryEvent]]:
    """The history in pages, oldest first. With ``wait`` it goes on with new events until the run is closed:
    an empty page then says that nothing came for a while. Raises RpcError."""
    request = GetWorkflowExecutionHistoryRequest(
        namespace=run.namespace,
        execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
        maximum_page_size=bounds.HISTORY_PAGE,
        wait_new_event=wait,
    )
    while True:
        timeout = bounds.HISTORY_WAIT if wait else CALL_SECONDS
        answer = await client.get_workflow_execution_history(request, timeout=timeout)
        yield list(answer.history.events)
        if not answer.next_page_token:
            return
        request.next_page_token = answer.next_page_token


async def find(client: WorkflowServiceClient, run: RunLink, event_id: int) -> HistoryEvent | None:
    """The event with this id."""
    async for page in pages(client, run):
        if page and page[-1].event_id >= event_id:
            return next((event for event in page if event.event_id == event_id), None)
    return None


def rows(
    events: Iterable[HistoryEvent], start: datetime | None, address: str, names: Mapping[int, str]
) -> list[EventRow]:
    """The events as lines. ``address`` is that of the run's page; each event's is below it. ``names`` has by
    event id what an event is about, for those that only refer to an earlier one."""
    return [_row(event, start, f"{address}/events/{event.event_id}", names.get(event.event_id, "")) for event in events]


def type_name(event: HistoryEvent) -> str:
    """``ActivityTaskScheduled`` for ``EVENT_TYPE_ACTIVITY_TASK_SCHEDULED``; the number for an unknown one."""
    if event.event_type not in EventType.values():
        return f"Event type {event.event_type}"
    name = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_")
    return name.replace("_", " ").title().replace(" ", "")


def _row(event: HistoryEvent, start: datetime | None, raw: str, about: str) -> EventRow:
    name = type_name(event)
    a = attributes(event)
    time = times.moment(event.event_time)
    return EventRow(
        id=event.event_id,
        type=name,
        category=next((category for prefix, category in _CATEGORIES if name.startswith(prefix)), "run"),
        time=time,
        since_start=times.between(start, time),
        summary=_summary(event, a, about),
        bad=name.endswith(("Failed", "TimedOut", "Terminated", "Rejected")),
        details=fields.view(a, f"{raw}/payloads") if a is not None else Fields(),
        raw=raw,
    )


# What names an event, then what it carries: the first two that are there make its line.
_NAMES: Final = (
    ("activity_type", "name"),
    ("signal_name",),
    ("marker_name",),
    ("accepted_request", "input", "name"),
    ("workflow_type", "name"),
    ("operation",),
    ("timer_id",),
    ("reason",),
    ("cause",),
)
_CARRIED: Final = ("input", "result", "details")


def _summary(event: HistoryEvent, a: Any, about: str) -> str:
    if a is None:
        return ""
    parts = [about or _named(a), payloads.text_of(event.user_metadata.summary)]
    known = a.DESCRIPTOR.fields_by_name
    if "failure" in known and a.HasField("failure"):
        parts.append(failures.headline(a.failure))
    else:
        carried = next((n for n in _CARRIED if n in known and hasattr(getattr(a, n), "payloads")), None)
        if carried and a.HasField(carried):
            parts.append(payloads.line(getattr(a, carried).payloads))
    if "attempt" in known and a.attempt > 1:
        parts.append(f"attempt {a.attempt}")
    return " · ".join(part for part in parts if part)


def _named(a: Any) -> str:
    for path in _NAMES:
        value = a
        for step in path:
            value = getattr(value, step, None)
            if value is None:
                break
        if isinstance(value, str) and value:
            return value
    return ""
