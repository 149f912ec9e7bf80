"""What many requests have in common: namespaces, ids, executions, queues, links."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Link, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import NamespaceState, TaskQueueKind
from temporalio.api.errordetails.v1 import NamespaceInvalidStateFailure
from temporalio.api.taskqueue.v1 import TaskQueue

from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.keys import Key
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace, Namespaces
from outlive.errors import FailedPrecondition, InvalidArgument
from outlive.limits import ID_LENGTH_MAX, LINK_SIZE_MAX, LINKS_MAX

T = TypeVar("T")
UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
REGISTERED = (NamespaceState.NAMESPACE_STATE_REGISTERED,)
IN_USE = (NamespaceState.NAMESPACE_STATE_REGISTERED, NamespaceState.NAMESPACE_STATE_DEPRECATED)
RESERVED_QUEUE = "/_sys/"
_INTERNAL_QUEUE = "temporal-sys-per-ns-tq"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a check is given besides the request."""

    namespace: Namespace
    call: Call
    now: int
    new_id: Callable[[], str]
    config: DynamicConfig

    def setting(self, key: Key[T]) -> T:
        """The key's value in the namespace."""
        return self.config.get(key, self.namespace.name)


def length(text: str) -> int:
    return len(text.encode())


def check_id(name: str, text: str) -> None:
    """Raises if a name is longer than any may be."""
    if length(text) > ID_LENGTH_MAX:
        raise InvalidArgument(f"{name} length exceeds limit.")


def check_length(name: str, text: str) -> None:
    """The same in the words of the protocol's newer checks, which give the length."""
    size = length(text)
    if size > ID_LENGTH_MAX:
        raise InvalidArgument(f"{name} exceeds maximum allowed length ({size}/{ID_LENGTH_MAX})")


def nothing(request: object, scope: Scope) -> None:
    """There is nothing to check: what the request may hold wrong is found where it is read."""


def check_namespace_name(name: str, absent: str) -> None:
    """Raises if the name is empty, in the words given, or longer than any may be."""
    if not name:
        raise InvalidArgument(absent)
    check_id("Namespace", name)


def checked_namespace(namespaces: Namespaces, name: str) -> Namespace:
    """The named namespace, if requests may use it."""
    check_namespace_name(name, "Namespace is empty.")
    namespace = namespaces.get(name)
    check_state(namespace, IN_USE)
    return namespace


def check_state(namespace: Namespace, allowed: Sequence[NamespaceState.ValueType]) -> None:
    """Raises if the namespace is in another state, in words and detail that clients know."""
    if namespace.state not in allowed:
        words = " or ".join(_said(state) for state in allowed)
        raise FailedPrecondition(
            f"Namespace has invalid state: {_said(namespace.state)}. Must be {words}.",
            NamespaceInvalidStateFailure(
                namespace=namespace.name,
                state=namespace.state,  # type: ignore[arg-type]
                allowed_states=allowed,
            ),
        )


def _said(state: int) -> str:
    return NamespaceState.Name(state).removeprefix("NAMESPACE_STATE_").title()  # type: ignore[arg-type]


def check_execution(execution: WorkflowExecution, present: bool) -> None:
    """A request's execution: an id, and a run id that is one."""
    if not present:
        raise InvalidArgument("Execution is not set on request.")
    if not execution.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    if execution.run_id and not UUID.fullmatch(execution.run_id):
        raise InvalidArgument("Invalid RunId.")


def check_queue(queue: TaskQueue, present: bool) -> None:
    """A task queue that clients and workers may use."""
    check_queue_name(queue, present)
    if queue.kind != TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        if queue.name.startswith(RESERVED_QUEUE):
            raise InvalidArgument("task queue name cannot start with reserved prefix /_sys/")
        if queue.name == _INTERNAL_QUEUE:
            raise InvalidArgument(f"cannot use internal per-namespace task queue:{queue.name}")


def check_queue_name(queue: TaskQueue, present: bool) -> None:
    """A task queue that may be asked about."""
    if not present:
        raise InvalidArgument("taskQueue is not set")
    if not queue.name:
        raise InvalidArgument("missing task queue name")
    if length(queue.name) > ID_LENGTH_MAX:
        raise InvalidArgument("taskQueue length exceeds limit")


def check_payloads(payloads: Payloads, scope: Scope) -> None:
    if payloads.ByteSize() >= scope.namespace.limits.payload_size_max:
        raise InvalidArgument("Blob data size exceeds limit.")


def duration_problem(value: Duration) -> str | None:
    """What is wrong with a span of time."""
    if value.seconds > 0 > value.nanos or value.seconds < 0 < value.nanos:
        return "duration has seconds and nanos with different signs"
    if value.seconds < 0 or value.nanos < 0:
        return "negative duration"
    return None


def check_links(links: Sequence[Link]) -> None:
    """Links are few, small, and whole."""
    if len(links) > LINKS_MAX:
        raise InvalidArgument(f"cannot attach more than {LINKS_MAX} links per request, got {len(links)}")
    for link in links:
        if link.ByteSize() > LINK_SIZE_MAX:
            raise InvalidArgument(f"link exceeds allowed size of {LINK_SIZE_MAX}, got {link.ByteSize()}")
        kind = link.WhichOneof("variant")
        if kind is None:
            raise InvalidArgument("unsupported link variant")
        if kind == "workflow_event":
            _check_event_link(link.workflow_event)


def _check_event_link(link: Link.WorkflowEvent) -> None:
    for name, value in (("namespace", link.namespace), ("workflow ID", link.workflow_id), ("run ID", link.run_id)):
        if not value:
            raise InvalidArgument(f"workflow event link must not have an empty {name} field")
    if link.event_ref.event_id and not link.event_ref.event_type:
        raise InvalidArgument("workflow event link ref cannot have an unspecified event type and a non-zero event ID")
