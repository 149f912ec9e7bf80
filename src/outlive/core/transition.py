"""One decision on one execution: what it reads, the events it writes, the effects it asks for.

Rules of the event store (all of them live in this file)
- An event of a kind in `IN_ORDER` gets its id at once. Every other event goes to the buffer.
- The buffer is flushed, in order but with the ends of activities and children last, when a workflow
  task is scheduled, and at the end of a transition that leaves no workflow task with a worker.
- So what happens while a worker has a workflow task comes after that task's Completed event.
- Ids that a buffered event refers to (its own Started event) are filled in when it is flushed.
- What is still buffered when the run closes is dropped, except where the close itself flushes first.
- Whatever is written while a speculative workflow task is pending makes that task a normal one first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType, IndexedValueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata

from outlive.core import task_events
from outlive.core.effects import Effect
from outlive.core.proto import timestamp
from outlive.core.queue_routing import NO_ROUTES, Routes
from outlive.core.state import BUFFERED, State, TaskKind, TaskState
from outlive.limits import ExecutionLimits

E = EventType
_NAME = {number: name.removeprefix("EVENT_TYPE_").lower() for name, number in EventType.items()}
_FIELD = {number: name + "_event_attributes" for number, name in _NAME.items()}

IN_ORDER = frozenset(
    {
        E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        E.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        E.EVENT_TYPE_WORKFLOW_TASK_FAILED,
        E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
        E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
        E.EVENT_TYPE_TIMER_STARTED,
        E.EVENT_TYPE_TIMER_CANCELED,
        E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        E.EVENT_TYPE_MARKER_RECORDED,
        E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        E.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
        E.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED,
        E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED,
    }
)

# Flushed after everything else, so that a workflow sees what led to an end before the end.
ENDS = frozenset(
    {
        E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        E.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        E.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED,
        E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED,
        E.EVENT_TYPE_NEXUS_OPERATION_FAILED,
        E.EVENT_TYPE_NEXUS_OPERATION_CANCELED,
        E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT,
    }
)


@dataclass(frozen=True, slots=True)
class Context:
    """What decisions in one namespace are given besides the state and the time."""

    new_id: Callable[[], str]
    new_key: Callable[[], int]  # the store's number for a new run
    limits: ExecutionLimits
    retention: int  # nanoseconds that a closed run is kept; 0 for ever
    attribute_types: Mapping[str, IndexedValueType.ValueType]  # of the namespace's search attributes
    namespace_id_of: Callable[[str], str]  # by name; raises NamespaceNotFound
    identity: str = "outlive"  # of the server, in events that it writes on its own account
    routes: Routes = NO_ROUTES  # which worker versions take new work


class Transition:
    """A decision under way on `state`. Functions of the core take one and write through it."""

    __slots__ = ("_flushed_started", "context", "effects", "limits", "now", "read_event", "state")

    def __init__(self, state: State, now: int, context: Context, read_event: Callable[[int], HistoryEvent]) -> None:
        self.state = state
        self.now = now
        self.context = context
        self.limits = context.limits
        self.read_event = read_event  # an event of this run's history, by id
        self.effects: list[Effect] = []
        self._flushed_started: dict[int, int] = {}

    # -- events

    def add(
        self,
        kind: EventType.ValueType,
        attributes: Any,
        *,
        links: Sequence[Link] = (),
        user_metadata: UserMetadata | None = None,
        worker_may_ignore: bool = False,
        principal: Any = None,
    ) -> int:
        """Write an event, now or to the buffer. Returns its id, or `BUFFERED`."""
        if self.state.info.task_kind == TaskKind.SPECULATIVE:
            task_events.write_pending(self)
        event = HistoryEvent(event_type=kind, event_time=timestamp(self.now), links=links)
        getattr(event, _FIELD[kind]).CopyFrom(attributes)
        if user_metadata is not None and (user_metadata.HasField("summary") or user_metadata.HasField("details")):
            event.user_metadata.CopyFrom(user_metadata)
        if worker_may_ignore:
            event.worker_may_ignore = True
        if kind in IN_ORDER:
            return self._append(event)
        self.state.buffered.append(event)
        self.state.buffer_changed = True
        return BUFFERED

    def append(self, kind: EventType.ValueType, attributes: Any, at: int) -> int:
        """Write an event of the past, of a kind that is written in order. Returns its id."""
        event = HistoryEvent(event_type=kind, event_time=timestamp(at))
        getattr(event, _FIELD[kind]).CopyFrom(attributes)
        return self._append(event)

    def _append(self, event: HistoryEvent) -> int:
        info = self.state.info
        event.event_id = info.next_event_id
        event.task_id = info.next_event_id
        info.next_event_id += 1
        info.history_size += event.ByteSize()
        self.state.unsaved.append(event)
        return event.event_id

    def flush(self) -> None:
        """Give the buffered events their ids."""
        state = self.state
        if not state.buffered:
            return
        events = [e for e in state.buffered if e.event_type not in ENDS]
        events += [e for e in state.buffered if e.event_type in ENDS]
        state.buffered = []
        state.buffer_changed = True
        for event in events:
            self._wire(event)

    def _wire(self, event: HistoryEvent) -> None:
        """Append one flushed event; fill in the ids that were not known when it was buffered."""
        attributes = getattr(event, _FIELD[event.event_type])
        if event.event_type in ENDS and attributes.started_event_id == BUFFERED:
            key = getattr(attributes, "scheduled_event_id", 0) or getattr(attributes, "initiated_event_id", 0)
            attributes.started_event_id = self._started_id(key)
        event_id = self._append(event)
        if event.event_type == E.EVENT_TYPE_ACTIVITY_TASK_STARTED:
            self._remember_started(attributes.scheduled_event_id, event_id)
        elif event.event_type == E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
            self._remember_started(attributes.initiated_event_id, event_id)
            child = self.state.children.get(attributes.initiated_event_id)
            if child is not None:
                self.state.children.put(child.initiated_event_id, replace(child, started_event_id=event_id))
        elif event.event_type in (
            E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
            E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
            E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        ):
            self._place_request(event, attributes, event_id)

    def _remember_started(self, key: int, event_id: int) -> None:
        self._flushed_started[key] = event_id

    def _started_id(self, key: int) -> int:
        return self._flushed_started.get(key, 0)

    def _place_request(self, event: HistoryEvent, attributes: Any, event_id: int) -> None:
        """Tell the request that was waiting for this event's id."""
        request_id = getattr(attributes, "request_id", "") or getattr(attributes, "attached_request_id", "")
        row = self.state.requests.get(request_id) if request_id else None
        if row is not None and row.event_id == BUFFERED and row.event_type == event.event_type:
            self.state.requests.put(request_id, replace(row, event_id=event_id))

    # -- effects

    def effect(self, effect: Effect) -> None:
        self.effects.append(effect)

    def finish(self) -> None:
        """Close the transition: flush what may be flushed, and count it."""
        state = self.state
        if not state.open:
            if state.buffered:
                state.buffered = []
                state.buffer_changed = True
        elif state.info.task_state != TaskState.STARTED:
            self.flush()
        state.info.transition_count += 1
