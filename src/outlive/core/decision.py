"""Running one decision on an execution: all of it or nothing, within the execution's limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from outlive.core import close, deadlines, time_skipping, workflow_task
from outlive.core.state import TaskState
from outlive.core.transition import Transition

T = TypeVar("T")


def decide(t: Transition, step: Callable[[Transition], T]) -> T:
    """Run one step. If it raises, the state is what it was before."""
    t.state.begin()
    try:
        result = step(t)
        _enforce_limits(t)
        time_skipping.finish(t)
    except BaseException:
        rollback(t)
        raise
    return result


def rollback(t: Transition) -> None:
    """Take back everything since `begin`, so that another decision may be made on the same state."""
    t.state.rollback()
    deadlines.rebuild(t.state)
    t.effects.clear()


def _enforce_limits(t: Transition) -> None:
    """A history that has outgrown its limits ends; a buffer that has is flushed."""
    state, info, limits = t.state, t.state.info, t.limits
    if not state.open:
        return
    if info.task_state == TaskState.STARTED and state.buffered and _buffer_is_full(t):
        workflow_task.fail(t, close.FORCE_CLOSE, identity=t.context.identity, counts=False)
        workflow_task.schedule(t)
    if info.history_size > limits.history_size_max:
        close.terminate(t, reason="Workflow history size exceeds limit.", identity=t.context.identity)
    elif info.next_event_id - 1 > limits.history_events_max:
        close.terminate(t, reason="Workflow history count exceeds limit.", identity=t.context.identity)


def _buffer_is_full(t: Transition) -> bool:
    buffered = t.state.buffered
    if len(buffered) > t.limits.buffered_events_max:
        return True
    return sum(event.ByteSize() for event in buffered) > t.limits.buffered_size_max
