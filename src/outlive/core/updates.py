"""Updates: what a worker's messages do to them, and the events that are written.

    ADMITTED --handed to a worker--> SENT --acceptance--> ACCEPTED --response--> COMPLETED
                                       |
                                       +--rejection--> REJECTED (leaves no trace)

Rules (all of them live in this file)
- Only acceptance and completion are events. An update that was not accepted lives in memory alone.
- Messages take effect where a PROTOCOL_MESSAGE command names them; the rest at the end, in their order.
- A message that does not fit its update fails the workflow task.
- An update that was sent and that the worker said nothing of is rejected: the worker does not know updates.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    WorkflowExecutionUpdateAcceptedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
)
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Outcome, Rejection, Request, Response

from outlive.core.commands.base import BadCommand
from outlive.core.state import Update
from outlive.core.transition import Transition
from outlive.errors import InvalidArgument

E = EventType
BAD = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE


class Stage(enum.IntEnum):
    """How far an update has come."""

    ADMITTED = 1
    SENT = 2
    ACCEPTED = 3
    COMPLETED = 4
    REJECTED = 5


_STATE_NAMES = {
    Stage.ADMITTED: "Admitted",
    Stage.SENT: "Sent",
    Stage.ACCEPTED: "ProvisionallyAccepted",
    Stage.COMPLETED: "ProvisionallyCompleted",
    Stage.REJECTED: "Rejected",
}


@dataclass(slots=True)
class Known:
    """An update as the engine's registry has it."""

    stage: Stage
    request: Request
    outcome: Outcome | None = None
    in_history: bool = False  # an event admitted it, as after a reset: the worker reads it there


@dataclass(slots=True)
class Session:
    """The updates of one workflow task completion: provisional until the whole of it has been applied."""

    t: Transition
    known: dict[str, Known]
    messages: dict[str, Message]
    touched: dict[str, Known] = field(default_factory=dict)

    def apply(self, message_id: str) -> None:
        """Apply the message that a PROTOCOL_MESSAGE command names."""
        message = self.messages.pop(message_id, None)
        if message is None:
            raise BadCommand(BAD, f"ProtocolMessageCommand referenced absent message ID {message_id}")
        _apply(self, message)

    def rest(self) -> None:
        """Apply the messages that no command named."""
        for message_id in list(self.messages):
            _apply(self, self.messages.pop(message_id))


def begin(t: Transition, known: Mapping[str, Known], messages: Sequence[Message]) -> Session:
    """Open the session. Raises InvalidArgument for a message that is empty."""
    for message in messages:
        if not message.HasField("body"):
            raise InvalidArgument("nil message body")
    copies = {key: replace(each) for key, each in known.items()}
    return Session(t, copies, {message.id: message for message in messages})


def _apply(session: Session, message: Message) -> None:
    name = message.body.TypeName()
    if name == Acceptance.DESCRIPTOR.full_name:
        acceptance = Acceptance()
        message.body.Unpack(acceptance)
        _accept(session, message, acceptance)
    elif name == Rejection.DESCRIPTOR.full_name:
        rejection = Rejection()
        message.body.Unpack(rejection)
        known = _in(session, message.protocol_instance_id, Stage.SENT, "Rejection")
        _reject(session, message.protocol_instance_id, known, rejection.failure)
    elif name == Response.DESCRIPTOR.full_name:
        response = Response()
        message.body.Unpack(response)
        _respond(session, message, response)
    else:
        raise BadCommand(BAD, f"Message type *update.{name.rsplit('.', 1)[-1]} not supported")


def _in(session: Session, update_id: str, stage: Stage, kind: str) -> Known:
    """The update, which must be at the stage for this kind of message."""
    known = session.known.get(update_id)
    if known is None:
        raise BadCommand(
            BAD,
            f"update {update_id} wasn't found on the server. This is most likely a transient error which will be "
            "resolved automatically by retries",
        )
    if known.stage != stage:
        raise BadCommand(
            BAD,
            f"invalid state transition attempted for Update {update_id}: received *update.{kind} message while in "
            f"state {_STATE_NAMES[known.stage]}",
        )
    return known


def _set(session: Session, update_id: str, known: Known, stage: Stage, outcome: Outcome | None = None) -> None:
    known.stage = stage
    known.outcome = outcome
    session.touched[update_id] = known


def _reject(session: Session, update_id: str, known: Known, failure: Failure) -> None:
    """The update was never there, but for what history may say of it."""
    session.t.state.updates.pop(update_id)
    _set(session, update_id, known, Stage.REJECTED, Outcome(failure=failure))


def _accept(session: Session, message: Message, acceptance: Acceptance) -> None:
    update_id = message.protocol_instance_id
    if update_id not in session.known and acceptance.HasField("accepted_request"):
        # The server forgot it (a restart); the worker did not.
        session.known[update_id] = Known(Stage.SENT, acceptance.accepted_request)
    known = _in(session, update_id, Stage.SENT, "Acceptance")
    row = session.t.state.updates.get(update_id)
    event_id = session.t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        WorkflowExecutionUpdateAcceptedEventAttributes(
            protocol_instance_id=update_id,
            accepted_request_message_id=acceptance.accepted_request_message_id,
            accepted_request_sequencing_event_id=acceptance.accepted_request_sequencing_event_id,
            accepted_request=None if known.in_history else known.request,
        ),
    )
    admitted_event_id = row.admitted_event_id if row is not None else 0
    session.t.state.updates.put(update_id, Update(update_id, event_id, 0, admitted_event_id))
    _set(session, update_id, known, Stage.ACCEPTED)


def _respond(session: Session, message: Message, response: Response) -> None:
    update_id = message.protocol_instance_id
    known = _in(session, update_id, Stage.ACCEPTED, "Response")
    row = session.t.state.updates.rows[update_id]
    event_id = session.t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
        WorkflowExecutionUpdateCompletedEventAttributes(
            meta=response.meta, accepted_event_id=row.accepted_event_id, outcome=response.outcome
        ),
    )
    session.t.state.updates.put(update_id, replace(row, completed_event_id=event_id))
    _set(session, update_id, known, Stage.COMPLETED, response.outcome)


def reject_unanswered(session: Session) -> None:
    """The task is over: what was sent with it and not answered is rejected."""
    for update_id, known in session.known.items():
        if known.stage == Stage.SENT:
            failure = Failure(
                message="Workflow Update is rejected because it wasn't processed by worker. Probably, Workflow "
                "Update is not supported by the worker.",
                source="Server",
            )
            failure.application_failure_info.type = "UnprocessedUpdate"
            failure.application_failure_info.non_retryable = True
            _reject(session, update_id, known, failure)


def closed_outcome() -> Outcome:
    """What an accepted update comes to when the workflow closes first."""
    failure = Failure(
        message="Workflow Update failed because the Workflow completed before the Update completed.", source="Server"
    )
    failure.application_failure_info.type = "AcceptedUpdateCompletedWorkflow"
    failure.application_failure_info.non_retryable = True
    return Outcome(failure=failure)
