"""The request that starts an action's workflow."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

from outlive.core import start_defaults
from outlive.core.proto import copy_fields, json_payload, timestamp
from outlive.core.schedules.decisions import Start
from outlive.core.schedules.state import Schedule

_CARRIED = (
    "input",
    "workflow_execution_timeout",
    "workflow_run_timeout",
    "workflow_task_timeout",
    "retry_policy",
    "memo",
    "header",
    "user_metadata",
    "versioning_override",
    "priority",
)


def identity(schedule: Schedule, namespace: str) -> str:
    """Of the schedule, in the events that it causes."""
    return f"temporal-scheduler-{namespace}-{schedule.id}"


def start_request(schedule: Schedule, start: Start, namespace: str) -> StartWorkflowExecutionRequest:
    """The request, with its defaults. A run that may overlap with others is given no result of theirs."""
    action = schedule.definition.schedule.action.start_workflow
    request = StartWorkflowExecutionRequest(
        namespace=namespace,
        workflow_id=start.workflow_id,
        workflow_type=action.workflow_type,
        task_queue=action.task_queue,
        identity=identity(schedule, namespace),
        request_id=start.request_id,
        search_attributes=action.search_attributes,
    )
    copy_fields(action, request, _CARRIED)
    second = timestamp(start.planned.second).ToJsonString()
    for name, value, kind in (
        ("TemporalScheduledStartTime", second, b"Datetime"),
        ("TemporalScheduledById", schedule.id, b"Keyword"),
    ):
        payload = json_payload(value)
        payload.metadata["type"] = kind
        request.search_attributes.indexed_fields[name].CopyFrom(payload)
    if start.alone and schedule.state.last_result:
        request.last_completion_result.ParseFromString(schedule.state.last_result)
    if start.alone and schedule.state.last_failure:
        request.continued_failure.ParseFromString(schedule.state.last_failure)
    start_defaults.fill_in(request)
    return request
