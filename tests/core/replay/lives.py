"""A machine that lives a run at random, with other workflows, updates and options, and keeps its history."""

from __future__ import annotations

from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Payload, Payloads, SearchAttributes
from temporalio.api.enums.v1 import CommandType, EventType, StartChildWorkflowExecutionFailedCause
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionOptionsUpdatedEventAttributes
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Outcome, Request, Response
from temporalio.api.workflow.v1 import ResetPoints
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.core import children, completion, options
from outlive.core.state import BUFFERED, TaskKind, TaskState
from outlive.core.transition import Transition
from outlive.core.updates import Known, Stage
from tests.core.test_execution_properties import Execution

C = CommandType
KINDS = ("child", "signal", "cancel", "attribute", "memo")
CHILD_FAILED = (
    StartChildWorkflowExecutionFailedCause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
)


class Life(Execution):
    """A run that has to do with other workflows as well."""

    @precondition(lambda self: self.state.open and self.state.info.task_state == TaskState.STARTED)
    @rule(kinds=st.lists(st.sampled_from(KINDS), max_size=3), number=st.integers(0, 3))
    def complete_with_more(self, kinds: list[str], number: int) -> None:
        request = RespondWorkflowTaskCompletedRequest(commands=[more_command(k, number) for k in kinds], identity="w")
        request.worker_version_stamp.build_id = f"build-{number}"
        self._decide(lambda t: completion.complete(t, request, new_request_id="next"))

    @precondition(lambda self: self.state.open and self.state.info.task_state == TaskState.STARTED)
    @rule(number=st.integers(1, 3), done=st.booleans())
    def complete_with_update(self, number: int, done: bool) -> None:
        """An update is accepted, and perhaps completed at once."""
        row = self.state.updates.get(f"update-{number}")
        if row is not None and row.completed_event_id:
            return
        asked = Request()
        asked.meta.update_id = f"update-{number}"
        in_history = bool(row is not None and row.admitted_event_id)
        stage = Stage.ACCEPTED if row is not None and row.accepted_event_id else Stage.SENT
        known = {asked.meta.update_id: Known(stage, asked, in_history=in_history)}
        messages = []
        if stage == Stage.SENT:
            messages.append(Message(id="a", protocol_instance_id=asked.meta.update_id))
            messages[-1].body.Pack(Acceptance(accepted_request_message_id="m", accepted_request=asked))
        if done or stage == Stage.ACCEPTED:
            messages.append(Message(id="r", protocol_instance_id=asked.meta.update_id))
            messages[-1].body.Pack(Response(meta=asked.meta, outcome=Outcome(success=Payloads())))
        request = RespondWorkflowTaskCompletedRequest(identity="w", messages=messages)
        self._decide(lambda t: completion.complete(t, request, new_request_id="next", known_updates=known))

    @precondition(lambda self: self.state.open and len(self.state.children))
    @rule(data=st.data(), how=st.sampled_from(["starts", "fails to start", "completes"]))
    def child_goes_on(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(sorted(self.state.children.rows)))
        closed = HistoryEvent(event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)
        closed.workflow_execution_completed_event_attributes.SetInParent()
        steps: dict[str, Any] = {
            "starts": lambda t: children.started(t, key, f"child-run-{key}"),
            "fails to start": lambda t: children.start_failed(t, key, CHILD_FAILED),
            "completes": lambda t: children.closed(t, key, f"child-run-{key}", closed),
        }
        self._decide(steps[how])

    @precondition(lambda self: self.state.open and (len(self.state.signals) or len(self.state.cancels)))
    @rule(data=st.data())
    def request_arrives(self, data: st.DataObject) -> None:
        signals = [("signal", key) for key in sorted(self.state.signals.rows)]
        cancels = [("cancel", key) for key in sorted(self.state.cancels.rows)]
        kind, key = data.draw(st.sampled_from(signals + cancels))
        sent = children.signal_sent if kind == "signal" else children.cancel_sent
        self._decide(lambda t: sent(t, key, None))

    @precondition(lambda self: self.state.open)
    @rule(key=st.integers(0, 3))
    def change_options(self, key: int) -> None:
        wanted = options.of(self.state)
        wanted.ClearField("priority")
        if key:
            wanted.priority.priority_key = key
        self._decide(lambda t: options.update(t, wanted, FieldMask(paths=["priority"]), "client"))

    @precondition(lambda self: self.state.open)
    @rule(count=st.integers(1, 2))
    def attach_callbacks(self, count: int) -> None:
        number = len(self.state.requests)
        event = WorkflowExecutionOptionsUpdatedEventAttributes(attached_request_id=f"attached-{number}")
        for _ in range(count):
            event.attached_completion_callbacks.add().nexus.url = "http://example.com/"

        def attach(t: Transition) -> None:
            event_id = t.add(options.KIND, event, worker_may_ignore=True)
            options.updated(t.state, event_id, t.now, event)

        self._decide(attach)


def more_command(kind: str, number: int) -> Command:
    """A command that has to do with other workflows, or with what the run carries."""
    if kind == "child":
        command = Command(command_type=C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION)
        child = command.start_child_workflow_execution_command_attributes
        child.workflow_id, child.workflow_type.name = f"child-{number}", "Child"
    elif kind == "signal":
        command = Command(command_type=C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION)
        signal = command.signal_external_workflow_execution_command_attributes
        signal.execution.workflow_id, signal.signal_name = "other", "hello"
    elif kind == "cancel":
        command = Command(command_type=C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION)
        command.request_cancel_external_workflow_execution_command_attributes.workflow_id = "other"
    elif kind == "attribute":
        command = Command(command_type=C.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES)
        attributes = command.upsert_workflow_search_attributes_command_attributes.search_attributes
        value = b"null" if not number else f'["{number}"]'.encode()
        attributes.indexed_fields["BuildIds"].CopyFrom(_json(value))
    else:
        command = Command(command_type=C.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES)
        memo = command.modify_workflow_properties_command_attributes.upserted_memo
        memo.fields["note"].CopyFrom(_json(str(number or "null").encode()))
    return command


def _json(data: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


_ATTEMPT = frozenset(
    {
        *("state", "attempt", "stamp", "attempt_scheduled_time", "started_time", "next_attempt_time", "request_id"),
        *("identity", "heartbeat_time", "heartbeat_details", "last_failure", "last_attempt_complete_time"),
        *("retry_interval", "worker_version", "started_event_id"),
    }
)
_SCALARS = (
    *("status", "next_event_id", "history_size", "close_time", "execution_expires_at", "run_expires_at"),
    *("first_task_at", "successor_run_id", "cancel_requested", "signal_count", "last_started_event_id"),
    *("last_completed_event_id", "worker_version", "priority", "reset_at"),
)
_SCHEDULED = (
    "task_state",
    "task_kind",
    "task_attempt",
    "task_scheduled_event_id",
    "task_scheduled_time",
    "task_timeout",
)
_STARTED = (
    *("task_started_event_id", "task_started_time", "task_request_id", "task_identity"),
    *("task_suggest", "task_history_size"),
)


def observed(state: Any) -> dict[str, Any]:
    """What can be seen of a run and is in its history: not attempts, nor what a task has kept back."""
    info = state.info
    seen: dict[str, Any] = {name: getattr(info, name) for name in _SCALARS}
    if info.task_kind == TaskKind.NORMAL and info.task_state != TaskState.NONE:
        seen |= {name: getattr(info, name) for name in _SCHEDULED}
        if info.task_state == TaskState.STARTED:
            seen |= {name: getattr(info, name) for name in _STARTED}
    seen["start"] = state.start
    seen["reset points"] = _points(info.reset_points)
    seen["memo"] = state.attributes.memo
    seen["attributes"] = _without_problems(state.attributes.search_attributes)
    seen["activities"] = {
        row.scheduled_event_id: {n: getattr(row, n) for n in row.__slots__ if n not in _ATTEMPT}
        for row in state.activities
    }
    for name in ("timers", "children", "signals", "cancels", "updates"):
        seen[name] = dict(getattr(state, name).rows)
    seen["requests"] = {key: row for key, row in state.requests.rows.items() if row.event_id != BUFFERED}
    seen["activity ids"] = dict(state.activity_ids)
    return seen


def _without_problems(data: bytes | None) -> Any:
    attributes = SearchAttributes.FromString(data or b"")
    attributes.indexed_fields.pop("TemporalReportedProblems", None)
    return attributes


def _points(data: bytes | None) -> ResetPoints:
    """Without what was pending at each: what ended while the worker was busy ends later in history."""
    points = ResetPoints.FromString(data or b"")
    for point in points.points:
        point.resettable = False
    return points
