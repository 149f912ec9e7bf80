"""The HTTP request that tells of a run's end, as the Nexus protocol words it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import quote, urlencode

from google.protobuf.json_format import MessageToDict
from temporalio.api.common.v1 import Callback, Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import CanceledFailureInfo, Failure, TerminatedFailureInfo, TimeoutFailureInfo
from temporalio.api.history.v1 import HistoryEvent

from outlive import __version__
from outlive.core.callbacks import Outcome
from outlive.core.proto import timestamp
from outlive.core.state import State
from outlive.limits import SECOND

E = EventType
Headers = Sequence[tuple[str, str]]
_OURS: Final = frozenset(("host", "content-length", "transfer-encoding", "connection"))  # of the connection itself
_PROBLEMS: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "UNAUTHORIZED",
    404: "NOT_FOUND",
    408: "REQUEST_TIMEOUT",
    409: "CONFLICT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    501: "NOT_IMPLEMENTED",
    503: "UNAVAILABLE",
    520: "UPSTREAM_TIMEOUT",
}
_FINAL: Final = frozenset((400, 401, 403, 404, 409, 501))  # another attempt would fare no better


@dataclass(frozen=True, slots=True)
class Completion:
    """How a run ended: the state of the operation, and what goes with it."""

    state: str  # succeeded, failed or canceled
    content_type: str
    body: bytes


def outcome_of(status: int) -> Outcome:
    """What the status of an answer means."""
    if 200 <= status < 300:
        return Outcome()
    name = _PROBLEMS.get(status)
    problem = f"handler error ({name})" if name is not None else f"unexpected response status: {status}"
    return Outcome(problem, repeat=status not in _FINAL)


def request(callback: Callback.Nexus, state: State, completion: Completion) -> Headers:
    """The headers of the call; its body is the completion's."""
    close = state.info.close_time
    headers = [
        ("User-Agent", f"outlive/{__version__}"),
        ("Nexus-Operation-State", completion.state),
        ("Nexus-Operation-Start-Time", formatdate(state.start.start_time / SECOND, usegmt=True)),
        ("Nexus-Operation-Close-Time", _rfc3339(close)),
        ("Nexus-Link", _link(state)),
    ]
    if completion.content_type:
        headers.append(("Content-Type", completion.content_type))
    headers += [(name, value) for name, value in sorted(callback.header.items()) if name.lower() not in _OURS]
    return headers


def completion_of(event: HistoryEvent) -> Completion:
    """What a run's last event says of its end."""
    kind = event.event_type
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
        return _result(event.workflow_execution_completed_event_attributes.result)
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
        return _failure("failed", event.workflow_execution_failed_event_attributes.failure)
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
        details = event.workflow_execution_canceled_event_attributes.details
        info = CanceledFailureInfo(details=details if details.payloads else None)
        return _failure("canceled", Failure(message="operation canceled", canceled_failure_info=info))
    if kind == E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
        timed_out = Failure(message="operation exceeded internal timeout", timeout_failure_info=TimeoutFailureInfo())
        return _failure("failed", timed_out)
    terminated = Failure(message="operation terminated", terminated_failure_info=TerminatedFailureInfo())
    return _failure("failed", terminated)


def _result(result: Payloads) -> Completion:
    """The first payload: an operation has one result."""
    payload = next(iter(result.payloads), None)
    if payload is None:
        return Completion("succeeded", "", b"")
    return Completion("succeeded", *_content(payload))


def _content(payload: Payload) -> tuple[str, bytes]:
    """A payload's content type and content; whole, as a message, where no content type says as much."""
    metadata = {name: value.decode(errors="replace") for name, value in payload.metadata.items()}
    encoding, kind = metadata.pop("encoding", ""), metadata.pop("messageType", "")
    if not metadata and not payload.external_payloads:
        if not kind:
            if encoding == "json/plain":
                return "application/json", payload.data
            if encoding == "binary/plain":
                return "application/octet-stream", payload.data
            if encoding == "binary/null":
                return "", b""
        elif encoding == "json/protobuf" and _plain(kind):
            return f'application/json; format=protobuf; message-type="{kind}"', payload.data
        elif encoding == "binary/protobuf" and _plain(kind):
            return f'application/x-protobuf; message-type="{kind}"', payload.data
    return "application/x-temporal-payload", payload.SerializeToString()


def _plain(name: str) -> bool:
    return name.isascii() and name.replace(".", "").replace("_", "").isalnum()


def _failure(state: str, failure: Failure) -> Completion:
    details: dict[str, Any] = MessageToDict(failure)
    message = details.pop("message", "")
    body = {"message": message, "metadata": {"type": Failure.DESCRIPTOR.full_name}, "details": details}
    return Completion(state, "application/json", json.dumps(body, separators=(",", ":")).encode())


def _link(state: State) -> str:
    """A link to the run's first event."""
    start = state.start
    parts = (quote(part, safe="") for part in (start.namespace, start.workflow_id, start.run_id))
    namespace, workflow_id, run_id = parts
    query = urlencode({"eventID": 1, "eventType": "WorkflowExecutionStarted", "referenceType": "EventReference"})
    address = f"temporal:///namespaces/{namespace}/workflows/{workflow_id}/{run_id}/history?{query}"
    return f'<{address}>; type="temporal.api.common.v1.Link.WorkflowEvent"'


def _rfc3339(nanoseconds: int) -> str:
    return timestamp(nanoseconds).ToJsonString()
