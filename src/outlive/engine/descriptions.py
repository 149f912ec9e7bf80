"""DescribeWorkflowExecution, lists and counts."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import Memo, Priority, SearchAttributes, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import (
    EventType,
    ParentClosePolicy,
    PendingActivityState,
    PendingWorkflowTaskState,
    TaskQueueKind,
)
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import (
    PendingActivityInfo,
    PendingChildExecutionInfo,
    PendingWorkflowTaskInfo,
    ResetPoints,
    WorkflowExecutionConfig,
    WorkflowExecutionExtendedInfo,
    WorkflowExecutionInfo,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    ListClosedWorkflowExecutionsRequest,
    ListClosedWorkflowExecutionsResponse,
    ListOpenWorkflowExecutionsRequest,
    ListOpenWorkflowExecutionsResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
    ScanWorkflowExecutionsRequest,
    ScanWorkflowExecutionsResponse,
)

from outlive.core import activities, callback_infos, options, time_skipping, versioning
from outlive.core.filter import parse_filter
from outlive.core.proto import ZERO_TIME, copy_fields, duration, json_payload, timestamp
from outlive.core.state import BUFFERED, PAUSED, Activity, ActivityState, State, TaskState
from outlive.core.visibility import VisibilityRecord, index_attributes
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Runs
from outlive.errors import InvalidArgument
from outlive.limits import PAGE_SIZE_MAX
from outlive.store.port import Storage

P = PendingActivityState


class Descriptions:
    """What runs look like."""

    def __init__(self, runs: Runs, storage: Storage) -> None:
        self._runs = runs
        self._storage = storage

    # -- one run

    async def describe_workflow_execution(
        self, namespace: Namespace, request: DescribeWorkflowExecutionRequest, call: Call
    ) -> DescribeWorkflowExecutionResponse:
        run = self._runs.require(namespace.id, request.execution.workflow_id, request.execution.run_id)
        await self._runs.committed(run)
        state = run.state
        response = DescribeWorkflowExecutionResponse(
            execution_config=_config(state),
            workflow_execution_info=_info(state),
            workflow_extended_info=_extended(state),
        )
        skipping = time_skipping.info_of(state)
        if skipping is not None:
            skipping.current_time.CopyFrom(timestamp(self._runs.now(run)))
            response.workflow_extended_info.time_skipping_info.CopyFrom(skipping)
        response.callbacks.extend(callback_infos.of(state))
        if state.info.task_state != TaskState.NONE:
            response.pending_workflow_task.CopyFrom(_pending_task(state))
        if state.open:
            response.pending_activities.extend(_pending_activity(row) for row in state.activities)
            response.pending_children.extend(
                PendingChildExecutionInfo(
                    workflow_id=child.workflow_id,
                    run_id=child.run_id,
                    workflow_type_name=child.workflow_type,
                    initiated_id=child.initiated_event_id,
                    parent_close_policy=ParentClosePolicy.ValueType(child.parent_close_policy),
                )
                for child in state.children
            )
        return response

    # -- lists

    async def list_workflow_executions(
        self, namespace: Namespace, request: ListWorkflowExecutionsRequest, call: Call
    ) -> ListWorkflowExecutionsResponse:
        found, token = await self._list(namespace, request.query, request.page_size, request.next_page_token)
        return ListWorkflowExecutionsResponse(executions=found, next_page_token=token)

    async def scan_workflow_executions(
        self, namespace: Namespace, request: ScanWorkflowExecutionsRequest, call: Call
    ) -> ScanWorkflowExecutionsResponse:
        found, token = await self._list(namespace, request.query, request.page_size, request.next_page_token)
        return ScanWorkflowExecutionsResponse(executions=found, next_page_token=token)

    async def list_open_workflow_executions(
        self, namespace: Namespace, request: ListOpenWorkflowExecutionsRequest, call: Call
    ) -> ListOpenWorkflowExecutionsResponse:
        query = _by_start(request, "CloseTime IS NULL", "StartTime")
        found, token = await self._list(namespace, query, request.maximum_page_size, request.next_page_token)
        return ListOpenWorkflowExecutionsResponse(executions=found, next_page_token=token)

    async def list_closed_workflow_executions(
        self, namespace: Namespace, request: ListClosedWorkflowExecutionsRequest, call: Call
    ) -> ListClosedWorkflowExecutionsResponse:
        query = _by_start(request, "CloseTime IS NOT NULL", "CloseTime")
        if request.HasField("status_filter"):
            query += f" AND ExecutionStatus = {int(request.status_filter.status)}"
        found, token = await self._list(namespace, query, request.maximum_page_size, request.next_page_token)
        return ListClosedWorkflowExecutionsResponse(executions=found, next_page_token=token)

    async def _list(
        self, namespace: Namespace, query: str, page_size: int, token: bytes
    ) -> tuple[list[WorkflowExecutionInfo], bytes]:
        parsed = parse_filter(query, namespace.attribute_types)
        if parsed.group_by is not None:
            raise InvalidArgument("invalid query: GROUP BY is for counts: use CountWorkflowExecutions")
        size = min(page_size, PAGE_SIZE_MAX) if page_size > 0 else PAGE_SIZE_MAX
        page = await self._storage.read_visibility("list", parsed, namespace.id, size, token)
        return [_listed(record) for record in page.records], page.token

    async def count_workflow_executions(
        self, namespace: Namespace, request: CountWorkflowExecutionsRequest, call: Call
    ) -> CountWorkflowExecutionsResponse:
        parsed = parse_filter(request.query, namespace.attribute_types)
        count = await self._storage.read_visibility("count", parsed, namespace.id)
        response = CountWorkflowExecutionsResponse(count=count.total)
        for value, number in count.groups:
            payload = json_payload(value)
            payload.metadata["type"] = b"Keyword"
            response.groups.add(group_values=[payload], count=number)
        return response


def _by_start(
    request: ListOpenWorkflowExecutionsRequest | ListClosedWorkflowExecutionsRequest, base: str, attribute: str
) -> str:
    """The old list requests as a filter."""
    query = base
    window = request.start_time_filter
    if window.HasField("earliest_time"):
        query += f" AND {attribute} >= '{window.earliest_time.ToJsonString()}'"
    if window.HasField("latest_time"):
        query += f" AND {attribute} <= '{window.latest_time.ToJsonString()}'"
    if request.HasField("execution_filter"):
        query += f" AND WorkflowId = {_quoted(request.execution_filter.workflow_id)}"
        if request.execution_filter.run_id:
            query += f" AND RunId = {_quoted(request.execution_filter.run_id)}"
    if request.HasField("type_filter"):
        query += f" AND WorkflowType = {_quoted(request.type_filter.name)}"
    return query


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


# -- parts of a description ------------------------------------------------------------------------------


def _attributes(data: bytes | None) -> SearchAttributes:
    return SearchAttributes.FromString(data or b"")


def _info(state: State) -> WorkflowExecutionInfo:
    start, info = state.start, state.info
    result = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=start.workflow_id, run_id=start.run_id),
        type=WorkflowType(name=start.workflow_type),
        start_time=timestamp(start.start_time),
        execution_time=timestamp(start.execution_time),
        status=info.status,  # type: ignore[arg-type]
        history_length=info.next_event_id - 1,
        history_size_bytes=info.history_size,
        state_transition_count=info.transition_count,
        memo=Memo.FromString(state.attributes.memo or b""),
        search_attributes=_attributes(state.attributes.search_attributes),
        auto_reset_points=ResetPoints.FromString(info.reset_points or b""),
        task_queue=start.task_queue,
        root_execution=WorkflowExecution(workflow_id=start.root_workflow_id, run_id=start.root_run_id),
        first_run_id=start.first_run_id,
        versioning_info=versioning.shown(state),
        worker_deployment_name=info.deployment_name,
    )
    if info.close_time:
        result.close_time.CopyFrom(timestamp(info.close_time))
        result.execution_duration.CopyFrom(duration(max(0, info.close_time - start.execution_time)))
    if start.parent_workflow_id:
        result.parent_namespace_id = start.parent_namespace_id
        result.parent_execution.workflow_id = start.parent_workflow_id
        result.parent_execution.run_id = start.parent_run_id
    copy_fields(options.of(state), result, ("priority",))
    if info.worker_version is not None:
        result.most_recent_worker_version_stamp.ParseFromString(info.worker_version)
    return result


def _config(state: State) -> WorkflowExecutionConfig:
    start = state.start
    result = WorkflowExecutionConfig(
        task_queue=TaskQueue(name=start.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        default_workflow_task_timeout=duration(start.task_timeout),
    )
    if start.execution_timeout:
        result.workflow_execution_timeout.CopyFrom(duration(start.execution_timeout))
    if start.run_timeout:
        result.workflow_run_timeout.CopyFrom(duration(start.run_timeout))
    if start.user_metadata is not None:
        result.user_metadata.CopyFrom(UserMetadata.FromString(start.user_metadata))
    return result


def _extended(state: State) -> WorkflowExecutionExtendedInfo:
    start, info = state.start, state.info
    result = WorkflowExecutionExtendedInfo(
        original_start_time=timestamp(start.chain_start_time),
        run_expiration_time=timestamp(info.run_expires_at or ZERO_TIME),
        cancel_requested=info.cancel_requested,
        reset_run_id=info.reset_run_id,
    )
    if info.status == PAUSED:
        result.pause_info.identity, result.pause_info.reason = info.pause_identity, info.pause_reason
        result.pause_info.paused_time.CopyFrom(timestamp(info.paused_at))
    if info.reset_at:
        result.last_reset_time.CopyFrom(timestamp(info.reset_at))
    if info.execution_expires_at:
        result.execution_expiration_time.CopyFrom(timestamp(info.execution_expires_at))
    first = result.request_id_infos[start.create_request_id]
    first.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    first.event_id = 1
    for row in state.requests:
        known = result.request_id_infos[row.request_id]
        known.event_type = row.event_type  # type: ignore[assignment]
        if row.event_id == BUFFERED:
            known.buffered = True
        else:
            known.event_id = row.event_id
    return result


def _pending_task(state: State) -> PendingWorkflowTaskInfo:
    info = state.info
    started = info.task_state == TaskState.STARTED
    result = PendingWorkflowTaskInfo(
        state=PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
        if started
        else PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED,
        scheduled_time=timestamp(info.task_scheduled_time),
        original_scheduled_time=timestamp(info.task_original_scheduled_time),
        attempt=info.task_attempt,
    )
    if started:
        result.started_time.CopyFrom(timestamp(info.task_started_time))
    return result


def _activity_state(row: Activity) -> PendingActivityState.ValueType:
    if row.cancel_requested:
        return P.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    if row.state == ActivityState.STARTED:
        return P.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED if row.paused_at else P.PENDING_ACTIVITY_STATE_STARTED
    return P.PENDING_ACTIVITY_STATE_PAUSED if row.paused_at else P.PENDING_ACTIVITY_STATE_SCHEDULED


def _pending_activity(row: Activity) -> PendingActivityInfo:
    result = PendingActivityInfo(
        activity_id=row.activity_id,
        activity_type=activities.activity_type(row),
        state=_activity_state(row),
        attempt=row.attempt,
        maximum_attempts=row.retry_attempts,
        last_worker_identity=row.identity,
        paused=bool(row.paused_at),
        priority=Priority.FromString(row.priority) if row.priority is not None else None,
    )
    waits = row.state == ActivityState.BACKOFF and not row.paused_at
    times: tuple[tuple[str, int], ...] = (
        ("scheduled_time", row.attempt_scheduled_time if row.state != ActivityState.BACKOFF else row.next_attempt_time),
        ("last_started_time", row.started_time),
        ("last_heartbeat_time", row.heartbeat_time),
        ("last_attempt_complete_time", row.last_attempt_complete_time),
        ("next_attempt_schedule_time", row.next_attempt_time if waits else 0),
        ("expiration_time", row.scheduled_time + row.schedule_to_close if row.schedule_to_close else 0),
    )
    if row.paused_at:
        result.pause_info.pause_time.CopyFrom(timestamp(row.paused_at))
        result.pause_info.manual.identity = row.pause_identity
        result.pause_info.manual.reason = row.pause_reason
    for name, value in times:
        if value:
            getattr(result, name).CopyFrom(timestamp(value))
    if waits and row.retry_interval:
        result.current_retry_interval.CopyFrom(duration(row.retry_interval))
    if row.heartbeat_details is not None:
        result.heartbeat_details.ParseFromString(row.heartbeat_details)
    if row.worker_version is not None:
        result.last_deployment_version.ParseFromString(row.worker_version)
        version = result.last_deployment_version
        result.last_worker_deployment_version = f"{version.deployment_name}.{version.build_id}"
    if row.last_failure is not None:
        result.last_failure.ParseFromString(row.last_failure)
    options = result.activity_options
    options.task_queue.name = options.task_queue.normal_name = row.task_queue
    options.schedule_to_close_timeout.CopyFrom(duration(row.schedule_to_close))
    options.schedule_to_start_timeout.CopyFrom(duration(row.schedule_to_start))
    options.start_to_close_timeout.CopyFrom(duration(row.start_to_close))
    options.heartbeat_timeout.CopyFrom(duration(row.heartbeat_timeout))
    options.retry_policy.CopyFrom(activities.retry_policy(row))
    if row.priority is not None:
        options.priority.ParseFromString(row.priority)
    return result


# -- visibility --------------------------------------------------------------------------------------------


def record_of(state: State, attribute_types: Any) -> VisibilityRecord:
    """The run as visibility keeps it."""
    start, info = state.start, state.info
    closed = bool(info.close_time)
    data = state.attributes.search_attributes
    return VisibilityRecord(
        namespace_id=start.namespace_id,
        workflow_id=start.workflow_id,
        run_id=start.run_id,
        workflow_type=start.workflow_type,
        task_queue=start.task_queue,
        status=info.status,
        start_time=start.start_time,
        execution_time=start.execution_time,
        root_workflow_id=start.root_workflow_id,
        root_run_id=start.root_run_id,
        close_time=info.close_time if closed else None,
        execution_duration=max(0, info.close_time - start.execution_time) if closed else None,
        history_length=info.next_event_id - 1 if closed else None,
        history_size=info.history_size if closed else None,
        state_transition_count=info.transition_count if closed else None,
        parent_workflow_id=start.parent_workflow_id or None,
        parent_run_id=start.parent_run_id or None,
        memo=state.attributes.memo,
        search_attributes=data,
        indexed=_known(SearchAttributes.FromString(data), attribute_types) if data is not None else (),
    )


def _known(attributes: SearchAttributes, attribute_types: Any) -> Any:
    """The attributes that the namespace (still) has; one may have been removed since the run set it."""
    known = SearchAttributes()
    for name, value in attributes.indexed_fields.items():
        if name in attribute_types:
            known.indexed_fields[name].CopyFrom(value)
    return index_attributes(known, attribute_types)


def _listed(record: VisibilityRecord) -> WorkflowExecutionInfo:
    result = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id=record.workflow_id, run_id=record.run_id),
        type=WorkflowType(name=record.workflow_type),
        start_time=timestamp(record.start_time),
        execution_time=timestamp(record.execution_time),
        status=record.status,  # type: ignore[arg-type]
        memo=Memo.FromString(record.memo or b""),
        search_attributes=_attributes(record.search_attributes),
        task_queue=record.task_queue,
        root_execution=WorkflowExecution(workflow_id=record.root_workflow_id, run_id=record.root_run_id),
        history_length=record.history_length or 0,
        history_size_bytes=record.history_size or 0,
        state_transition_count=record.state_transition_count or 0,
    )
    if record.close_time is not None:
        result.close_time.CopyFrom(timestamp(record.close_time))
    if record.execution_duration is not None:
        result.execution_duration.CopyFrom(duration(record.execution_duration))
    if record.parent_workflow_id:
        result.parent_execution.workflow_id = record.parent_workflow_id
        result.parent_execution.run_id = record.parent_run_id or ""
    return result
