"""The workflow task of an execution: at most one, from scheduled over started to its end.

    NONE --schedule--> SCHEDULED --start--> STARTED --complete | fail | time out--> NONE

Rules (all of them live in this file)
- The first attempt is NORMAL: its Scheduled and Started events are written at once.
- After a failure the next attempt is TRANSIENT: only shown to the worker, written when it completes. Only
  the first failure is written. An event that comes meanwhile makes it NORMAL again, attempt 1.
- A task that carries nothing but an update is SPECULATIVE: shown to the worker, written when it completes
  with something to write, and turned into a NORMAL one as soon as anything else needs a task.
- A failure or time-out while the execution is sticky clears stickiness and does not count as an attempt.
- Waiting too long for a sticky worker (schedule to start) sends the task to the normal queue.
"""

from __future__ import annotations

from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.enums.v1 import EventType, SuggestContinueAsNewReason, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import WorkflowTaskFailedEventAttributes, WorkflowTaskTimedOutEventAttributes

from outlive.core import task_events, versioning
from outlive.core.deadlines import task_due
from outlive.core.effects import dispatch_task
from outlive.core.queue_routing import Target
from outlive.core.state import PAUSED, DeadlineKind, State, TaskKind, TaskState
from outlive.core.transition import Transition
from outlive.limits import (
    WORKFLOW_TASK_RETRY_BACKOFF_INITIAL,
    WORKFLOW_TASK_RETRY_BACKOFF_MAX,
    WORKFLOW_TASK_RETRY_FIRST_ATTEMPTS,
)

E = EventType

# -- schedule ------------------------------------------------------------------------------------------


def schedule(t: Transition, *, dispatch: bool = True, heartbeat_of: int = 0) -> None:
    """Have a worker look at the execution, unless a task for that is there already.

    `heartbeat_of`: the original scheduled time of the task that this one keeps alive.
    `dispatch=False` leaves out the offer to the queue, for a task that is started at once.
    """
    info = t.state.info
    if info.task_state != TaskState.NONE or info.status == PAUSED or info.first_task_at:
        return
    had_buffered = bool(t.state.buffered)
    t.flush()
    if had_buffered:
        info.task_attempt = 1
    kind = TaskKind.TRANSIENT if info.task_attempt > 1 else TaskKind.NORMAL
    _place(t, kind, heartbeat_of or t.now)
    if kind == TaskKind.NORMAL:
        task_events.write_scheduled(t, t.now)
    if dispatch:
        t.effect(dispatch_task(t.state))


def schedule_speculative(t: Transition, *, dispatch: bool = True) -> None:
    """Have a worker look at an update. If another task is pending it carries the update as well."""
    info = t.state.info
    if info.task_state != TaskState.NONE or info.status == PAUSED:
        return
    t.flush()
    if info.task_attempt > 1:
        schedule(t, dispatch=dispatch)
        return
    _place(t, TaskKind.SPECULATIVE, t.now)
    if dispatch:
        t.effect(dispatch_task(t.state))


def _place(t: Transition, kind: TaskKind, original_scheduled_time: int) -> None:
    info = t.state.info
    info.task_state = TaskState.SCHEDULED
    info.task_kind = kind
    info.task_scheduled_event_id = info.next_event_id
    info.task_started_event_id = 0
    info.task_scheduled_time = t.now
    info.task_original_scheduled_time = original_scheduled_time
    info.task_started_time = 0
    info.task_timeout = timeout_of_attempt(t.state.start.task_timeout, info.task_attempt)
    info.task_sticky = bool(info.sticky_queue)
    info.task_request_id = ""
    info.task_identity = ""
    arm(t.state)


def arm(state: State) -> None:
    """Arm the pending task's time-out."""
    due, kind = task_due(state)
    if due:
        state.arm(due, kind, state.info.task_scheduled_event_id)


def timeout_of_attempt(task_timeout: int, attempt: int) -> int:
    """Start to close of an attempt: a task that keeps failing is retried ever more slowly."""
    extra = attempt - WORKFLOW_TASK_RETRY_FIRST_ATTEMPTS
    if extra <= 0:
        return task_timeout
    return task_timeout + min(WORKFLOW_TASK_RETRY_BACKOFF_INITIAL << (extra - 1), WORKFLOW_TASK_RETRY_BACKOFF_MAX)


# -- start ---------------------------------------------------------------------------------------------


def startable(state: State, scheduled_event_id: int, attempt: int) -> bool:
    """Whether an offer made earlier still stands."""
    info = state.info
    return (
        state.open
        and info.task_state == TaskState.SCHEDULED
        and info.task_scheduled_event_id == scheduled_event_id
        and info.task_attempt == attempt
    )


def start(
    t: Transition, *, request_id: str, identity: str, version: Target | None = None, build: bytes | None = None
) -> None:
    """A worker has the task.

    `version`: of that worker; None for one that is given it without its queue. `build`: its
    WorkerVersionStamp, if it said one.
    """
    info = t.state.info
    assert info.task_state == TaskState.SCHEDULED, "no workflow task to start"
    if info.task_kind != TaskKind.NORMAL and info.task_scheduled_event_id != info.next_event_id:
        # Something was written after the task was scheduled: it is a task for that now.
        info.task_kind = TaskKind.NORMAL
        info.task_attempt = 1
        info.task_timeout = t.state.start.task_timeout
        task_events.write_scheduled(t, info.task_scheduled_time)
    info.task_state = TaskState.STARTED
    info.task_started_time = t.now
    info.task_request_id = request_id
    info.task_identity = identity
    info.task_build = build
    info.task_suggest = suggestion(t)
    info.task_history_size = info.history_size
    if version is not None:
        versioning.notice_target(t.state, t.context.routes)
    if info.task_kind == TaskKind.NORMAL:
        task_events.write_started(t)
    else:
        info.task_started_event_id = info.task_scheduled_event_id + 1
    if version is not None and info.task_kind != TaskKind.SPECULATIVE:
        versioning.begin_transition(t.state, version)
    arm(t.state)


def suggestion(t: Transition) -> int:
    """Why the workflow should continue as new, as bits of SuggestContinueAsNewReason."""
    info, limits = t.state.info, t.limits
    bits = 0
    if info.history_size >= limits.suggest_size:
        bits |= 1 << SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE
    if info.next_event_id - 1 >= limits.suggest_events:
        bits |= 1 << SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS
    if len(t.state.updates) >= limits.updates_total_max * 9 // 10:
        bits |= 1 << SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES
    return bits


# -- end -----------------------------------------------------------------------------------------------


def clear(state: State) -> None:
    """The task is over; nothing is pending."""
    info = state.info
    info.task_state = TaskState.NONE
    info.task_kind = TaskKind.NORMAL
    info.task_started_time = 0
    info.task_scheduled_time = 0
    info.task_original_scheduled_time = 0
    info.task_scheduled_event_id = 0
    info.task_started_event_id = 0
    info.task_sticky = False


def clear_sticky(state: State) -> None:
    """Forget the worker that has the execution cached."""
    state.info.sticky_queue = ""
    state.info.sticky_timeout = 0


def offer_again(t: Transition) -> None:
    """Offer the task to where it belongs now, if it waits for a worker."""
    if t.state.info.task_state == TaskState.SCHEDULED:
        t.state.info.task_sticky = t.state.info.task_sticky and bool(t.state.info.sticky_queue)
        arm(t.state)
        t.effect(dispatch_task(t.state))


def fail(
    t: Transition,
    cause: WorkflowTaskFailedCause.ValueType,
    *,
    failure: Failure | None = None,
    identity: str = "",
    base_run_id: str = "",
    new_run_id: str = "",
    worker_version: WorkerVersionStamp | None = None,
    counts: bool = True,
) -> None:
    """The started task failed. Writes WorkflowTaskFailed, except for a retry of a failed one."""
    info = t.state.info
    if info.task_kind == TaskKind.SPECULATIVE:
        task_events.write_pending(t)
    if info.task_kind == TaskKind.NORMAL:
        t.add(
            E.EVENT_TYPE_WORKFLOW_TASK_FAILED,
            WorkflowTaskFailedEventAttributes(
                scheduled_event_id=info.task_scheduled_event_id,
                started_event_id=info.task_started_event_id,
                cause=cause,
                failure=failure,
                identity=identity,
                base_run_id=base_run_id,
                new_run_id=new_run_id,
                worker_version=worker_version,
            ),
        )
    _end_attempt(t, counts=counts)


def _end_attempt(t: Transition, *, counts: bool) -> None:
    """Count the attempt, unless the execution was sticky; then it is not any more."""
    info = t.state.info
    counts = counts and not info.sticky_queue
    clear_sticky(t.state)
    clear(t.state)
    info.task_attempt = info.task_attempt + 1 if counts else 1


def time_out(t: Transition, kind: TimeoutType.ValueType) -> None:
    """The task was not started, or not completed, in time; the next one is scheduled."""
    info = t.state.info
    before_start = kind == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    if info.task_kind == TaskKind.SPECULATIVE:
        task_events.write_pending(t)
    if info.task_kind == TaskKind.NORMAL:
        t.add(
            E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
            WorkflowTaskTimedOutEventAttributes(
                scheduled_event_id=info.task_scheduled_event_id,
                started_event_id=0 if before_start else info.task_started_event_id,
                timeout_type=kind,
            ),
        )
    _end_attempt(t, counts=not before_start)
    schedule(t)


def due(t: Transition, kind: DeadlineKind) -> bool:
    """Whether the pending task's time-out is over now."""
    at, pending = task_due(t.state)
    return bool(at) and at <= t.now and pending == kind


def arm_later(t: Transition, kind: DeadlineKind) -> None:
    """A reminder came too early, for another attempt of the same task: arm the one that counts."""
    at, pending = task_due(t.state)
    if at > t.now and pending == kind:
        t.state.arm(at, pending, t.state.info.task_scheduled_event_id)
