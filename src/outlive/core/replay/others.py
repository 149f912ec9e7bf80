"""What the events about other workflows say: children, and signals and cancel requests sent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    ChildWorkflowExecutionStartedEventAttributes,
    StartChildWorkflowExecutionInitiatedEventAttributes,
)

from outlive.core.commands import other
from outlive.core.replay.base import Handlers
from outlive.core.state import Outgoing, State

E = EventType


def settle_requests(state: State, run_id: str) -> None:
    """What is pending was asked for by the run of that id, but for what an earlier run asked for."""
    for child in list(state.children):
        if not child.request_id:
            key = child.initiated_event_id
            state.children.put(key, replace(child, request_id=other.request_of(run_id, key)))
    for table in (state.signals, state.cancels):
        for row in list(table):
            if not row.request_id:
                key = row.initiated_event_id
                table.put(key, Outgoing(key, other.request_of(run_id, key)))


def _child_initiated(
    state: State, event_id: int, at: int, event: StartChildWorkflowExecutionInitiatedEventAttributes
) -> None:
    state.children.put(event_id, other.child_of(event, event_id, ""))


def _child_started(state: State, event_id: int, at: int, event: ChildWorkflowExecutionStartedEventAttributes) -> None:
    child = state.children.get(event.initiated_event_id)
    if child is not None:
        run_id = event.workflow_execution.run_id
        state.children.put(child.initiated_event_id, replace(child, run_id=run_id, started_event_id=event_id))


def _child_ended(state: State, event_id: int, at: int, event: Any) -> None:
    state.children.pop(event.initiated_event_id)


def _signal_initiated(state: State, event_id: int, at: int, event: Any) -> None:
    state.signals.put(event_id, Outgoing(event_id, ""))


def _signal_ended(state: State, event_id: int, at: int, event: Any) -> None:
    state.signals.pop(event.initiated_event_id)


def _cancel_initiated(state: State, event_id: int, at: int, event: Any) -> None:
    state.cancels.put(event_id, Outgoing(event_id, ""))


def _cancel_ended(state: State, event_id: int, at: int, event: Any) -> None:
    state.cancels.pop(event.initiated_event_id)


CHILD_ENDS = (
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED,
)
HANDLERS: Handlers = {
    E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: _child_initiated,
    E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: _child_started,
    **dict.fromkeys(CHILD_ENDS, _child_ended),
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _signal_initiated,
    E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: _signal_ended,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: _signal_ended,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _cancel_initiated,
    E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: _cancel_ended,
    E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: _cancel_ended,
}
