"""ScheduleActivityTask and RequestCancelActivityTask."""

from __future__ import annotations

from temporalio.api.command.v1 import (
    RequestCancelActivityTaskCommandAttributes,
    ScheduleActivityTaskCommandAttributes,
)
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    ActivityTaskCancelRequestedEventAttributes,
    ActivityTaskScheduledEventAttributes,
)

from outlive.core import activities
from outlive.core.commands.base import (
    BadCommand,
    Cause,
    CommandTask,
    capped,
    checked_policy,
    negative,
    normal_queue,
    priority_problem,
    queue_problem,
    too_long,
)
from outlive.core.proto import duration, ns_of
from outlive.core.state import Activity, ActivityState, State
from outlive.core.transition import ENDS

E = EventType
BAD = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
BAD_CANCEL = Cause.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES
DUPLICATE = Cause.WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID
TOO_MANY = Cause.WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED


def schedule(task: CommandTask, command: ScheduleActivityTaskCommandAttributes) -> None:
    """Write ActivityTaskScheduled and offer the first attempt to its queue."""
    t, state = task.t, task.t.state
    _check(command, state)
    if command.input.ByteSize() >= t.limits.payload_size_max:
        raise BadCommand(BAD, "ScheduleActivityTaskCommandAttributes.Input exceeds size limit.", terminates=True)
    if command.activity_id in state.activity_ids:
        raise BadCommand(
            DUPLICATE,
            "invalid history builder state for action: add-activitytask-scheduled-event, "
            f"ActivityID: {command.activity_id}",
        )
    count, most = len(state.activities), t.limits.pending_activities_max
    if count >= most:
        raise BadCommand(
            TOO_MANY, f"the number of pending activities, {count}, has reached the per-workflow limit of {most}"
        )
    event = _event(command, state)
    event.workflow_task_completed_event_id = task.completed_event_id
    event_id = t.add(E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, event, user_metadata=task.user_metadata)
    row = row_of(event, event_id, t.now)
    activities.put(t, row)
    if command.request_eager_execution:
        task.eager.append(event_id)
    else:
        activities.offer(t, row)


def _check(command: ScheduleActivityTaskCommandAttributes, state: State) -> None:
    queue = command.task_queue.name
    if not command.activity_id:
        raise BadCommand(BAD, "activityId is not set")
    if not command.activity_type.name:
        raise BadCommand(BAD, "activityType is not set")
    for name, text in (("activityId", command.activity_id), ("activityType", command.activity_type.name)):
        if too_long(text):
            raise BadCommand(BAD, f"{name} exceeds length limit. Length={len(text.encode())} Limit=1000")
    if problem := queue_problem(queue):
        raise BadCommand(BAD, problem)
    for name, value in (
        ("ScheduleToCloseTimeout", command.schedule_to_close_timeout),
        ("ScheduleToStartTimeout", command.schedule_to_start_timeout),
        ("StartToCloseTimeout", command.start_to_close_timeout),
        ("HeartbeatTimeout", command.heartbeat_timeout),
    ):
        if negative(value):
            raise BadCommand(BAD, f"invalid {name}: negative duration")
    if not ns_of(command.start_to_close_timeout) and not ns_of(command.schedule_to_close_timeout):
        raise BadCommand(
            BAD,
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
            f"ActivityId={command.activity_id} ActivityType={command.activity_type.name}",
        )
    if problem := checked_policy(command.retry_policy)[1]:
        raise BadCommand(BAD, problem)
    if problem := priority_problem(command.priority):
        raise BadCommand(BAD, f"invalid priorities: {problem}")
    if command.use_workflow_build_id and queue != state.start.task_queue:
        raise BadCommand(BAD, "Activity with UseCompatibleVersion cannot run on different task queue.")


def timeouts(
    schedule_to_close: int, schedule_to_start: int, start_to_close: int, heartbeat: int, run_timeout: int
) -> tuple[int, int, int, int]:
    """The four time-outs filled in from each other and cut to the run's, in nanoseconds."""
    if schedule_to_close:
        schedule_to_start = min(schedule_to_start or schedule_to_close, schedule_to_close)
        start_to_close = min(start_to_close or schedule_to_close, schedule_to_close)
    else:
        schedule_to_close = run_timeout
        schedule_to_start = schedule_to_start or run_timeout
    if run_timeout:
        schedule_to_close = min(schedule_to_close, run_timeout)
        schedule_to_start = min(schedule_to_start, run_timeout)
        start_to_close = min(start_to_close, run_timeout)
        heartbeat = min(heartbeat, run_timeout)
    return schedule_to_close, schedule_to_start, start_to_close, min(heartbeat, start_to_close)


def _event(command: ScheduleActivityTaskCommandAttributes, state: State) -> ActivityTaskScheduledEventAttributes:
    to_close, to_start, start_to_close, heartbeat = timeouts(
        capped(command.schedule_to_close_timeout),
        capped(command.schedule_to_start_timeout),
        capped(command.start_to_close_timeout),
        capped(command.heartbeat_timeout),
        state.start.run_timeout,
    )
    return ActivityTaskScheduledEventAttributes(
        activity_id=command.activity_id,
        activity_type=command.activity_type,
        task_queue=normal_queue(command.task_queue.name),
        header=command.header if command.HasField("header") else None,
        input=command.input if command.HasField("input") else None,
        schedule_to_close_timeout=duration(to_close),
        schedule_to_start_timeout=duration(to_start),
        start_to_close_timeout=duration(start_to_close),
        heartbeat_timeout=duration(heartbeat),
        retry_policy=checked_policy(command.retry_policy)[0],
        use_workflow_build_id=command.use_workflow_build_id,
        priority=command.priority if command.HasField("priority") else None,
    )


def row_of(event: ActivityTaskScheduledEventAttributes, event_id: int, now: int) -> Activity:
    """The activity that a Scheduled event begins."""
    policy = event.retry_policy
    return Activity(
        scheduled_event_id=event_id,
        activity_id=event.activity_id,
        activity_type=event.activity_type.name,
        task_queue=event.task_queue.name,
        state=ActivityState.SCHEDULED,
        attempt=1,
        stamp=0,
        scheduled_time=now,
        attempt_scheduled_time=now,
        started_time=0,
        next_attempt_time=0,
        schedule_to_close=ns_of(event.schedule_to_close_timeout),
        schedule_to_start=ns_of(event.schedule_to_start_timeout),
        start_to_close=ns_of(event.start_to_close_timeout),
        heartbeat_timeout=ns_of(event.heartbeat_timeout),
        retry_initial=ns_of(policy.initial_interval),
        retry_backoff=policy.backoff_coefficient,
        retry_maximum=ns_of(policy.maximum_interval),
        retry_attempts=policy.maximum_attempts,
        retry_non_retryable="\n".join(policy.non_retryable_error_types),
        priority=event.priority.SerializeToString() if event.HasField("priority") else None,
    )


def request_cancel(task: CommandTask, command: RequestCancelActivityTaskCommandAttributes) -> None:
    """Write ActivityTaskCancelRequested; an activity that no worker has is over at once."""
    t = task.t
    scheduled = command.scheduled_event_id
    if scheduled <= 0:
        raise BadCommand(BAD_CANCEL, "ScheduledEventId is not set on RequestCancelActivityTaskCommand.")
    row = t.state.activities.get(scheduled)
    if row.cancel_requested if row is not None else not _ended_in_buffer(t.state, scheduled):
        raise BadCommand(
            BAD_CANCEL,
            "invalid history builder state for action: add-activitytask-cancel-requested-event, "
            f"ScheduledEventID: {scheduled}",
        )
    event_id = t.add(
        E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
        ActivityTaskCancelRequestedEventAttributes(
            scheduled_event_id=scheduled, workflow_task_completed_event_id=task.completed_event_id
        ),
        user_metadata=task.user_metadata,
    )
    if row is not None and activities.request_cancel(t, row, event_id, task.identity):
        task.needs_task = True
        if scheduled in task.eager:
            task.eager.remove(scheduled)


def _ended_in_buffer(state: State, scheduled_event_id: int) -> bool:
    """Whether the activity's end waits in the buffer, unknown to the workflow."""
    ends = (getattr(e, e.WhichOneof("attributes") or "") for e in state.buffered if e.event_type in ENDS)
    return any(getattr(attributes, "scheduled_event_id", 0) == scheduled_event_id for attributes in ends)
