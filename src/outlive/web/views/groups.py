"""Groups of events: what belongs together and makes one bar of the timeline.

An activity is three events, a child workflow four, a signal one. Which event opens a group, which goes on
with it and which closes it is data here (``OPEN``, ``START``, ``CANCEL``, ``CLOSE``, ``POINT``); ``fold``
looks it up.
An event type that no table knows opens nothing: it is in the history list all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from outlive.web.views import failures, payloads, times
from outlive.web.views.status import Status

Kind = Literal[
    "activity",
    "local activity",
    "timer",
    "child",
    "signal",
    "update",
    "nexus",
    "external",
    "marker",
    "task",
    "run",
]


@dataclass(frozen=True, slots=True)
class RunLink:
    """Another run. An empty ``run_id`` means the latest of that workflow id."""

    namespace: str
    workflow_id: str
    run_id: str


@dataclass(slots=True)
class Group:
    """Events that belong together. ``ended`` is None while it is open; ``note`` is one line about it;
    ``reset_at`` the workflow task to reset to, to come here again (0: there is none)."""

    id: int
    kind: Kind
    name: str
    status: Status
    scheduled: datetime
    started: datetime | None = None
    ended: datetime | None = None
    note: str = ""
    key: str = ""
    attempt: int = 0
    max_attempts: int = 0
    failure: str = ""
    next_attempt: datetime | None = None
    link: RunLink | None = None
    events: list[int] = field(default_factory=list)
    reset_at: int = 0


def _summary(event: HistoryEvent) -> str:
    return payloads.text_of(event.user_metadata.summary)


def _open_activity(event: HistoryEvent, a: Any) -> dict[str, Any]:
    return {
        "name": a.activity_type.name,
        "key": a.activity_id,
        "note": _summary(event) or payloads.line(a.input.payloads),
        "max_attempts": a.retry_policy.maximum_attempts,
        "status": Status.SCHEDULED,
    }


def _open_timer(event: HistoryEvent, a: Any) -> dict[str, Any]:
    wait = times.span(times.seconds(a.start_to_fire_timeout))
    return {"name": f"Timer {wait}", "key": a.timer_id, "note": _summary(event)}


def _open_child(event: HistoryEvent, a: Any) -> dict[str, Any]:
    link = RunLink(a.namespace, a.workflow_id, "")
    return {
        "name": a.workflow_type.name,
        "key": a.workflow_id,
        "note": _summary(event) or a.workflow_id,
        "status": Status.SCHEDULED,
        "link": link,
    }


def _open_update(event: HistoryEvent, a: Any) -> dict[str, Any]:
    request = a.accepted_request
    return {
        "name": request.input.name,
        "key": request.meta.update_id,
        "note": payloads.line(request.input.args.payloads),
    }


def _open_nexus(event: HistoryEvent, a: Any) -> dict[str, Any]:
    return {
        "name": f"{a.service}.{a.operation}",
        "note": _summary(event) or a.endpoint,
        "status": Status.SCHEDULED,
    }


def _open_external(verb: str) -> Callable[[HistoryEvent, Any], dict[str, Any]]:
    def opened(event: HistoryEvent, a: Any) -> dict[str, Any]:
        target = a.workflow_execution
        name = f"Signal {a.signal_name}" if verb == "signal" else "Request cancel"
        return {
            "name": name,
            "note": f"to {target.workflow_id}",
            "link": RunLink(a.namespace, target.workflow_id, target.run_id),
        }

    return opened


OPEN: Final[dict[int, tuple[Kind, Callable[[HistoryEvent, Any], dict[str, Any]]]]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: ("activity", _open_activity),
    EventType.EVENT_TYPE_TIMER_STARTED: ("timer", _open_timer),
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: ("child", _open_child),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: ("update", _open_update),
    EventType.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED: ("nexus", _open_nexus),
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: ("external", _open_external("signal")),
    EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: (
        "external",
        _open_external("cancel"),
    ),
}

# event type -> the attribute that names the event which opened the group
START: Final[dict[int, str]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED: "scheduled_event_id",
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: "initiated_event_id",
    EventType.EVENT_TYPE_NEXUS_OPERATION_STARTED: "scheduled_event_id",
}

CANCEL: Final[dict[int, str]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: "scheduled_event_id",
    EventType.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED: "scheduled_event_id",
}

CLOSE: Final[dict[int, tuple[str, Status]]] = {
    EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: ("scheduled_event_id", Status.COMPLETED),
    EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED: ("scheduled_event_id", Status.FAILED),
    EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: ("scheduled_event_id", Status.TIMED_OUT),
    EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED: ("scheduled_event_id", Status.CANCELED),
    EventType.EVENT_TYPE_TIMER_FIRED: ("started_event_id", Status.COMPLETED),
    EventType.EVENT_TYPE_TIMER_CANCELED: ("started_event_id", Status.CANCELED),
    EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", Status.FAILED),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: ("initiated_event_id", Status.COMPLETED),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", Status.FAILED),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: ("initiated_event_id", Status.CANCELED),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: ("initiated_event_id", Status.TIMED_OUT),
    EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: ("initiated_event_id", Status.TERMINATED),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: ("accepted_event_id", Status.COMPLETED),
    EventType.EVENT_TYPE_NEXUS_OPERATION_COMPLETED: ("scheduled_event_id", Status.COMPLETED),
    EventType.EVENT_TYPE_NEXUS_OPERATION_FAILED: ("scheduled_event_id", Status.FAILED),
    EventType.EVENT_TYPE_NEXUS_OPERATION_CANCELED: ("scheduled_event_id", Status.CANCELED),
    EventType.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT: ("scheduled_event_id", Status.TIMED_OUT),
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: ("initiated_event_id", Status.COMPLETED),
    EventType.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: ("initiated_event_id", Status.FAILED),
    EventType.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: (
        "initiated_event_id",
        Status.COMPLETED,
    ),
    EventType.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: (
        "initiated_event_id",
        Status.FAILED,
    ),
}

POINT: Final[dict[int, tuple[Kind, Status, Callable[[Any], tuple[str, str]]]]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: (
        "signal",
        Status.RECORDED,
        lambda a: (a.signal_name, payloads.line(a.input.payloads)),
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: (
        "run",
        Status.CANCELING,
        lambda a: ("Cancel requested", a.cause or (f"by {a.identity}" if a.identity else "")),
    ),
    EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED: (
        "task",
        Status.FAILED,
        lambda a: ("Workflow task failed", failures.headline(a.failure)),
    ),
    EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: (
        "task",
        Status.TIMED_OUT,
        lambda a: ("Workflow task timed out", "the worker did not answer in time"),
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: (
        "update",
        Status.RECORDED,
        lambda a: (f"{a.request.input.name} admitted", payloads.line(a.request.input.args.payloads)),
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_REJECTED: (
        "update",
        Status.FAILED,
        lambda a: (f"{a.rejected_request.input.name} rejected", failures.headline(a.failure)),
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED: ("run", Status.PAUSED, lambda a: ("Paused", a.reason)),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED: (
        "run",
        Status.RECORDED,
        lambda a: ("Unpaused", a.reason),
    ),
    EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: (
        "marker",
        Status.RECORDED,
        lambda a: ("Search attributes", ", ".join(sorted(a.search_attributes.indexed_fields))),
    ),
    EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: (
        "marker",
        Status.RECORDED,
        lambda a: ("Memo changed", ", ".join(sorted(a.upserted_memo.fields))),
    ),
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: (
        "run",
        Status.RECORDED,
        lambda a: ("Options updated", ""),
    ),
}

RUN_CLOSED: Final[dict[int, Status]] = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: Status.COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: Status.FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: Status.TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: Status.CANCELED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: Status.TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: Status.CONTINUED_AS_NEW,
}
