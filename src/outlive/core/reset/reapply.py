"""What happened after the point of a reset, applied once more to the new run.

Rules (all of them live in this file)
- Signals, accepted or admitted updates, and changed options, of the base run and of the runs that it
  continued as. The caller may leave out signals or updates.
- An update becomes an admitted one: a worker decides on it anew.
- What became of the children, signals and cancel requests that were initiated before the point: it has
  happened, and will not happen again. So the new run takes over a child that runs.
- Not: cancel requests of clients, pauses, and all that a worker did.
- A signal or update whose id the new run has already is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from temporalio.api.enums.v1 import EventType, ResetReapplyExcludeType, ResetReapplyType, UpdateAdmittedEventOrigin
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionUpdateAdmittedEventAttributes
from temporalio.api.update.v1 import Request

from outlive.core.replay import replay
from outlive.core.transition import Transition
from outlive.errors import InvalidArgument

E = EventType
X = ResetReapplyExcludeType
_EVERYTHING: Final = frozenset(X.values())

OUTCOMES: Final = frozenset(
    {
        E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED,
        E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
        E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
    }
)
"""What became of something that the workflow asked another one for."""


def excluded(
    kind: ResetReapplyType.ValueType, exclude: Collection[ResetReapplyExcludeType.ValueType]
) -> frozenset[int]:
    """What the caller leaves out, by the list and by the older type. Raises InvalidArgument."""
    if kind == ResetReapplyType.RESET_REAPPLY_TYPE_NONE:
        return _EVERYTHING
    if kind == ResetReapplyType.RESET_REAPPLY_TYPE_SIGNAL:
        return frozenset((*exclude, X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE))
    if kind not in ResetReapplyType.values():
        raise InvalidArgument(f"unknown reset reapply type: {kind}")
    return frozenset(exclude)


def relevant(event: HistoryEvent, *, of_base: bool) -> bool:
    """Whether the event may be applied again; `of_base`: it is of the base run, not of one after it."""
    return event.event_type in _HANDLERS or (of_base and event.event_type in OUTCOMES)


def reapply(t: Transition, event: HistoryEvent, exclude: Collection[int]) -> None:
    """Apply one relevant event."""
    attributes = getattr(event, event.WhichOneof("attributes") or "")
    if event.event_type in OUTCOMES:
        _outcome(t, event, attributes)
    else:
        _HANDLERS[event.event_type](t, event, attributes, exclude)


def _write(t: Transition, kind: EventType.ValueType, attributes: Any, like: HistoryEvent) -> None:
    """Write an event like the one that was there, and let it say what it says."""
    t.add(
        kind,
        attributes,
        links=like.links,
        user_metadata=like.user_metadata if like.HasField("user_metadata") else None,
        worker_may_ignore=like.worker_may_ignore,
    )
    t.flush()
    replay.HANDLERS[kind](t.state, t.state.info.next_event_id - 1, t.now, attributes)


def _signaled(t: Transition, event: HistoryEvent, attributes: Any, exclude: Collection[int]) -> None:
    known = attributes.request_id and attributes.request_id in t.state.requests
    if X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL not in exclude and not known:
        _write(t, event.event_type, attributes, event)


def _admitted(t: Transition, event: HistoryEvent, attributes: Any, exclude: Collection[int]) -> None:
    _admit(t, event, attributes.request, exclude)


def _accepted(t: Transition, event: HistoryEvent, attributes: Any, exclude: Collection[int]) -> None:
    if attributes.HasField("accepted_request"):  # else an event admitted it, which is applied again itself
        _admit(t, event, attributes.accepted_request, exclude)


def _admit(t: Transition, event: HistoryEvent, request: Request, exclude: Collection[int]) -> None:
    if X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE in exclude or request.meta.update_id in t.state.updates:
        return
    admitted = WorkflowExecutionUpdateAdmittedEventAttributes(
        request=request, origin=UpdateAdmittedEventOrigin.UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY
    )
    _write(t, E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED, admitted, event)


def _options_updated(t: Transition, event: HistoryEvent, attributes: Any, exclude: Collection[int]) -> None:
    known = attributes.attached_request_id and attributes.attached_request_id in t.state.requests
    if exclude != _EVERYTHING and not known:
        _write(t, event.event_type, attributes, event)


def _outcome(t: Transition, event: HistoryEvent, attributes: Any) -> None:
    key, state = attributes.initiated_event_id, t.state
    child = state.children.get(key)
    if child is None and key not in state.signals and key not in state.cancels:
        return  # it was initiated after the point
    own = type(attributes)()
    own.CopyFrom(attributes)
    if child is not None and child.started_event_id and hasattr(own, "started_event_id"):
        own.started_event_id = child.started_event_id
    _write(t, event.event_type, own, event)


_HANDLERS: Mapping[int, Callable[[Transition, HistoryEvent, Any, Collection[int]], None]] = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: _signaled,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: _admitted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: _accepted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: _options_updated,
}
