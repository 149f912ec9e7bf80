"""Failures as a chain: what happened first, what it caused, with the stack a reader may unfold."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure

from outlive.web import bounds
from outlive.web.views import payloads
from outlive.web.views.payloads import PayloadView


@dataclass(frozen=True, slots=True)
class FailureView:
    """One failure of the chain. ``title`` is its type or kind; ``cause`` is what it came from."""

    title: str
    message: str
    facts: list[str]
    stack: str
    details: list[PayloadView]
    cause: FailureView | None

    @property
    def chain(self) -> list[FailureView]:
        """From what happened first to what it became."""
        return [*self.cause.chain, self] if self.cause else [self]


def view(failure: Failure, depth: int = 0) -> FailureView:
    """The failure and what caused it."""
    cause = None
    if failure.HasField("cause") and depth < bounds.FAILURE_DEPTH:
        cause = view(failure.cause, depth + 1)
    stack = failure.stack_trace[: bounds.PREVIEW_RUN].strip("\n")
    return FailureView(_title(failure), failure.message, _facts(failure), stack, _details(failure), cause)


def headline(failure: Failure) -> str:
    """The innermost failure in one line: the words that say what went wrong, not which layer passed it on."""
    root = failure
    for _ in range(bounds.FAILURE_DEPTH):
        if not root.HasField("cause"):
            break
        root = root.cause
    title = _title(root)
    message = " ".join(root.message.split())
    text = message if title == "Failure" or message.startswith(title) else f"{title}: {message}"
    return text if len(text) <= 2 * bounds.PREVIEW_LINE else text[: 2 * bounds.PREVIEW_LINE - 1] + "…"


def _title(failure: Failure) -> str:
    info = failure.WhichOneof("failure_info")
    match info:
        case "application_failure_info":
            return failure.application_failure_info.type or "Failure"
        case "timeout_failure_info":
            kind = TimeoutType.Name(failure.timeout_failure_info.timeout_type)
            return f"Timed out ({_words(kind, 'TIMEOUT_TYPE_')})"
        case "activity_failure_info":
            return f"Activity {failure.activity_failure_info.activity_type.name}"
        case "child_workflow_execution_failure_info":
            return f"Child workflow {failure.child_workflow_execution_failure_info.workflow_type.name}"
        case "nexus_operation_execution_failure_info":
            return f"Nexus operation {failure.nexus_operation_execution_failure_info.operation}"
        case None:
            return "Failure"
        case _:
            return info.removesuffix("_failure_info").replace("_", " ").capitalize()


def _facts(failure: Failure) -> list[str]:
    facts: list[str] = []
    match failure.WhichOneof("failure_info"):
        case "application_failure_info" if failure.application_failure_info.non_retryable:
            facts.append("not retryable")
        case "activity_failure_info":
            info = failure.activity_failure_info
            facts.append(f"activity id {info.activity_id}")
            facts.append(_words(RetryState.Name(info.retry_state), "RETRY_STATE_"))
        case "child_workflow_execution_failure_info":
            child = failure.child_workflow_execution_failure_info
            facts.append(f"workflow id {child.workflow_execution.workflow_id}")
            facts.append(_words(RetryState.Name(child.retry_state), "RETRY_STATE_"))
        case _:
            pass
    if failure.source:
        facts.append(failure.source)
    return facts


def _details(failure: Failure) -> list[PayloadView]:
    match failure.WhichOneof("failure_info"):
        case "application_failure_info":
            found = failure.application_failure_info.details.payloads
        case "canceled_failure_info":
            found = failure.canceled_failure_info.details.payloads
        case "timeout_failure_info":
            found = failure.timeout_failure_info.last_heartbeat_details.payloads
        case _:
            return []
    return [payloads.view(one, bounds.PREVIEW_EVENT, f"details {at}") for at, one in enumerate(found)]


def _words(name: str, prefix: str) -> str:
    return name.removeprefix(prefix).replace("_", " ").lower()
