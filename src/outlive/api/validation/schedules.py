"""Schedules. That a spec is one is checked where it is compiled."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import WorkflowIdReusePolicy
from temporalio.api.schedule.v1 import Schedule, SchedulePatch
from temporalio.api.workflow.v1 import NewWorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CreateScheduleRequest,
    ListScheduleMatchingTimesRequest,
    PatchScheduleRequest,
    UpdateScheduleRequest,
)

from outlive.api.validation import starts
from outlive.api.validation.common import Scope, check_id, check_queue, length
from outlive.errors import InvalidArgument
from outlive.limits import ID_LENGTH_MAX, SCHEDULE_NOTES_MAX

_ID_PREFIX = "temporal-sys-scheduler:"  # of schedules in lists of executions
_SUFFIX = "-2006-01-02T15:04:05Z"  # of the ids of the workflows that they start
_REUSE = (
    WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_UNSPECIFIED,
    WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
)


def create(request: CreateScheduleRequest, scope: Scope) -> None:
    """CreateSchedule."""
    starts.check_namespace_state(scope)
    named(request, scope)
    _check_length(_ID_PREFIX + request.schedule_id)
    if not request.request_id:
        raise InvalidArgument("RequestId is not set on request.")
    check_id("RequestId", request.request_id)
    if request.schedule.action.HasField("start_workflow"):
        _check_action(request.schedule.action.start_workflow, scope)
    _check_state(request.schedule)
    if request.memo.ByteSize() >= scope.namespace.limits.memo_size_max:
        raise InvalidArgument("Memo size exceeds limit.")
    if request.HasField("search_attributes"):
        starts.check_attributes(request, scope)
    _check_patch(request.initial_patch)


def update(request: UpdateScheduleRequest, scope: Scope) -> None:
    """UpdateSchedule."""
    named(request, scope)
    check_id("RequestId", request.request_id)
    if not request.schedule.action.HasField("start_workflow"):
        raise InvalidArgument("Only StartWorkflow action is supported for schedules")
    _check_action(request.schedule.action.start_workflow, scope)
    _check_state(request.schedule)
    if request.memo.ByteSize() >= scope.namespace.limits.memo_size_max:
        raise InvalidArgument("Memo size exceeds limit.")
    if request.HasField("search_attributes"):
        starts.check_attributes(request, scope)


def patch(request: PatchScheduleRequest, scope: Scope) -> None:
    """PatchSchedule."""
    named(request, scope)
    if not request.HasField("patch"):
        raise InvalidArgument("Patch is not set on request.")
    check_id("RequestId", request.request_id)
    _check_patch(request.patch)


def named(request: CreateScheduleRequest | UpdateScheduleRequest | PatchScheduleRequest, scope: Scope) -> None:
    """A request about one schedule."""
    if not request.schedule_id:
        raise InvalidArgument("ScheduleId is not set on request.")


def matching_times(request: ListScheduleMatchingTimesRequest, scope: Scope) -> None:
    """ListScheduleMatchingTimes. That both times are there is checked after the schedule is found."""
    if not request.schedule_id:
        raise InvalidArgument("ScheduleId is not set on request.")
    _check_time("StartTime", request.start_time)
    _check_time("EndTime", request.end_time)


def _check_action(action: NewWorkflowExecutionInfo, scope: Scope) -> None:
    """The workflow to start, as the request that starts it will be checked, but for its retry policy.

    (A bad one does not keep the schedule from being made; then its description says what is wrong.)
    """
    _check_length(action.workflow_id + _SUFFIX)
    if not action.workflow_type.name:
        raise InvalidArgument("WorkflowType is not set on request.")
    check_id("WorkflowType", action.workflow_type.name)
    check_queue(action.task_queue, action.HasField("task_queue"))
    if action.cron_schedule:
        raise InvalidArgument("Scheduled workflow must not contain CronSchedule")
    if action.workflow_id_reuse_policy not in _REUSE:
        raise InvalidArgument("Scheduled workflow must not contain WorkflowIDReusePolicy")
    starts.check_timeouts(action)
    starts.check_attributes(action, scope)
    starts.check_priority(action.priority)
    starts.check_sizes(action, scope)
    starts.check_override(action)


def _check_state(schedule: Schedule) -> None:
    if schedule.state.remaining_actions < 0:
        raise InvalidArgument("remaining_actions cannot be negative")


def _check_patch(patch: SchedulePatch) -> None:
    for note in (patch.pause, patch.unpause):
        if length(note) > SCHEDULE_NOTES_MAX:
            raise InvalidArgument("Schedule notes exceeds limit.")
    _check_time("ScheduledTime", patch.trigger_immediately.scheduled_time)
    for backfill in patch.backfill_request:
        _check_time("StartTime of a backfill", backfill.start_time)
        _check_time("EndTime of a backfill", backfill.end_time)


def _check_time(name: str, time: Timestamp) -> None:
    try:
        time.ToNanoseconds()
    except ValueError:
        raise InvalidArgument(f"{name} is not a time between the years 1 and 9999.") from None


def _check_length(workflow_id: str) -> None:
    size = length(workflow_id)
    if size > ID_LENGTH_MAX:
        raise InvalidArgument(f"WorkflowId exceeds maximum allowed length ({size}/{ID_LENGTH_MAX})")
