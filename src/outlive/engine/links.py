"""Links to events, as answers carry them."""

from __future__ import annotations

from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType

from outlive.core.state import Start


def event_link(start: Start, kind: EventType.ValueType, request_id: str) -> Link:
    """A link to the event that a request led to: by id where that is certain, else by request id."""
    event = Link.WorkflowEvent(namespace=start.namespace, workflow_id=start.workflow_id, run_id=start.run_id)
    if kind == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
        event.event_ref.event_id = 1
        event.event_ref.event_type = kind
    else:
        event.request_id_ref.request_id = request_id
        event.request_id_ref.event_type = kind
    return Link(workflow_event=event)
