"""What an execution waits for in time, derived from its rows.

Every pending thing with a time has an entry in the heap of `State.deadlines`, at its due time or earlier.
An entry is a reminder, not a fact: when it comes up the row decides whether anything is due, and a
reminder that came too early (a heartbeat has moved the time on) is armed again. Where time is skipped only
facts count: `next_due` drops the reminders that nothing stands behind.
"""

from __future__ import annotations

import heapq

from outlive.core import callback_infos
from outlive.core.state import Activity, ActivityState, Deadline, DeadlineKind, State, TaskKind, TaskState
from outlive.limits import SPECULATIVE_SCHEDULE_TO_START


def activity_due(row: Activity) -> int:
    """When the activity must be looked at next; 0 if it has no time-out that runs now."""
    candidates: list[int] = []
    if row.schedule_to_close:
        candidates.append(row.scheduled_time + row.schedule_to_close)
    if row.state == ActivityState.BACKOFF:
        if not row.paused_at:
            candidates.append(row.next_attempt_time)
    elif row.state == ActivityState.SCHEDULED:
        if row.schedule_to_start and not row.paused_at:
            candidates.append(row.attempt_scheduled_time + row.schedule_to_start)
    else:
        if row.start_to_close:
            candidates.append(row.started_time + row.start_to_close)
        if row.heartbeat_timeout:
            candidates.append(max(row.heartbeat_time, row.started_time) + row.heartbeat_timeout)
    return min(candidates, default=0)


def task_due(state: State) -> tuple[int, DeadlineKind]:
    """When the pending workflow task times out, and by which time-out; (0, ...) for never."""
    info = state.info
    if info.task_state == TaskState.STARTED:
        return info.task_started_time + info.task_timeout, DeadlineKind.TASK_START_TO_CLOSE
    if info.task_state == TaskState.SCHEDULED:
        if info.task_sticky and info.sticky_timeout:
            return info.task_scheduled_time + info.sticky_timeout, DeadlineKind.TASK_SCHEDULE_TO_START
        if info.task_kind == TaskKind.SPECULATIVE:
            return info.task_scheduled_time + SPECULATIVE_SCHEDULE_TO_START, DeadlineKind.TASK_SCHEDULE_TO_START
    return 0, DeadlineKind.TASK_START_TO_CLOSE


def rebuild(state: State) -> None:
    """Fill the heap of a state that was just loaded."""
    state.deadlines.clear()
    info = state.info
    if not state.open:
        if info.forget_at:
            state.arm(info.forget_at, DeadlineKind.RETENTION)
        for number, callback in enumerate(callback_infos.of(state)):
            due = callback_infos.next_attempt(callback)
            if due:
                state.arm(due, DeadlineKind.CALLBACK, number)
        return
    if info.execution_expires_at:
        state.arm(info.execution_expires_at, DeadlineKind.EXECUTION)
    if info.run_expires_at:
        state.arm(info.run_expires_at, DeadlineKind.RUN)
    if info.first_task_at:
        state.arm(info.first_task_at, DeadlineKind.FIRST_TASK)
    if info.fast_forward_at:
        state.arm(info.fast_forward_at, DeadlineKind.FAST_FORWARD)
    due, kind = task_due(state)
    if due:
        state.arm(due, kind, info.task_scheduled_event_id)
    for timer in state.timers:
        state.arm(timer.fires_at, DeadlineKind.TIMER, timer.timer_id)
    for activity in state.activities:
        due = activity_due(activity)
        if due:
            state.arm(due, DeadlineKind.ACTIVITY, activity.scheduled_event_id)


def next_due(state: State) -> int:
    """When something of the execution really falls due next; 0 for never.

    Costs what it drops: reminders that are in vain, such as those of cancelled timers.
    """
    heap = state.deadlines
    while heap:
        due = _due_now(state, heap[0])
        if due == heap[0][0]:
            return due
        _, kind, key = heapq.heappop(heap)
        if due:
            heapq.heappush(heap, (due, kind, key))
    return 0


def _due_now(state: State, deadline: Deadline) -> int:
    """When the thing that a reminder is of falls due; 0 if it does not any more."""
    _, kind, key = deadline
    info = state.info
    if kind == DeadlineKind.CALLBACK:
        return callback_infos.next_attempt(callback_infos.of(state)[int(key)])
    if kind == DeadlineKind.RETENTION or not state.open:
        return info.forget_at if kind == DeadlineKind.RETENTION and not state.open else 0
    if kind == DeadlineKind.TIMER:
        timer = state.timers.get(str(key))
        return timer.fires_at if timer is not None else 0
    if kind == DeadlineKind.ACTIVITY:
        activity = state.activities.get(int(key))
        return activity_due(activity) if activity is not None else 0
    if kind == DeadlineKind.EXECUTION:
        return info.execution_expires_at
    if kind == DeadlineKind.RUN:
        return info.run_expires_at
    if kind == DeadlineKind.FIRST_TASK:
        return info.first_task_at
    if kind == DeadlineKind.FAST_FORWARD:
        return info.fast_forward_at
    due, pending = task_due(state)
    return due if pending == kind and key == info.task_scheduled_event_id else 0
