"""Activities of a workflow: from the command that schedules one to the event that closes it.

    SCHEDULED --start--> STARTED --complete | fail | cancel | time out--> closed
        ^                   |
        |                   | fails, and may be tried again
        +----- BACKOFF <----+

Rules (all of them live in this file)
- The Started event is written together with the event that closes the activity: attempts in between
  change only the row. So history shows one Started with the last attempt's number.
- `stamp` changes whenever an offer or a token given out earlier must not count any more.
- Schedule-to-start and schedule-to-close time-outs end the activity. Start-to-close and heartbeat
  time-outs end the attempt.
- With a cancel requested nothing is tried again.
- An activity that no worker has is cancelled at once; one that a worker has is told by its heartbeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from temporalio.api.common.v1 import ActivityType, Payloads, RetryPolicy, WorkerVersionStamp
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure, TimeoutFailureInfo
from temporalio.api.history.v1 import (
    ActivityTaskCanceledEventAttributes,
    ActivityTaskCompletedEventAttributes,
    ActivityTaskFailedEventAttributes,
    ActivityTaskStartedEventAttributes,
    ActivityTaskTimedOutEventAttributes,
    HistoryEvent,
)

from outlive.core import pause_info, retry, versioning, workflow_task
from outlive.core.deadlines import activity_due
from outlive.core.effects import DispatchActivity
from outlive.core.proto import json_payload, truncated
from outlive.core.queue_routing import Target
from outlive.core.requests import require_open
from outlive.core.state import BUFFERED, PAUSED, Activity, ActivityState, DeadlineKind, State
from outlive.core.transition import Transition
from outlive.core.version_names import VersionName
from outlive.errors import InvalidArgument, NotFound
from outlive.limits import LAST_FAILURE_MAX

E = EventType
T = TimeoutType
NOT_STARTED = "ACTIVITY_ID_NOT_STARTED"
GONE = "invalid activityID or activity already timed out or invoking workflow is completed"
NO_TIME_LEFT = "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"


def find(state: State, scheduled_event_id: int) -> Activity:
    """The pending activity. Raises NotFound, in the words that SDKs know, if there is none."""
    require_open(state)
    row = state.activities.get(scheduled_event_id)
    if row is None:
        raise NotFound(GONE)
    return row


def find_by_id(state: State, activity_id: str) -> Activity:
    """The pending activity with that id."""
    require_open(state)
    scheduled_event_id = state.activity_ids.get(activity_id)
    if scheduled_event_id is None:
        raise NotFound(
            f"cannot find pending activity with ActivityID {activity_id}, "
            "check workflow execution history for more details"
        )
    return find(state, scheduled_event_id)


def put(t: Transition, row: Activity) -> None:
    """Take the row over, and have its next time-out looked at."""
    t.state.activities.put(row.scheduled_event_id, row)
    t.state.activity_ids[row.activity_id] = row.scheduled_event_id
    due = activity_due(row)
    if due:
        t.state.arm(due, DeadlineKind.ACTIVITY, row.scheduled_event_id)


def remove(t: Transition, row: Activity) -> None:
    t.state.activities.pop(row.scheduled_event_id)
    t.state.activity_ids.pop(row.activity_id, None)
    if row.paused_at:
        pause_info.note(t.state)


def offer(t: Transition, row: Activity) -> None:
    """Offer the attempt to its queue, unless it is paused."""
    if not row.paused_at:
        t.effect(DispatchActivity(row.scheduled_event_id, row.stamp, row.task_queue, row.priority))


def move_first(t: Transition, to: Target) -> None:
    """An activity was about to start on a version that the run would go to as well: the run moves there first."""
    if versioning.begin_transition(t.state, to):
        workflow_task.schedule(t)
        workflow_task.offer_again(t)


def offer_again(t: Transition, waited: int) -> None:
    """Offer what waits for a worker once more, for another version than before.

    `waited`: nanoseconds of a workflow task that do not count as waiting for a worker.
    """
    for row in list(t.state.activities):
        if row.state == ActivityState.SCHEDULED:
            moved = replace(row, stamp=row.stamp + 1, attempt_scheduled_time=row.attempt_scheduled_time + waited)
            put(t, moved)
            offer(t, moved)


def retry_policy(row: Activity) -> RetryPolicy:
    """The policy as a message."""
    policy = RetryPolicy(
        backoff_coefficient=row.retry_backoff,
        maximum_attempts=row.retry_attempts,
        non_retryable_error_types=non_retryable_types(row),
    )
    policy.initial_interval.FromNanoseconds(row.retry_initial)
    policy.maximum_interval.FromNanoseconds(row.retry_maximum)
    return policy


def non_retryable_types(row: Activity) -> Sequence[str]:
    return row.retry_non_retryable.split("\n") if row.retry_non_retryable else ()


# -- start -----------------------------------------------------------------------------------------------


def startable(state: State, scheduled_event_id: int, stamp: int) -> bool:
    """Whether an offer made earlier still stands."""
    row = state.activities.get(scheduled_event_id) if state.open and state.info.status != PAUSED else None
    return row is not None and row.stamp == stamp and row.state == ActivityState.SCHEDULED and not row.paused_at


def start(
    t: Transition,
    scheduled_event_id: int,
    *,
    request_id: str,
    identity: str,
    version: VersionName | None = None,
    build: bytes | None = None,
) -> Activity:
    """A worker has the attempt. `build`: its WorkerVersionStamp, if it said one. Writes no event."""
    row = replace(
        t.state.activities.rows[scheduled_event_id],
        state=ActivityState.STARTED,
        started_time=t.now,
        request_id=request_id,
        identity=identity,
        worker_version=version.message().SerializeToString() if version is not None else None,
        build=build,
    )
    put(t, row)
    return row


def scheduled_event(t: Transition, row: Activity) -> HistoryEvent:
    """The event that the activity was scheduled by: its input and header are only there."""
    return t.read_event(row.scheduled_event_id)


# -- answers ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Answer:
    """Who answers. `stamp` is that of the token; None for an answer by id."""

    scheduled_event_id: int
    stamp: int | None
    identity: str
    worker_version: WorkerVersionStamp | None = None


def _answered(t: Transition, answer: Answer, *, may_wait: bool = False) -> Activity:
    """The activity an answer is for; NotFound if the answer comes too late."""
    row = find(t.state, answer.scheduled_event_id)
    if answer.stamp is not None and answer.stamp != row.stamp:
        raise NotFound(GONE)
    if row.state != ActivityState.STARTED and not may_wait:
        raise NotFound(GONE)
    return row


def complete(t: Transition, answer: Answer, result: Payloads | None) -> None:
    """RespondActivityTaskCompleted and its like by id, which may even come before the start."""
    row = _answered(t, answer, may_wait=answer.stamp is None)
    if result is not None and result.ByteSize() >= t.limits.payload_size_max:
        fail(t, answer, _server_failure("Complete result exceeds size limit."), None)
        return
    if row.state != ActivityState.STARTED:
        row = replace(row, request_id="", identity=answer.identity)
    _write_started(t, row)
    t.add(
        E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        ActivityTaskCompletedEventAttributes(
            result=result,
            scheduled_event_id=row.scheduled_event_id,
            started_event_id=_started_id(row),
            identity=answer.identity,
        ),
    )
    _closed(t, row)


def acceptable(failure: Failure, size_max: int) -> Failure:
    """The failure as it may be kept: one that is too large is cut, and not tried again."""
    result = truncated(failure, size_max)
    if result is not failure:
        result.server_failure_info.non_retryable = True
    return result


def fail(t: Transition, answer: Answer, failure: Failure, heartbeat: Payloads | None) -> None:
    """RespondActivityTaskFailed: tries again, or writes ActivityTaskFailed."""
    row = _answered(t, answer)
    if heartbeat is not None:
        row = replace(row, heartbeat_details=heartbeat.SerializeToString(), heartbeat_time=t.now)
    verdict = _judge(t, row, failure)
    if verdict.delay is not None:
        back_off(t, row, failure, verdict.delay)
        return
    _write_started(t, row)
    t.add(
        E.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        ActivityTaskFailedEventAttributes(
            failure=failure,
            scheduled_event_id=row.scheduled_event_id,
            started_event_id=_started_id(row),
            identity=answer.identity,
            retry_state=verdict.state,
        ),
    )
    _closed(t, row)


def cancel(t: Transition, answer: Answer, details: Payloads | None) -> None:
    """RespondActivityTaskCanceled: only after a cancel was requested."""
    row = _answered(t, answer)
    if not row.cancel_requested:
        raise InvalidArgument("unable to mark activity as canceled without activity being request canceled first")
    _write_started(t, row)
    _write_canceled(t, row, details, answer.identity)
    _closed(t, row)


def heartbeat(t: Transition, answer: Answer, details: Payloads | None) -> Activity | None:
    """RecordActivityTaskHeartbeat. None if the activity was failed for details that are too large."""
    row = _answered(t, answer)
    if details is not None and details.ByteSize() >= t.limits.payload_size_max:
        fail(t, answer, _server_failure("Heartbeat details exceed size limit."), None)
        return None
    row = replace(row, heartbeat_time=t.now, heartbeat_details=details.SerializeToString() if details else None)
    t.state.activities.put(row.scheduled_event_id, row)
    return row


def _server_failure(message: str) -> Failure:
    failure = Failure(message=message)
    failure.server_failure_info.non_retryable = True
    return failure


# -- retry -----------------------------------------------------------------------------------------------


def _judge(t: Transition, row: Activity, failure: Failure) -> retry.Verdict:
    if row.cancel_requested:
        return retry.Verdict(None, RetryState.RETRY_STATE_CANCEL_REQUESTED)
    return retry.judge(
        failure,
        attempt=row.attempt - 1 if row.reset_requested else row.attempt,  # a reset one does not count
        now=t.now,
        initial=row.retry_initial,
        backoff=row.retry_backoff,
        maximum=row.retry_maximum,
        attempts_max=row.retry_attempts,
        non_retryable=non_retryable_types(row),
        expires_at=row.scheduled_time + row.schedule_to_close if row.schedule_to_close else 0,
    )


def back_off(t: Transition, row: Activity, failure: Failure, delay: int, *, answered: bool = True) -> None:
    """The attempt is over; the next one waits. `answered`: by its worker, not by a time-out."""
    reset = row.reset_requested
    row = replace(
        row,
        state=ActivityState.BACKOFF,
        attempt=1 if reset else row.attempt + 1,
        stamp=row.stamp + 1,
        next_attempt_time=t.now if reset else t.now + delay,
        retry_interval=0 if reset else delay,
        last_failure=truncated(failure, LAST_FAILURE_MAX).SerializeToString(),
        last_attempt_complete_time=t.now if answered else row.last_attempt_complete_time,
        started_time=0,
        request_id="",
        reset_requested=False,
    )
    if row.reset_heartbeat:
        row = replace(row, heartbeat_details=None, heartbeat_time=0, reset_heartbeat=False)
    put(t, row)


def next_attempt(t: Transition, row: Activity) -> None:
    """The back-off is over: the attempt goes to its queue."""
    row = replace(row, state=ActivityState.SCHEDULED, attempt_scheduled_time=t.now, next_attempt_time=0)
    put(t, row)
    offer(t, row)


# -- time ------------------------------------------------------------------------------------------------


def wake(t: Transition, scheduled_event_id: int) -> None:
    """A deadline of the activity came up: do what is due, or arm the one that is next."""
    row = t.state.activities.get(scheduled_event_id)
    if row is None:
        return
    due = activity_due(row)
    if not due:
        return
    if due > t.now:
        t.state.arm(due, DeadlineKind.ACTIVITY, scheduled_event_id)
        return
    kind = _timed_out(row, t.now)
    if kind is None:
        next_attempt(t, row)
    elif kind in (T.TIMEOUT_TYPE_START_TO_CLOSE, T.TIMEOUT_TYPE_HEARTBEAT):
        _time_out_attempt(t, row, kind)
    else:
        _time_out(t, row, _timeout_failure(row, kind), RetryState.RETRY_STATE_TIMEOUT)


def _timed_out(row: Activity, now: int) -> TimeoutType.ValueType | None:
    """Which time-out is over; None if it is the back-off. A tie goes to the one that started last."""
    if row.state == ActivityState.SCHEDULED:
        if row.schedule_to_start and not row.paused_at and row.attempt_scheduled_time + row.schedule_to_start <= now:
            return T.TIMEOUT_TYPE_SCHEDULE_TO_START
    elif row.state == ActivityState.BACKOFF and not row.paused_at and row.next_attempt_time <= now:
        return None
    if row.schedule_to_close and row.scheduled_time + row.schedule_to_close <= now:
        return T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
    if row.start_to_close and row.started_time + row.start_to_close <= now:
        return T.TIMEOUT_TYPE_START_TO_CLOSE
    return T.TIMEOUT_TYPE_HEARTBEAT


def _timeout_failure(row: Activity, kind: TimeoutType.ValueType) -> Failure:
    text = NO_TIME_LEFT
    if kind != T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE:
        text = f"activity {retry.timeout_name(kind)} timeout"
    details = Payloads.FromString(row.heartbeat_details) if row.heartbeat_details is not None else None
    return Failure(
        message=text,
        source="Server",
        timeout_failure_info=TimeoutFailureInfo(timeout_type=kind, last_heartbeat_details=details),
    )


def _time_out_attempt(t: Transition, row: Activity, kind: TimeoutType.ValueType) -> None:
    failure = _timeout_failure(row, kind)
    verdict = _judge(t, row, failure)
    if verdict.delay is not None:
        failure.timeout_failure_info.ClearField("last_heartbeat_details")  # they stay with the activity
        back_off(t, row, failure, verdict.delay, answered=False)
        return
    if verdict.state == RetryState.RETRY_STATE_TIMEOUT:
        cause = failure
        failure = _timeout_failure(row, T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
        failure.cause.CopyFrom(cause)
    _time_out(t, row, failure, verdict.state)


def _time_out(t: Transition, row: Activity, failure: Failure, state: RetryState.ValueType) -> None:
    if row.last_failure is not None and not failure.HasField("cause"):
        failure.cause.ParseFromString(row.last_failure)
    started = row.state == ActivityState.STARTED
    if started:
        _write_started(t, row)
    t.add(
        E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        ActivityTaskTimedOutEventAttributes(
            failure=failure,
            scheduled_event_id=row.scheduled_event_id,
            started_event_id=_started_id(row) if started else 0,
            retry_state=state,
        ),
    )
    _closed(t, row)


# -- cancelling by the workflow ----------------------------------------------------------------------------


def request_cancel(t: Transition, row: Activity, cancel_event_id: int, identity: str) -> bool:
    """The workflow asks for it. True if no worker had the activity and it is over at once."""
    if row.state != ActivityState.STARTED:
        row = replace(row, cancel_requested=True, cancel_event_id=cancel_event_id)
        _write_canceled(t, row, Payloads(payloads=[json_payload(NOT_STARTED)]), identity, started=False)
        remove(t, row)
        return True
    put(t, replace(row, cancel_requested=True, cancel_event_id=cancel_event_id))
    return False


# -- events ------------------------------------------------------------------------------------------------


def _started_id(row: Activity) -> int:
    return row.started_event_id or BUFFERED


def _write_started(t: Transition, row: Activity) -> None:
    """Write the Started event that was kept back."""
    if row.started_event_id:
        return
    t.add(
        E.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        ActivityTaskStartedEventAttributes(
            scheduled_event_id=row.scheduled_event_id,
            identity=row.identity,
            request_id=row.request_id,
            attempt=row.attempt,
            last_failure=Failure.FromString(row.last_failure) if row.last_failure is not None else None,
            worker_version=WorkerVersionStamp.FromString(row.build) if row.build is not None else None,
        ),
    )
    if row.started_time:
        t.state.buffered[-1].event_time.FromNanoseconds(row.started_time)


def _write_canceled(
    t: Transition, row: Activity, details: Payloads | None, identity: str, *, started: bool = True
) -> None:
    t.add(
        E.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
        ActivityTaskCanceledEventAttributes(
            details=details,
            latest_cancel_requested_event_id=row.cancel_event_id,
            scheduled_event_id=row.scheduled_event_id,
            started_event_id=_started_id(row) if started else 0,
            identity=identity,
        ),
    )


def _closed(t: Transition, row: Activity) -> None:
    """The activity is over: the workflow is to look at it."""
    remove(t, row)
    workflow_task.schedule(t)


def activity_type(row: Activity) -> ActivityType:
    return ActivityType(name=row.activity_type)


def merged_priority(state: State, own: bytes | None) -> bytes | None:
    """The activity's Priority, encoded: what its own leaves out is the workflow's.

    Messages one after the other decode into their merger.
    """
    return (state.priority or b"") + (own or b"") or None
