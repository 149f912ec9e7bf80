"""Where a reset goes back to, when the caller does not name an event: ResetOptions.

The first or last workflow task, the one that a build completed first, or an event by its id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from temporalio.api.common.v1 import ResetOptions
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import ResetPoints

from outlive.core.proto import time_of
from outlive.core.state import State
from outlive.errors import InvalidArgument, NotFound

E = EventType


@dataclass(frozen=True, slots=True)
class Target:
    """A run, and the event that the new run is the first not to have. `event_id` 0: to be looked for."""

    run_id: str
    event_id: int
    last: bool = False  # look for the last workflow task, not for the first


def target(state: State, options: ResetOptions, now: int) -> Target:
    """What the options mean for the run. Raises InvalidArgument or NotFound."""
    run_id = state.start.run_id
    kind = options.WhichOneof("target")
    if kind == "workflow_task_id":
        return Target(run_id, options.workflow_task_id)
    if kind == "build_id":
        return _by_build(state, options.build_id, options.current_run_only, now)
    if kind is None:
        raise InvalidArgument("batch reset missing target")
    return Target(run_id, 0, kind == "last_workflow_task")


def _by_build(state: State, build_id: str, current_run_only: bool, now: int) -> Target:
    points = ResetPoints.FromString(state.info.reset_points or b"")
    for point in points.points:
        if point.build_id != build_id or not point.resettable:
            continue
        if point.HasField("expire_time") and time_of(point.expire_time) < now:
            continue
        if current_run_only and point.run_id != state.start.run_id:
            continue
        return Target(point.run_id, point.first_workflow_task_completed_id)
    raise NotFound(f"can't find reset point for build id {build_id}")


def find(events: Iterable[HistoryEvent], *, last: bool) -> int:
    """The end of the first or last workflow task among the events, or the place where it will come."""
    found = pending = 0
    for event in events:
        if event.event_type == E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            found = event.event_id
            if not last:
                break
        elif event.event_type == E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
            pending = event.event_id + 1
    if not (found or pending):
        raise NotFound("the workflow has no workflow task to reset to")
    return found or pending
