"""What clients and other workflows ask of a run: signals and cancel requests.

Rules (all of them live in this file)
- A request id that the run has taken before changes nothing, and is answered as the first time.
- A signal leaves a start delay, cron or retry back-off as it is. A cancel request ends it.
- A second cancel request, and one for a closed run, is answered OK and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import Header, Link, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    WorkflowExecutionCancelRequestedEventAttributes,
    WorkflowExecutionSignaledEventAttributes,
)

from outlive.core import runs, workflow_task
from outlive.core.state import Request, State
from outlive.core.transition import Transition
from outlive.errors import InvalidArgument, NotFound

E = EventType
COMPLETED = "workflow execution already completed"


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal, from a client or from another workflow (`sender`)."""

    name: str
    input: Payloads | None
    identity: str
    request_id: str
    header: Header | None = None
    links: Sequence[Link] = ()
    sender: WorkflowExecution | None = None
    ends_start_delay: bool = False  # a second signal-with-start does


@dataclass(frozen=True, slots=True)
class Cancel:
    """A cancel request, from a client or from another workflow (`sender`)."""

    identity: str
    request_id: str
    reason: str = ""
    links: Sequence[Link] = ()
    sender: WorkflowExecution | None = None
    sender_initiated_event_id: int = 0


def require_open(state: State) -> None:
    """Raises NotFound, in the words that SDKs know, if the run has closed."""
    if not state.open:
        raise NotFound(COMPLETED)


def signal(t: Transition, signal: Signal) -> bool:
    """Record the signal and have a worker look at it. False if its request id was known."""
    state, info = t.state, t.state.info
    require_open(state)
    if signal.request_id and signal.request_id in state.requests:
        return False
    if info.signal_count >= t.limits.signals_max:
        raise InvalidArgument("exceeded workflow execution limit for signal events")
    info.signal_count += 1
    event_id = t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        WorkflowExecutionSignaledEventAttributes(
            signal_name=signal.name,
            input=signal.input,
            identity=signal.identity,
            header=signal.header,
            external_workflow_execution=signal.sender,
            request_id=signal.request_id,
        ),
        links=signal.links,
    )
    if signal.request_id:
        kind = E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        state.requests.put(signal.request_id, Request(signal.request_id, kind, event_id))
    _wake(t, ends_wait=signal.ends_start_delay)
    return True


def cancel(t: Transition, request: Cancel) -> bool:
    """Record the cancel request and have a worker look at it. False if that changes nothing."""
    state, info = t.state, t.state.info
    if not state.open or info.cancel_requested:
        return False
    info.cancel_requested = True
    info.cancel_request_id = request.request_id
    t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        WorkflowExecutionCancelRequestedEventAttributes(
            cause=request.reason,
            external_initiated_event_id=request.sender_initiated_event_id,
            external_workflow_execution=request.sender,
            identity=request.identity,
        ),
        links=request.links,
    )
    _wake(t, ends_wait=True)
    return True


def _wake(t: Transition, *, ends_wait: bool) -> None:
    if t.state.info.first_task_at:
        if ends_wait:
            runs.schedule_first_task(t)
        return
    workflow_task.schedule(t)
