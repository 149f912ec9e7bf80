"""What the events of activities and timers say."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    ActivityTaskCancelRequestedEventAttributes,
    ActivityTaskScheduledEventAttributes,
    TimerStartedEventAttributes,
)

from outlive.core.commands import activity, timer
from outlive.core.replay.base import Handlers
from outlive.core.state import State

E = EventType


def _scheduled(state: State, event_id: int, at: int, event: ActivityTaskScheduledEventAttributes) -> None:
    state.activities.put(event_id, activity.row_of(event, event_id, at))


def _cancel_requested(state: State, event_id: int, at: int, event: ActivityTaskCancelRequestedEventAttributes) -> None:
    row = state.activities.get(event.scheduled_event_id)
    if row is not None:
        state.activities.put(row.scheduled_event_id, replace(row, cancel_requested=True, cancel_event_id=event_id))


def _ended(state: State, event_id: int, at: int, event: Any) -> None:
    state.activities.pop(event.scheduled_event_id)


def _timer_started(state: State, event_id: int, at: int, event: TimerStartedEventAttributes) -> None:
    state.timers.put(event.timer_id, timer.row_of(event, event_id, at))


def _timer_ended(state: State, event_id: int, at: int, event: Any) -> None:
    state.timers.pop(event.timer_id)


HANDLERS: Handlers = {
    E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: _scheduled,
    E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: _cancel_requested,
    E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: _ended,
    E.EVENT_TYPE_ACTIVITY_TASK_FAILED: _ended,
    E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: _ended,
    E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: _ended,
    E.EVENT_TYPE_TIMER_STARTED: _timer_started,
    E.EVENT_TYPE_TIMER_FIRED: _timer_ended,
    E.EVENT_TYPE_TIMER_CANCELED: _timer_ended,
}
