"""What a schedule looks like to its clients."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, SearchAttributes, WorkflowExecution
from temporalio.api.schedule.v1 import Schedule as ScheduleMessage
from temporalio.api.schedule.v1 import (
    ScheduleActionResult,
    ScheduleInfo,
    ScheduleListEntry,
    ScheduleListInfo,
    ScheduleState,
)
from temporalio.api.workflowservice.v1 import DescribeScheduleResponse

from outlive.core.proto import timestamp
from outlive.core.schedules.changes import conflict_token
from outlive.core.schedules.state import RUNNING, Action, Execution, Schedule
from outlive.core.schedules.timetable import Timetable
from outlive.core.visibility import (
    SCHEDULE_DIVISION,
    SCHEDULE_ID_PREFIX,
    AttributeTypes,
    IndexedAttribute,
    VisibilityRecord,
    index_attributes,
)
from outlive.errors import InvalidArgument
from outlive.limits import SCHEDULE_RECENT_LISTED, SCHEDULE_SPEC_LISTED, SCHEDULE_UPCOMING_LISTED

WORKFLOW_TYPE = "temporal-sys-scheduler-workflow"  # as schedules show in lists that name their division
TASK_QUEUE = "temporal-sys-per-ns-tq"
PAUSED = "TemporalSchedulePaused"


def upcoming(schedule: Schedule, times: Timetable | None, now: int, count: int) -> list[int]:
    """The times of the next actions, as they are if nobody pauses or changes the schedule."""
    state = schedule.state
    if times is None:
        return []
    if state.limited:
        count = min(count, state.remaining)
    not_before = state.not_before if schedule.may_act else max(now, state.not_before)
    return times.upcoming(state.cursor, not_before, count)


def description(schedule: Schedule, next_times: Iterable[int], problem: str) -> DescribeScheduleResponse:
    """The whole of it."""
    definition = schedule.definition
    response = DescribeScheduleResponse(
        schedule=_message(schedule),
        info=_info(schedule, next_times, problem),
        memo=definition.memo,
        conflict_token=conflict_token(schedule),
    )
    if definition.search_attributes.indexed_fields:
        response.search_attributes.CopyFrom(definition.search_attributes)
    return response


def _message(schedule: Schedule) -> ScheduleMessage:
    given, state = schedule.definition.schedule, schedule.state
    return ScheduleMessage(
        spec=given.spec,
        action=given.action,
        policies=given.policies,
        state=ScheduleState(
            notes=state.notes,
            paused=state.paused,
            limited_actions=state.limited,
            remaining_actions=state.remaining,
        ),
    )


def _info(schedule: Schedule, next_times: Iterable[int], problem: str) -> ScheduleInfo:
    state = schedule.state
    info = ScheduleInfo(
        action_count=state.action_count,
        missed_catchup_window=state.missed_catchup_window,
        overlap_skipped=state.overlap_skipped,
        buffer_dropped=state.buffer_dropped,
        buffer_size=len(state.buffer),
        running_workflows=[_execution(each) for each in state.running],
        recent_actions=[_action(each) for each in state.recent],
        future_action_times=_timestamps(next_times),
        create_time=timestamp(state.created),
        invalid_schedule_error=problem,
    )
    if state.updated:
        info.update_time.CopyFrom(timestamp(state.updated))
    return info


def list_entry(schedule: Schedule, next_times: Sequence[int]) -> ScheduleListEntry:
    """Its line in lists."""
    given, state = schedule.definition.schedule, schedule.state
    info = ScheduleListInfo(
        spec=given.spec,
        workflow_type=given.action.start_workflow.workflow_type,
        notes=state.notes,
        paused=state.paused,
        recent_actions=[_action(each) for each in state.recent[-SCHEDULE_RECENT_LISTED:]],
        future_action_times=_timestamps(next_times[:SCHEDULE_UPCOMING_LISTED]),
    )
    info.spec.ClearField("timezone_data")
    for each in (info.spec.structured_calendar, info.spec.exclude_structured_calendar, info.spec.interval):
        del each[SCHEDULE_SPEC_LISTED:]
    return ScheduleListEntry(
        schedule_id=schedule.id,
        memo=schedule.definition.memo,
        search_attributes=schedule.definition.search_attributes,
        info=info,
    )


def _timestamps(times: Iterable[int]) -> list[Timestamp]:
    return [timestamp(time) for time in times]


def _execution(execution: Execution) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=execution.workflow_id, run_id=execution.run_id)


def _action(action: Action) -> ScheduleActionResult:
    return ScheduleActionResult(
        schedule_time=timestamp(action.scheduled),
        actual_time=timestamp(action.taken),
        start_workflow_result=_execution(action.execution),
        start_workflow_status=action.status,  # type: ignore[arg-type]
    )


def record(schedule: Schedule, namespace_id: str, types: AttributeTypes) -> VisibilityRecord:
    """The schedule as lists find it. Attributes that the namespace no longer has, or has changed, are left out."""
    attributes = SearchAttributes()
    indexed: list[IndexedAttribute] = []
    paused = Payload(
        metadata={"encoding": b"json/plain", "type": b"Bool"}, data=b"true" if schedule.state.paused else b"false"
    )
    for name, payload in (*schedule.definition.search_attributes.indexed_fields.items(), (PAUSED, paused)):
        single = SearchAttributes(indexed_fields={name: payload})
        with suppress(InvalidArgument):
            indexed += index_attributes(single, types)
            attributes.MergeFrom(single)
    workflow_id = SCHEDULE_ID_PREFIX + schedule.id
    return VisibilityRecord(
        namespace_id=namespace_id,
        workflow_id=workflow_id,
        run_id=schedule.state.uid,
        workflow_type=WORKFLOW_TYPE,
        task_queue=TASK_QUEUE,
        status=RUNNING,
        start_time=schedule.state.created,
        execution_time=schedule.state.created,
        root_workflow_id=workflow_id,
        root_run_id=schedule.state.uid,
        division=SCHEDULE_DIVISION,
        memo=schedule.definition.memo.SerializeToString() or None,
        search_attributes=attributes.SerializeToString(),
        indexed=tuple(indexed),
    )
