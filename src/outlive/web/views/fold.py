"""The fold from a history's events, in order, to the groups that a timeline draws."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Final

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from outlive.web.views import failures, payloads, times
from outlive.web.views.groups import CANCEL, CLOSE, OPEN, POINT, RUN_CLOSED, START, Group, Kind, RunLink
from outlive.web.views.status import Status

_TASK_ENDS: Final = frozenset(
    {
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
    }
)
_LOCAL_ACTIVITY_MARKERS: Final = frozenset({"core_local_activity", "LocalActivity"})


def attributes(event: HistoryEvent) -> Any:
    """The event's own attributes message; None where it has none."""
    chosen = event.WhichOneof("attributes")
    return getattr(event, chosen) if chosen else None


class RunFold:
    """A history, event by event, as groups. Feed it events in order with :meth:`add`."""

    def __init__(self) -> None:
        self.groups: dict[int, Group] = {}
        self.first: HistoryEvent | None = None
        self.last: HistoryEvent | None = None
        self.closing: HistoryEvent | None = None
        self._task = 0  # the last workflow task that ended: a run can be reset to its end

    @property
    def last_id(self) -> int:
        """Id of the last event seen; 0 before the first."""
        return self.last.event_id if self.last is not None else 0

    def names(self) -> dict[int, str]:
        """What each event of a group is about, by event id."""
        return {event_id: group.name for group in self.groups.values() for event_id in group.events}

    def add(self, event: HistoryEvent) -> None:
        """Take the next event."""
        kind = event.event_type
        a = attributes(event)
        at = times.moment(event.event_time)
        self.first = self.first or event
        self.last = event
        if a is None or at is None:
            return
        if kind in _TASK_ENDS:
            self._task = event.event_id
        if kind in OPEN:
            self._open(event, a, at)
        elif kind in START:
            self._start(event, a, at)
        elif kind in CANCEL:
            self._touch(event, getattr(a, CANCEL[kind]), status=Status.CANCELING)
        elif kind in CLOSE:
            self._close(event, a, at)
        elif kind in POINT:
            self._point(event, a, at)
        elif kind == EventType.EVENT_TYPE_MARKER_RECORDED:
            self._marker(event, a, at)
        elif kind in RUN_CLOSED:
            self.closing = event

    def _open(self, event: HistoryEvent, a: Any, at: datetime) -> None:
        kind, describe = OPEN[event.event_type]
        values: dict[str, Any] = {"status": Status.RUNNING, **describe(event, a)}
        self._add(event, Group(event.event_id, kind, scheduled=at, **values))

    def _add(self, event: HistoryEvent, group: Group) -> None:
        group.events.append(event.event_id)
        group.reset_at = self._task
        self.groups[event.event_id] = group

    def _start(self, event: HistoryEvent, a: Any, at: datetime) -> None:
        group = self._touch(event, getattr(a, START[event.event_type]), status=Status.RUNNING, started=at)
        if group is None:
            return
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            group.attempt = a.attempt
            if a.HasField("last_failure"):
                group.failure = failures.headline(a.last_failure)
        elif event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED and group.link:
            child = a.workflow_execution
            group.link = RunLink(a.namespace or group.link.namespace, child.workflow_id, child.run_id)

    def _close(self, event: HistoryEvent, a: Any, at: datetime) -> None:
        opener, status = CLOSE[event.event_type]
        group = self._touch(event, getattr(a, opener), status=status, ended=at)
        if group is None:
            return
        if a.DESCRIPTOR.fields_by_name.get("failure") and a.HasField("failure"):
            group.failure = failures.headline(a.failure)
        elif "outcome" in a.DESCRIPTOR.fields_by_name and a.outcome.HasField("failure"):
            group.status = Status.FAILED
            group.failure = failures.headline(a.outcome.failure)

    def _touch(self, event: HistoryEvent, opener: int, **values: Any) -> Group | None:
        """Change the group that an event belongs to; None where its beginning was never seen."""
        group = self.groups.get(opener)
        if group is not None:
            group.events.append(event.event_id)
            for name, value in values.items():
                setattr(group, name, value)
        return group

    def _point(self, event: HistoryEvent, a: Any, at: datetime) -> None:
        kind, status, words = POINT[event.event_type]
        name, note = words(a)
        self._add(event, Group(event.event_id, kind, name, status, at, ended=at, note=note))

    def _marker(self, event: HistoryEvent, a: Any, at: datetime) -> None:
        kind: Kind = "marker"
        name, note = a.marker_name, ""
        status = Status.FAILED if a.HasField("failure") else Status.RECORDED
        if a.marker_name in _LOCAL_ACTIVITY_MARKERS:
            kind = "local activity"
            name = _local_activity_type(a) or "Local activity"
            status = Status.FAILED if a.HasField("failure") else Status.COMPLETED
            note = payloads.line(a.details["result"].payloads) if "result" in a.details else ""
        failure = failures.headline(a.failure) if a.HasField("failure") else ""
        self._add(event, Group(event.event_id, kind, name, status, at, ended=at, note=note, failure=failure))


def _local_activity_type(a: Any) -> str:
    """The type that an SDK wrote into its local activity's marker, if it can be read."""
    for key in ("data", "type"):
        for payload in a.details[key].payloads[:1] if key in a.details else ():
            try:
                value = json.loads(payload.data)
            except (ValueError, RecursionError):
                return ""
            if isinstance(value, dict):
                value = value.get("activity_type")
            return value if isinstance(value, str) else ""
    return ""
