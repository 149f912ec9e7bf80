"""Commands that only write: markers, search attributes, memo."""

from __future__ import annotations

from dataclasses import replace

from temporalio.api.command.v1 import (
    ModifyWorkflowPropertiesCommandAttributes,
    ProtocolMessageCommandAttributes,
    RecordMarkerCommandAttributes,
    UpsertWorkflowSearchAttributesCommandAttributes,
)
from temporalio.api.common.v1 import Memo, Payload, SearchAttributes
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    MarkerRecordedEventAttributes,
    UpsertWorkflowSearchAttributesEventAttributes,
    WorkflowPropertiesModifiedEventAttributes,
)

from outlive.core.commands.base import BadCommand, Cause, CommandTask, too_long
from outlive.core.commands.other import checked_attributes
from outlive.core.state import State

E = EventType
BAD_MARKER = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES
BAD_ATTRIBUTES = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
BAD_PROPERTIES = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES
BAD_MESSAGE = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE
_NOTHING = (b"null", b"[]", b"")


def record_marker(task: CommandTask, command: RecordMarkerCommandAttributes) -> None:
    """Write MarkerRecorded: a local activity's result, a version, a side effect."""
    name = command.marker_name
    if not name:
        raise BadCommand(BAD_MARKER, "MarkerName is not set on RecordMarkerCommand.")
    if too_long(name):
        raise BadCommand(
            BAD_MARKER,
            f"MarkerName on RecordMarkerCommand exceeds length limit. MarkerName={name} "
            f"Length={len(name.encode())} Limit=1000",
        )
    if sum(d.ByteSize() for d in command.details.values()) >= task.t.limits.payload_size_max:
        raise BadCommand(BAD_MARKER, "RecordMarkerCommandAttributes.Details exceeds size limit.", terminates=True)
    event = MarkerRecordedEventAttributes(
        marker_name=name,
        workflow_task_completed_event_id=task.completed_event_id,
        header=command.header if command.HasField("header") else None,
        failure=command.failure if command.HasField("failure") else None,
    )
    for key, value in command.details.items():
        event.details[key].CopyFrom(value)
    task.t.add(E.EVENT_TYPE_MARKER_RECORDED, event, user_metadata=task.user_metadata)


def protocol_message(task: CommandTask, command: ProtocolMessageCommandAttributes) -> None:
    """Let a message of the completion take effect here."""
    if not command.message_id:
        raise BadCommand(BAD_MESSAGE, "MessageID is not set on ProtocolMessageCommand.")
    assert task.apply_message is not None, "a completion opens its session first"
    task.apply_message(command.message_id)


def upsert_search_attributes(task: CommandTask, command: UpsertWorkflowSearchAttributesCommandAttributes) -> None:
    """Write UpsertWorkflowSearchAttributes; an attribute set to nothing is removed."""
    name = "UpsertWorkflowSearchAttributesCommand"
    if not command.HasField("search_attributes"):
        raise BadCommand(BAD_ATTRIBUTES, f"SearchAttributes is not set on {name}.")
    if not command.search_attributes.indexed_fields:
        raise BadCommand(BAD_ATTRIBUTES, f"IndexedFields is not set on {name}.")
    attributes = checked_attributes(task, command.search_attributes)
    task.t.add(
        E.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        UpsertWorkflowSearchAttributesEventAttributes(
            workflow_task_completed_event_id=task.completed_event_id, search_attributes=attributes
        ),
        user_metadata=task.user_metadata,
    )
    set_search_attributes(task.t.state, attributes)


def set_search_attributes(state: State, changes: SearchAttributes) -> None:
    """Merge search attributes into the run's own; those set to nothing go."""
    merged = SearchAttributes.FromString(state.attributes.search_attributes or b"")
    for name, value in changes.indexed_fields.items():
        if is_nothing(value):
            merged.indexed_fields.pop(name, None)
        else:
            merged.indexed_fields[name].CopyFrom(value)
    data = merged.SerializeToString(deterministic=True) if merged.indexed_fields else None
    state.attributes = replace(state.attributes, search_attributes=data)
    state.attributes_changed = True
    state.visibility_changed = True


def is_nothing(value: Payload) -> bool:
    """Whether a payload unsets what it is given for."""
    return value.metadata.get("encoding") == b"binary/null" or value.data in _NOTHING


def modify_properties(task: CommandTask, command: ModifyWorkflowPropertiesCommandAttributes) -> None:
    """Write WorkflowPropertiesModified; a memo field set to nothing is removed."""
    name = "ModifyWorkflowPropertiesCommand"
    if not command.HasField("upserted_memo"):
        raise BadCommand(BAD_PROPERTIES, f"UpsertedMemo is not set on {name}.")
    if not command.upserted_memo.fields:
        raise BadCommand(BAD_PROPERTIES, f"UpsertedMemo.Fields is not set on {name}.")
    state = task.t.state
    merged = _merged_memo(state, command.upserted_memo)
    if max(merged.ByteSize(), command.upserted_memo.ByteSize()) >= task.t.limits.memo_size_max:
        raise BadCommand(
            BAD_PROPERTIES, "ModifyWorkflowPropertiesCommandAttributes exceeds size limit.", terminates=True
        )
    task.t.add(
        E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
        WorkflowPropertiesModifiedEventAttributes(
            workflow_task_completed_event_id=task.completed_event_id, upserted_memo=command.upserted_memo
        ),
        user_metadata=task.user_metadata,
    )
    _put_memo(state, merged)


def set_memo(state: State, changes: Memo) -> None:
    """Merge memo fields into the run's own; those set to nothing go."""
    _put_memo(state, _merged_memo(state, changes))


def _merged_memo(state: State, changes: Memo) -> Memo:
    merged = Memo.FromString(state.attributes.memo or b"")
    for key, value in changes.fields.items():
        if value.metadata.get("encoding") == b"binary/null" or value.data in (b"null", b""):
            merged.fields.pop(key, None)
        else:
            merged.fields[key].CopyFrom(value)
    return merged


def _put_memo(state: State, memo: Memo) -> None:
    data = memo.SerializeToString(deterministic=True) if memo.fields else None
    state.attributes = replace(state.attributes, memo=data)
    state.attributes_changed = True
    state.visibility_changed = True
