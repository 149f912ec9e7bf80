"""The options of a run that clients may change while it runs: UpdateWorkflowExecutionOptions.

Rules (all of them live in this file)
- A field mask says what is changed. The event that is written has all options as they are from then on;
  a change that changes nothing writes none.
- A fast-forward that is asked for begins anew, even where the options are the same.
- An OptionsUpdated event that says nothing of the versioning override only attaches a request.
"""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import WorkflowExecutionOptionsUpdatedEventAttributes
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions

from outlive.core import activities, callbacks, time_skipping, version_attributes, versioning, workflow_task
from outlive.core.proto import copy_fields
from outlive.core.requests import require_open
from outlive.core.state import Request, State
from outlive.core.transition import Transition

TIME_SKIPPING = "time_skipping_config"
KIND = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED


def of(state: State) -> WorkflowExecutionOptions:
    """The options as they are now."""
    result = WorkflowExecutionOptions()
    if state.priority is not None:
        result.priority.ParseFromString(state.priority)
    info = versioning.info_of(state)
    if info is not None and info.HasField("versioning_override"):
        result.versioning_override.CopyFrom(info.versioning_override)
    config = time_skipping.config_of(state)
    if config is not None:
        result.time_skipping_config.CopyFrom(config)
    return result


def merged(state: State, wanted: WorkflowExecutionOptions, mask: FieldMask) -> WorkflowExecutionOptions:
    """The run's options with those that the mask names as wanted."""
    result = of(state)
    mask.MergeMessage(wanted, result, True, True)
    if result.HasField("versioning_override"):
        result.versioning_override.CopyFrom(versioning.modern(result.versioning_override))
    return result


def update(t: Transition, options: WorkflowExecutionOptions, mask: FieldMask, identity: str) -> bool:
    """Make these the run's options, of which the mask names those that were asked for. False if they are already."""
    require_open(t.state)
    before = of(t.state)
    forwards = TIME_SKIPPING in mask.paths and options.time_skipping_config.HasField("fast_forward_config")
    if options == before and not forwards:
        return False
    time_skipping_changes = forwards or options.time_skipping_config != before.time_skipping_config
    event = WorkflowExecutionOptionsUpdatedEventAttributes(identity=identity)
    if options.HasField("priority"):
        event.priority.CopyFrom(options.priority)
    if options.HasField("versioning_override"):
        event.versioning_override.CopyFrom(options.versioning_override)
    else:
        event.unset_versioning_override = True
    if time_skipping_changes:
        event.time_skipping_config_updated = True
        copy_fields(options, event, ("time_skipping_config",))
    event_id = t.add(KIND, event, worker_may_ignore=True)
    if updated(t.state, event_id, t.now, event):
        activities.offer_again(t, 0)
        workflow_task.offer_again(t)
    return True


def updated(state: State, event_id: int, at: int, event: WorkflowExecutionOptionsUpdatedEventAttributes) -> bool:
    """What the event says, when it is written and when it is replayed.

    True if the run is to go to another version, or comes earlier or later in its queues: what waits must be
    offered again.
    """
    if event.attached_request_id:
        request_id = event.attached_request_id
        state.requests.put(request_id, Request(request_id, KIND, event_id))
    callbacks.register(state, event.attached_completion_callbacks, at)
    if event.time_skipping_config_updated:
        config = event.time_skipping_config if event.HasField("time_skipping_config") else None
        time_skipping.configure(state, config, at)
    if not event.unset_versioning_override and not event.HasField("versioning_override"):
        return False
    before = state.priority
    state.info.priority = event.priority.SerializeToString() if event.HasField("priority") else b""
    override: VersioningOverride | None = event.versioning_override if event.HasField("versioning_override") else None
    moves = versioning.override(state, override)
    if state.info.versioning is not None:
        version_attributes.note(state)
    state.visibility_changed = True
    return moves or state.priority != before
