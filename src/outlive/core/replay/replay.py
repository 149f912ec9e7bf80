"""Building the state of a run again from its history, event by event.

Rules (all of them live in this package)
- An event says what it means to the state in one function, which is used when it happens as well, where
  the two are more than a line: `runs.started`, `tracking.task_completed`, `activity.row_of` and the like.
- History does not have everything: attempts of pending activities, retries of failed workflow tasks,
  heartbeats and buffered events are not in it. What is rebuilt is what a worker could know.
- Every type of event has its place in `HANDLERS` or in `NOTHING`, so that a new one is not forgotten.
- Where history says that a reset began, the run is another from there on; what is pending until then was
  asked for by the run before.
"""

from __future__ import annotations

from collections.abc import Iterable

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from outlive.core import deadlines
from outlive.core.replay import activities, others, requests, runs, tasks
from outlive.core.replay.base import Handlers
from outlive.core.state import Start, State

E = EventType
HANDLERS: Handlers = {
    **runs.HANDLERS,
    **tasks.HANDLERS,
    **activities.HANDLERS,
    **others.HANDLERS,
    **requests.HANDLERS,
}

NOTHING = frozenset(
    {
        E.EVENT_TYPE_MARKER_RECORDED,
        E.EVENT_TYPE_ACTIVITY_TASK_STARTED,  # written with the event that closes the activity
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_REJECTED,  # never written
        E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED_EXTERNALLY,
        E.EVENT_TYPE_ACTIVITY_PROPERTIES_MODIFIED_EXTERNALLY,
        # Nexus operations are not built into this server yet
        E.EVENT_TYPE_NEXUS_OPERATION_SCHEDULED,
        E.EVENT_TYPE_NEXUS_OPERATION_STARTED,
        E.EVENT_TYPE_NEXUS_OPERATION_COMPLETED,
        E.EVENT_TYPE_NEXUS_OPERATION_FAILED,
        E.EVENT_TYPE_NEXUS_OPERATION_CANCELED,
        E.EVENT_TYPE_NEXUS_OPERATION_TIMED_OUT,
        E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUESTED,
        E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_COMPLETED,
        E.EVENT_TYPE_NEXUS_OPERATION_CANCEL_REQUEST_FAILED,
    }
)


def apply(state: State, event: HistoryEvent) -> None:
    """Take the event into the state, as one that is written."""
    info = state.info
    info.next_event_id = event.event_id + 1
    info.history_size += event.ByteSize()
    handler = HANDLERS.get(event.event_type)
    if handler is not None:
        attributes = getattr(event, event.WhichOneof("attributes") or "")
        handler(state, event.event_id, event.event_time.ToNanoseconds(), attributes)


def finish(state: State) -> None:
    """The history is over: fill in what can only be said then."""
    others.settle_requests(state, state.start.run_id)
    state.activity_ids = {row.activity_id: row.scheduled_event_id for row in state.activities}
    deadlines.rebuild(state)


def rebuild(start: Start, events: Iterable[HistoryEvent]) -> State:
    """The state of the run that `start` is of, after these events: its history from the first on."""
    state = State(start=start)
    for event in events:
        apply(state, event)
    finish(state)
    return state
