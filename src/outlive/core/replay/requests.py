"""What the events that clients' requests led to say: signals, cancel requests, updates, options, pauses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    WorkflowExecutionOptionsUpdatedEventAttributes,
    WorkflowExecutionPausedEventAttributes,
    WorkflowExecutionSignaledEventAttributes,
    WorkflowExecutionUpdateAcceptedEventAttributes,
    WorkflowExecutionUpdateAdmittedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
)

from outlive.core import options, pausing
from outlive.core.replay.base import Handlers
from outlive.core.state import Request, State, Update

E = EventType


def _signaled(state: State, event_id: int, at: int, event: WorkflowExecutionSignaledEventAttributes) -> None:
    state.info.signal_count += 1
    if event.request_id:
        kind = E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        state.requests.put(event.request_id, Request(event.request_id, kind, event_id))


def _cancel_requested(state: State, event_id: int, at: int, event: Any) -> None:
    state.info.cancel_requested = True


def _admitted(state: State, event_id: int, at: int, event: WorkflowExecutionUpdateAdmittedEventAttributes) -> None:
    update_id = event.request.meta.update_id
    state.updates.put(update_id, Update(update_id, 0, 0, event_id))


def _accepted(state: State, event_id: int, at: int, event: WorkflowExecutionUpdateAcceptedEventAttributes) -> None:
    update_id = event.protocol_instance_id
    row = state.updates.get(update_id)
    state.updates.put(update_id, Update(update_id, event_id, 0, row.admitted_event_id if row is not None else 0))


def _completed(state: State, event_id: int, at: int, event: WorkflowExecutionUpdateCompletedEventAttributes) -> None:
    row = state.updates.get(event.meta.update_id)
    if row is not None:
        state.updates.put(row.update_id, replace(row, completed_event_id=event_id))


def _options_updated(
    state: State, event_id: int, at: int, event: WorkflowExecutionOptionsUpdatedEventAttributes
) -> None:
    options.updated(state, event_id, at, event)


def _paused(state: State, event_id: int, at: int, event: WorkflowExecutionPausedEventAttributes) -> None:
    pausing.paused(state, at, event)


def _unpaused(state: State, event_id: int, at: int, event: Any) -> None:
    pausing.unpaused(state)


HANDLERS: Handlers = {
    E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: _signaled,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: _cancel_requested,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: _admitted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: _accepted,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: _completed,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: _options_updated,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_PAUSED: _paused,
    E.EVENT_TYPE_WORKFLOW_EXECUTION_UNPAUSED: _unpaused,
}
