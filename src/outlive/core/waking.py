"""Time passing: everything of an execution that is due."""

from __future__ import annotations

import heapq

from temporalio.api.enums.v1 import TimeoutType

from outlive.core import activities, callbacks, close, runs, time_skipping, tracking, workflow_task
from outlive.core.commands import timer
from outlive.core.state import DeadlineKind, TaskState
from outlive.core.transition import Transition


def wake(t: Transition) -> bool:
    """Do all that is due by now, soonest first. True if the run is to be forgotten."""
    state = t.state
    while state.deadlines and state.deadlines[0][0] <= t.now:
        _, kind, key = heapq.heappop(state.deadlines)
        if _fall_due(t, DeadlineKind(kind), key):
            return True
    return False


def _fall_due(t: Transition, kind: DeadlineKind, key: int | str) -> bool:
    state, info = t.state, t.state.info
    if kind == DeadlineKind.CALLBACK:
        callbacks.due(t, int(key))
        return False
    if not state.open:
        return kind == DeadlineKind.RETENTION and 0 < info.forget_at <= t.now
    if kind == DeadlineKind.TIMER:
        timer.fire(t, str(key))
    elif kind == DeadlineKind.ACTIVITY:
        activities.wake(t, int(key))
    elif kind == DeadlineKind.EXECUTION:
        if 0 < info.execution_expires_at <= t.now:
            close.time_out(t, whole_chain=True)
    elif kind == DeadlineKind.RUN:
        if 0 < info.run_expires_at <= t.now:
            close.time_out(t, whole_chain=info.run_expires_at == info.execution_expires_at)
    elif kind == DeadlineKind.FIRST_TASK:
        if 0 < info.first_task_at <= t.now:
            runs.schedule_first_task(t)
    elif kind == DeadlineKind.FAST_FORWARD:
        time_skipping.fast_forward_due(t)
    elif key == info.task_scheduled_event_id:
        _task_due(t, kind)
    return False


def _task_due(t: Transition, kind: DeadlineKind) -> None:
    if not workflow_task.due(t, kind):
        workflow_task.arm_later(t, kind)
    elif kind == DeadlineKind.TASK_SCHEDULE_TO_START:
        workflow_task.time_out(t, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START)
    elif t.state.info.task_state == TaskState.STARTED:
        tracking.task_timed_out(t)
        workflow_task.time_out(t, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
