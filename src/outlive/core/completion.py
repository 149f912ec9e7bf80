"""RespondWorkflowTaskCompleted: applying the commands of a workflow task, all of them or none.

Rules (all of them live in this file)
- An unknown command, or one after a command that closes the workflow, is refused and changes nothing.
- Any other bad command fails the task with its cause, and the next task is scheduled. If the task was a
  retry already, nothing is written: it is left to time out, which paces the retries.
- A command that can never succeed (a payload above the limit) terminates the workflow.
- After the commands: a new task if something came while the worker was busy, if the worker asks for one,
  if a command ended something that the workflow must see, or if the run still moves to another version.
- The next task goes out with the answer only to a worker of the version that the run is on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, EventType, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import WorkflowTaskCompletedEventAttributes
from temporalio.api.update.v1 import Rejection
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.core import activities, close, task_events, tracking, updates, versioning, workflow_task
from outlive.core.commands import activity, other, properties, timer, workflow
from outlive.core.commands.base import BadCommand, CommandTask
from outlive.core.decision import rollback
from outlive.core.proto import copy_fields, ns_of
from outlive.core.state import PAUSED, TaskKind, TaskState
from outlive.core.transition import Transition
from outlive.core.updates import Known, Session
from outlive.core.version_names import of_worker, stamped
from outlive.errors import FailedPrecondition, InvalidArgument, NotFound, ServiceError
from outlive.limits import WORKFLOW_TASK_HEARTBEAT_TOTAL

C = CommandType
Handler = Callable[[CommandTask, Any], None]

# Command -> (field of its attributes, handler)
HANDLERS: dict[CommandType.ValueType, tuple[str, Handler]] = {
    C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: ("schedule_activity_task", activity.schedule),
    C.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: ("request_cancel_activity_task", activity.request_cancel),
    C.COMMAND_TYPE_START_TIMER: ("start_timer", timer.start),
    C.COMMAND_TYPE_CANCEL_TIMER: ("cancel_timer", timer.cancel),
    C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION: ("complete_workflow_execution", workflow.complete),
    C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION: ("fail_workflow_execution", workflow.fail),
    C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION: ("cancel_workflow_execution", workflow.cancel),
    C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: (
        "continue_as_new_workflow_execution",
        workflow.continue_as_new,
    ),
    C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: ("start_child_workflow_execution", other.start_child),
    C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: ("signal_external_workflow_execution", other.signal),
    C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: (
        "request_cancel_external_workflow_execution",
        other.cancel,
    ),
    C.COMMAND_TYPE_RECORD_MARKER: ("record_marker", properties.record_marker),
    C.COMMAND_TYPE_PROTOCOL_MESSAGE: ("protocol_message", properties.protocol_message),
    C.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: (
        "upsert_workflow_search_attributes",
        properties.upsert_search_attributes,
    ),
    C.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: ("modify_workflow_properties", properties.modify_properties),
}

CLOSING = frozenset(
    {
        C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
        C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
        C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
    }
)

_BAD_CAUSE = {
    C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES",
    C.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
    C.COMMAND_TYPE_START_TIMER: "BAD_START_TIMER_ATTRIBUTES",
    C.COMMAND_TYPE_CANCEL_TIMER: "BAD_CANCEL_TIMER_ATTRIBUTES",
    C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION: "BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES",
    C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION: "BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES",
    C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION: "BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES",
    C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: "BAD_CONTINUE_AS_NEW_ATTRIBUTES",
    C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: "BAD_START_CHILD_EXECUTION_ATTRIBUTES",
    C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: "BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES",
    C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: (
        "BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES"
    ),
    C.COMMAND_TYPE_RECORD_MARKER: "BAD_RECORD_MARKER_ATTRIBUTES",
    C.COMMAND_TYPE_PROTOCOL_MESSAGE: "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE",
    C.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: "BAD_SEARCH_ATTRIBUTES",
    C.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: "BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES",
}


@dataclass(slots=True)
class Outcome:
    """What the completion led to. With `error` set it was refused, and the error is the answer."""

    eager: list[int] = field(default_factory=list)  # activities to hand out with the answer
    new_task: bool = False  # the next workflow task is started and goes out with the answer
    updates: Session | None = None  # what became of the updates
    dropped: bool = False  # a speculative task left no trace: the worker goes back to `reset_event_id`
    reset_event_id: int = 0
    error: ServiceError | None = None
    stands: bool = False  # refused once more: nothing is changed, and the task is tried again after its time-out


def complete(
    t: Transition,
    request: RespondWorkflowTaskCompletedRequest,
    *,
    new_request_id: str,
    known_updates: Mapping[str, Known] = MappingProxyType({}),
    updates_wait: bool = False,
) -> Outcome:
    """Apply the completion of the started task. The caller has matched the task token.

    `known_updates`: those sent with the task, or accepted earlier. `updates_wait`: others wait for a task.
    """
    _check_sequence(request.commands)
    _check_behavior(request)
    if request.force_create_new_workflow_task and t.state.info.status == PAUSED:
        raise FailedPrecondition("Workflow is paused and force create new workflow task is not allowed.")
    session = updates.begin(t, known_updates, request.messages)
    try:
        if _leaves_no_trace(t, request):
            return _drop(t, request, session, new_request_id, updates_wait)
        return _apply(t, request, session, new_request_id, updates_wait)
    except BadCommand as bad:
        rollback(t)
        t.state.begin()
        return _refuse(t, bad, request.identity)


def _check_sequence(commands: Sequence[Command]) -> None:
    """Commands that no task may carry; they change nothing."""
    for command in commands:
        if command.command_type not in HANDLERS and command.command_type not in CommandType.values():
            raise InvalidArgument(f"unknown command type: {command.command_type}")
        if command.command_type not in HANDLERS:
            raise InvalidArgument(f"unknown command type: {command_name(command.command_type)}")
    for command in commands[:-1]:
        if command.command_type in CLOSING:
            names = ", ".join(command_name(c.command_type) for c in commands)
            last = command_name(command.command_type)
            raise InvalidArgument(f"invalid command sequence: [{names}], command {last} must be the last command.")


def _check_behavior(request: RespondWorkflowTaskCompletedRequest) -> None:
    """Only a worker of a version reports a behaviour."""
    if request.versioning_behavior and of_worker(request.deployment_options) is None:
        raise InvalidArgument(
            "versioning behavior cannot be specified without deployment options being set with versioned mode"
        )


def command_name(kind: CommandType.ValueType) -> str:
    """Such as StartTimer."""
    return CommandType.Name(kind).removeprefix("COMMAND_TYPE_").title().replace("_", "")


def _leaves_no_trace(t: Transition, request: RespondWorkflowTaskCompletedRequest) -> bool:
    """Whether a speculative task came back with nothing to write."""
    if t.state.info.task_kind != TaskKind.SPECULATIVE or t.state.buffered or request.force_create_new_workflow_task:
        return False
    only_messages = all(c.command_type == C.COMMAND_TYPE_PROTOCOL_MESSAGE for c in request.commands)
    rejection = Rejection.DESCRIPTOR.full_name
    return only_messages and all(m.body.TypeName() == rejection for m in request.messages)


def _drop(
    t: Transition,
    request: RespondWorkflowTaskCompletedRequest,
    session: Session,
    new_request_id: str,
    updates_wait: bool,
) -> Outcome:
    """End a speculative task as if it had never been."""
    session.rest()
    updates.reject_unanswered(session)
    workflow_task.clear(t.state)
    _stick(t, request)
    outcome = Outcome(updates=session, dropped=True, reset_event_id=t.state.info.last_started_event_id)
    if updates_wait:
        workflow_task.schedule_speculative(t, dispatch=not request.return_new_workflow_task)
        _start_next(t, request, outcome, new_request_id)
    return outcome


def _start_next(
    t: Transition, request: RespondWorkflowTaskCompletedRequest, outcome: Outcome, new_request_id: str
) -> None:
    """Start the next task at once if the worker wants it with the answer."""
    if _goes_along(t, request) and t.state.info.task_state == TaskState.SCHEDULED:
        build = stamped(request.worker_version_stamp)
        workflow_task.start(t, request_id=new_request_id, identity=request.identity, build=build)
        outcome.new_task = True


def _goes_along(t: Transition, request: RespondWorkflowTaskCompletedRequest) -> bool:
    """Whether the next task goes out with the answer."""
    return request.return_new_workflow_task and not versioning.moving(t.state)


def _apply(
    t: Transition,
    request: RespondWorkflowTaskCompletedRequest,
    session: Session,
    new_request_id: str,
    updates_wait: bool,
) -> Outcome:
    state, info = t.state, t.state.info
    heartbeat = request.force_create_new_workflow_task and not request.commands and not request.messages
    original = info.task_original_scheduled_time
    if heartbeat and t.now - original >= WORKFLOW_TASK_HEARTBEAT_TOTAL:
        workflow_task.time_out(t, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
        return Outcome(error=NotFound("workflow task heartbeat timeout"))
    had_buffered = bool(state.buffered)
    event_id = _write_completed(t, request)
    task = CommandTask(t, event_id, request.identity, had_buffered=had_buffered, apply_message=session.apply)
    for command in request.commands:
        if command.command_type in CLOSING:
            session.rest()  # nothing can follow a close
        _run(task, command)
    session.rest()
    updates.reject_unanswered(session)
    outcome = Outcome(eager=task.eager, updates=session)
    if not state.open:
        return outcome
    if versioning.moving(state):
        outcome.eager = []  # they are offered when the run has moved
    if state.buffered or request.force_create_new_workflow_task or task.needs_task or versioning.moving(state):
        workflow_task.schedule(t, dispatch=not _goes_along(t, request), heartbeat_of=original if heartbeat else 0)
    elif updates_wait:
        workflow_task.schedule_speculative(t, dispatch=not request.return_new_workflow_task)
    _start_next(t, request, outcome, new_request_id)
    return outcome


def _write_completed(t: Transition, request: RespondWorkflowTaskCompletedRequest) -> int:
    """Write WorkflowTaskCompleted and end the task."""
    info = t.state.info
    task_events.write_pending(t)
    event = WorkflowTaskCompletedEventAttributes(
        scheduled_event_id=info.task_scheduled_event_id,
        started_event_id=info.task_started_event_id,
        identity=request.identity,
        binary_checksum=request.binary_checksum,
    )
    copy_fields(request, event, ("sdk_metadata", "metering_metadata"))
    if request.HasField("worker_version_stamp"):
        event.worker_version.CopyFrom(request.worker_version_stamp)
    version = of_worker(request.deployment_options)
    event.worker_deployment_name = request.deployment_options.deployment_name
    if version is not None:
        event.deployment_version.CopyFrom(version.message())
        event.versioning_behavior = request.versioning_behavior
    event_id = t.add(EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, event)
    waited = t.now - info.task_scheduled_time
    workflow_task.clear(t.state)
    moved = tracking.task_completed(t.state, t.now, event_id, event)
    _stick(t, request)
    if moved:
        activities.offer_again(t, waited)
    return event_id


def _stick(t: Transition, request: RespondWorkflowTaskCompletedRequest) -> None:
    """Remember the worker that has the execution cached, or that none has."""
    info = t.state.info
    info.task_attempt = 1
    sticky = request.sticky_attributes
    if sticky.worker_task_queue.name and not versioning.moving(t.state):
        info.sticky_queue = sticky.worker_task_queue.name
        info.sticky_timeout = ns_of(sticky.schedule_to_start_timeout)
    else:
        workflow_task.clear_sticky(t.state)


def _run(task: CommandTask, command: Command) -> None:
    """Apply one command."""
    name, handler = HANDLERS[command.command_type]
    attributes = f"{name}_command_attributes"
    if command.WhichOneof("attributes") != attributes:
        kind = command_name(command.command_type)
        cause = "WORKFLOW_TASK_FAILED_CAUSE_" + _BAD_CAUSE[command.command_type]
        raise BadCommand(
            WorkflowTaskFailedCause.Value(cause),
            f"{kind}CommandAttributes is not set on {kind}Command.",
        )
    task.user_metadata = command.user_metadata if command.HasField("user_metadata") else None
    handler(task, getattr(command, attributes))


def _refuse(t: Transition, bad: BadCommand, identity: str) -> Outcome:
    """Fail the task for a bad command."""
    error = InvalidArgument(bad.message)
    if t.state.info.task_attempt > 1 and bad.cause != workflow.UNHANDLED and not bad.terminates:
        return Outcome(error=error, stands=True)
    failure = Failure(message=bad.message)
    failure.server_failure_info.SetInParent()
    workflow_task.fail(t, bad.cause, failure=failure, identity=identity)
    tracking.task_failed(t, bad.cause)
    if bad.terminates:
        close.terminate(t, reason=bad.message, identity=t.context.identity)
    else:
        workflow_task.schedule(t)
    return Outcome(error=error)
