"""What all commands share: the task they come with, and how a bad one is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Priority, RetryPolicy
from temporalio.api.enums.v1 import TaskQueueKind, WorkflowTaskFailedCause
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue

from outlive.core import retry
from outlive.core.proto import ns_of
from outlive.core.transition import Transition
from outlive.errors import OutliveError
from outlive.limits import FAIRNESS_KEY_MAX, ID_LENGTH_MAX, TIMEOUT_MAX

Cause = WorkflowTaskFailedCause
RESERVED_QUEUE_PREFIX = "/_sys/"


class BadCommand(OutliveError):
    """A command that fails the whole workflow task. Nothing of the task is applied.

    `terminates`: the workflow cannot go on from it, such as a payload above the limit, and is terminated.
    """

    def __init__(self, cause: Cause.ValueType, problem: str = "", *, terminates: bool = False) -> None:
        name = Cause.Name(cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").title().replace("_", "")
        super().__init__(f"{name}: {problem}" if problem else name)
        self.cause = cause
        self.message = str(self)
        self.terminates = terminates


@dataclass(slots=True)
class CommandTask:
    """The workflow task whose commands are being applied."""

    t: Transition
    completed_event_id: int
    identity: str
    user_metadata: UserMetadata | None = None  # of the command at hand
    eager: list[int] = field(default_factory=list)  # scheduled event ids asked to be handed out at once
    needs_task: bool = False  # something ended within the task that the workflow must look at
    had_buffered: bool = False
    apply_message: Callable[[str], None] | None = None  # takes a PROTOCOL_MESSAGE command's message


def too_long(text: str) -> bool:
    return len(text.encode()) > ID_LENGTH_MAX


def negative(value: Duration) -> bool:
    return ns_of(value) < 0


def capped(value: Duration) -> int:
    """The span in nanoseconds, at most the longest that the server keeps."""
    return min(ns_of(value), TIMEOUT_MAX)


def queue_problem(name: str) -> str | None:
    """What is wrong with the name of a task queue that a command gives."""
    if not name:
        return "taskQueue is not set"
    if too_long(name):
        return "taskQueue length exceeds limit"
    if name.startswith(RESERVED_QUEUE_PREFIX):
        return "task queue name cannot start with reserved prefix /_sys/"
    return None


def normal_queue(name: str) -> TaskQueue:
    return TaskQueue(name=name, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL)


def queue_text(queue: TaskQueue) -> str:
    """As error messages of the protocol print it."""
    return f'name:"{queue.name}"  kind:TASK_QUEUE_KIND_NORMAL'


def checked_policy(policy: RetryPolicy) -> tuple[RetryPolicy, str | None]:
    """The policy with its defaults, and what is wrong with it."""
    return retry.with_defaults(policy), retry.problem(policy)


def priority_problem(priority: Priority) -> str | None:
    """What is wrong with a priority, in the protocol's words; None if nothing is."""
    if priority.priority_key < 0:
        return "priority key can't be negative"
    if len(priority.fairness_key.encode()) > FAIRNESS_KEY_MAX:
        return f"fairness key length exceeds limit: {len(priority.fairness_key.encode())} > {FAIRNESS_KEY_MAX}"
    return None
