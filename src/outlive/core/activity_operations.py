"""What people do to a pending activity: pause, unpause, reset, change its options.

Rules (all of them live in this file)
- A paused activity that no worker has is not handed out. One that a worker has is told by its heartbeat, may end,
  and is not tried again until it is unpaused.
- Unpausing and resetting make an attempt that waits go to its queue at once, or within the jitter asked for. It
  begins without the failure of the one before.
- Resetting an attempt that a worker has, other than the first, makes its token void: the worker's answer counts no
  more, and the attempt ends by its time-out. In its first attempt the worker is told by its heartbeat, and may
  end. Either way the next attempt is the first, and the one that was reset does not count.
- Changed options count from the moment they are changed; an attempt that waits moves to its new queue.
- What changes nothing is no error, but for pausing once more by another request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.history.v1 import HistoryEvent

from outlive.core import activities, pause_info, retry
from outlive.core.commands.activity import row_of, timeouts
from outlive.core.commands.base import capped, negative, priority_problem, queue_problem
from outlive.core.proto import duration
from outlive.core.requests import require_open
from outlive.core.state import Activity, ActivityState, State
from outlive.core.transition import Transition
from outlive.errors import FailedPrecondition, InvalidArgument, NotFound

_CAPITAL = re.compile("[A-Z]")
_NONE = "Can't find pending activity with such ID. Invalid activityID or activity already completed"


@dataclass(frozen=True, slots=True)
class Which:
    """The activities that are meant: one by id, or all of a type, or all."""

    activity_id: str = ""
    activity_type: str = ""
    match_all: bool = False


@dataclass(frozen=True, slots=True)
class Again:
    """How an activity goes on: `jitter` nanoseconds at most, of which `share` (0 to 1) is waited."""

    reset_attempts: bool = False
    reset_heartbeat: bool = False
    keep_paused: bool = False
    restore_options: bool = False
    jitter: int = 0
    share: Callable[[], float] = lambda: 0.0


def find(state: State, which: Which) -> list[Activity]:
    """The pending activities that are meant. Raises NotFound if there is none."""
    require_open(state)
    if which.activity_id:
        rows = [row for row in state.activities if row.activity_id == which.activity_id]
    else:
        rows = [row for row in state.activities if which.match_all or row.activity_type == which.activity_type]
    if not rows:
        raise NotFound(_NONE)
    return rows


# -- pausing -----------------------------------------------------------------------------------------------


def pause(t: Transition, which: Which, identity: str, reason: str, request_id: str) -> None:
    """PauseActivity. Raises FailedPrecondition for one that another request has paused."""
    for row in find(t.state, which):
        if row.paused_at:
            if which.activity_id and row.pause_request_id != request_id:
                raise FailedPrecondition("activity is already paused")
            continue
        stamp = row.stamp if row.state == ActivityState.STARTED else row.stamp + 1
        paused = replace(
            row,
            stamp=stamp,
            paused_at=t.now,
            pause_identity=identity,
            pause_reason=reason,
            pause_request_id=request_id,
        )
        activities.put(t, paused)
    pause_info.note(t.state)


def unpause(t: Transition, which: Which, again: Again) -> None:
    """UnpauseActivity."""
    for row in find(t.state, which):
        if not row.paused_at:
            continue
        row = replace(_unpaused(row), attempt=1) if again.reset_attempts else _unpaused(row)
        if row.state == ActivityState.STARTED:
            activities.put(t, _without_heartbeat(row, later=True) if again.reset_heartbeat else row)
        else:
            row = replace(row, last_failure=None)
            _go_on(t, _without_heartbeat(row, later=False) if again.reset_heartbeat else row, again)
    pause_info.note(t.state)


def _unpaused(row: Activity) -> Activity:
    return replace(row, paused_at=0, pause_identity="", pause_reason="", pause_request_id="")


def _without_heartbeat(row: Activity, *, later: bool) -> Activity:
    """The row with its heartbeat forgotten, now or when the attempt ends."""
    return replace(row, reset_heartbeat=True) if later else replace(row, heartbeat_details=None, heartbeat_time=0)


def _go_on(t: Transition, row: Activity, again: Again) -> None:
    """Let a waiting attempt go to its queue, at once or after a part of the jitter."""
    row = replace(row, stamp=row.stamp + 1, retry_interval=0)
    delay = int(again.jitter * again.share()) if again.jitter > 0 else 0
    if delay:
        activities.put(t, replace(row, state=ActivityState.BACKOFF, next_attempt_time=t.now + delay))
    else:
        activities.next_attempt(t, row)


# -- resetting -----------------------------------------------------------------------------------------------


def reset(t: Transition, which: Which, again: Again) -> None:
    """ResetActivity: the next attempt is the first."""
    for row in find(t.state, which):
        if again.restore_options:
            row = _restored(t, row)
        if row.paused_at and not again.keep_paused:
            row = _unpaused(row)
        later = row.attempt > 1
        row = replace(row, attempt=1)
        if row.state == ActivityState.STARTED:
            row = replace(row, stamp=row.stamp + 1 if later else row.stamp, reset_requested=True)
            activities.put(t, _without_heartbeat(row, later=True) if again.reset_heartbeat else row)
            continue
        row = replace(row, last_failure=None)
        if again.reset_heartbeat:
            row = _without_heartbeat(row, later=False)
        if row.paused_at:
            activities.put(t, replace(row, state=ActivityState.SCHEDULED, stamp=row.stamp + 1, next_attempt_time=0))
        else:
            _go_on(t, row, again)
    pause_info.note(t.state)


# -- options -------------------------------------------------------------------------------------------------


def options_of(row: Activity) -> ActivityOptions:
    """The options of the activity as they are now (``temporal.api.activity.v1.ActivityOptions``)."""
    result = ActivityOptions(
        schedule_to_close_timeout=duration(row.schedule_to_close),
        schedule_to_start_timeout=duration(row.schedule_to_start),
        start_to_close_timeout=duration(row.start_to_close),
        heartbeat_timeout=duration(row.heartbeat_timeout),
        retry_policy=activities.retry_policy(row),
    )
    result.task_queue.name = row.task_queue
    if row.priority is not None:
        result.priority.ParseFromString(row.priority)
    return result


def update(
    t: Transition, which: Which, wanted: ActivityOptions | None, mask: FieldMask | None, *, restore: bool
) -> ActivityOptions:
    """UpdateActivityOptions: those that the mask names, or all as they were at first. Returns the options now.

    Raises InvalidArgument for options that no activity may have; then nothing has changed.
    """
    rows = find(t.state, which)
    if restore and mask is not None:
        raise InvalidArgument("Both UpdateMask and RestoreOriginal are provided")
    if not restore and mask is None:
        raise InvalidArgument("UpdateMask is not provided")
    if not restore and wanted is None:
        raise InvalidArgument("ActivityOptions are not provided")
    changed = []
    for row in rows:
        if wanted is None or mask is None:
            changed.append(_restored(t, row))
        else:
            options = options_of(row)
            known = _known(mask)
            if "retry_policy" in known.paths and not wanted.HasField("retry_policy"):
                raise InvalidArgument("RetryPolicy is not provided")
            known.MergeMessage(wanted, options, True, True)
            changed.append(_with_options(t.state, row, options))
    for before, row in zip(rows, changed, strict=True):
        if row != before:
            _take_over(t, row)
    return options_of(changed[0]) if changed else ActivityOptions()


def _known(mask: FieldMask) -> FieldMask:
    """The paths that mean something, in either spelling; others are passed over, as the protocol's own server does."""
    fields = ActivityOptions.DESCRIPTOR.fields_by_name
    known = []
    for path in (_CAPITAL.sub(lambda found: "_" + found[0].lower(), path) for path in mask.paths):
        name, _, inner = path.partition(".")
        message = fields[name].message_type if name in fields else None
        if name in fields and (not inner or (message is not None and inner in message.fields_by_name)):
            known.append(path)
    return FieldMask(paths=known)


def _restored(t: Transition, row: Activity) -> Activity:
    """The activity with the options that it was scheduled with."""
    event: HistoryEvent = activities.scheduled_event(t, row)
    first = row_of(event.activity_task_scheduled_event_attributes, row.scheduled_event_id, row.scheduled_time)
    return _with_options(t.state, row, options_of(first))


def _with_options(state: State, row: Activity, options: ActivityOptions) -> Activity:
    if not options.task_queue.name:
        raise InvalidArgument("missing task queue name")
    if problem := queue_problem(options.task_queue.name) or priority_problem(options.priority):
        raise InvalidArgument(problem)
    spans = (
        ("ScheduleToCloseTimeout", options.schedule_to_close_timeout),
        ("ScheduleToStartTimeout", options.schedule_to_start_timeout),
        ("StartToCloseTimeout", options.start_to_close_timeout),
        ("HeartbeatTimeout", options.heartbeat_timeout),
    )
    for name, value in spans:
        if negative(value):
            raise InvalidArgument(f"invalid {name}: negative duration")
    to_close, to_start, start_to_close, heartbeat = (capped(value) for _, value in spans)
    if not to_close and not start_to_close:
        raise InvalidArgument(
            "a valid StartToCloseTimeout or ScheduleToCloseTimeout must be set on the activity. "
            f"ActivityId={row.activity_id} ActivityType={row.activity_type}"
        )
    if problem := retry.problem(options.retry_policy):
        raise InvalidArgument(problem)
    to_close, to_start, start_to_close, heartbeat = timeouts(
        to_close, to_start, start_to_close, heartbeat, state.start.run_timeout
    )
    policy = retry.with_defaults(options.retry_policy)
    return replace(
        row,
        task_queue=options.task_queue.name,
        schedule_to_close=to_close,
        schedule_to_start=to_start,
        start_to_close=start_to_close,
        heartbeat_timeout=heartbeat,
        retry_initial=capped(policy.initial_interval),
        retry_backoff=policy.backoff_coefficient,
        retry_maximum=capped(policy.maximum_interval),
        retry_attempts=policy.maximum_attempts,
        retry_non_retryable="\n".join(policy.non_retryable_error_types),
        priority=options.priority.SerializeToString() if options.HasField("priority") else None,
    )


def _take_over(t: Transition, row: Activity) -> None:
    """Have changed options count: offers are made again, a wait before the next attempt is measured again."""
    if row.state == ActivityState.SCHEDULED:
        row = replace(row, stamp=row.stamp + 1)
        activities.put(t, row)
        activities.offer(t, row)
        return
    if row.state == ActivityState.BACKOFF and row.retry_interval:
        interval = retry.interval(row.retry_initial, row.retry_backoff, row.retry_maximum, row.attempt - 1)
        began = row.next_attempt_time - row.retry_interval
        row = replace(row, retry_interval=interval, next_attempt_time=began + interval)
    activities.put(t, row)
