"""What clients do to schedules: create, update, patch.

Rules (all of them live in this file)
- A new schedule acts on nominal times after its creation.
- What was due while a schedule was paused, out of actions or another one (before an update) stays undone:
  only what falls due after that counts. A time whose jitter carries it over that moment does count.
- An update replaces spec, action, policies and state; it leaves alone what is running, waiting or counted.
  Memo and search attributes are replaced by those that it has, if it has any (an empty one clears them).
- An update with a conflict token is refused unless nothing has changed since the token was given.
- A request that was taken before, by its id, changes nothing.
- Triggers asked for within one second stand for seconds of their own, so that each has its own workflow id.
"""

from __future__ import annotations

from dataclasses import replace

from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.schedule.v1 import Schedule as ScheduleMessage
from temporalio.api.schedule.v1 import SchedulePatch, SchedulePolicies, ScheduleSpec, TriggerImmediatelyRequest
from temporalio.api.workflowservice.v1 import CreateScheduleRequest, UpdateScheduleRequest

from outlive.core import retry
from outlive.core.proto import SECOND, duration, ns_of
from outlive.core.schedules.state import SKIP, Backfill, Planned, Schedule, State
from outlive.errors import FailedPrecondition
from outlive.limits import (
    MS,
    SCHEDULE_BACKFILLS_MAX,
    SCHEDULE_BUFFER_MAX,
    SCHEDULE_CATCHUP_DEFAULT,
    SCHEDULE_CATCHUP_MIN,
    SCHEDULE_REQUESTS_KEPT,
)


def create(request: CreateScheduleRequest, spec: ScheduleSpec, uid: str, now: int) -> Schedule:
    """A new schedule, its initial patch applied. `spec`: the request's, in its canonical form."""
    definition = CreateScheduleRequest(schedule_id=request.schedule_id, request_id=request.request_id)
    definition.memo.CopyFrom(request.memo)
    definition.search_attributes.CopyFrom(request.search_attributes)
    definition.schedule.CopyFrom(_defined(request.schedule, spec))
    state = _with_state(State(uid=uid, created=now, cursor=now, not_before=now), request.schedule)
    return patch(Schedule(definition, state), request.initial_patch, "", now)


def update(schedule: Schedule, request: UpdateScheduleRequest, spec: ScheduleSpec, now: int) -> Schedule:
    """Put what the request has in the place of what was. `spec`: the request's, in its canonical form.

    Raises FailedPrecondition on a conflict.
    """
    if _known(schedule, request.request_id):
        return schedule
    if request.conflict_token and request.conflict_token != conflict_token(schedule):
        raise FailedPrecondition(
            "the schedule has changed since the conflict token was given: describe it, and update what is there now"
        )
    definition = CreateScheduleRequest()
    definition.CopyFrom(schedule.definition)
    definition.schedule.CopyFrom(_defined(request.schedule, spec))
    for name in ("memo", "search_attributes"):
        if request.HasField(name):
            getattr(definition, name).CopyFrom(getattr(request, name))
    state = _with_state(schedule.state, request.schedule)
    state = replace(state, updated=now, not_before=now, token=state.token + 1)
    return _noted(Schedule(definition, state), request.request_id)


def patch(schedule: Schedule, patch: SchedulePatch, request_id: str, now: int) -> Schedule:
    """Trigger, backfill, pause or unpause; all that the patch has."""
    if _known(schedule, request_id):
        return schedule
    if patch.HasField("trigger_immediately"):
        schedule = _triggered(schedule, patch.trigger_immediately, now)
    for request in patch.backfill_request:
        if len(schedule.state.backfills) >= SCHEDULE_BACKFILLS_MAX:
            schedule = schedule.but(buffer_dropped=schedule.state.buffer_dropped + 1)
            continue
        start, end = request.start_time.ToNanoseconds(), request.end_time.ToNanoseconds()
        backfill = Backfill(start - MS, end, request.overlap_policy)
        schedule = schedule.but(backfills=(*schedule.state.backfills, backfill))
    if patch.pause:
        schedule = schedule.but(paused=True, notes=patch.pause, token=schedule.state.token + 1)
    if patch.unpause:
        if schedule.state.paused:
            schedule = schedule.but(paused=False, not_before=now)
        schedule = schedule.but(notes=patch.unpause, token=schedule.state.token + 1)
    return _noted(schedule, request_id)


def _triggered(schedule: Schedule, request: TriggerImmediatelyRequest, now: int) -> Schedule:
    state = schedule.state
    if len(state.buffer) >= SCHEDULE_BUFFER_MAX:
        return schedule.but(buffer_dropped=state.buffer_dropped + 1)
    if request.HasField("scheduled_time"):
        time = request.scheduled_time.ToNanoseconds()
        planned = Planned(time, time, request.overlap_policy, manual=True)
        return schedule.but(buffer=(*state.buffer, planned))
    planned = Planned(max(now, state.last_trigger + SECOND), now, request.overlap_policy, manual=True)
    return schedule.but(buffer=(*state.buffer, planned), last_trigger=planned.second)


def conflict_token(schedule: Schedule) -> bytes:
    """What an update may show to be sure of what it changes."""
    return schedule.state.token.to_bytes(8, "big")


# -- parts ---------------------------------------------------------------------------------------------------


def _defined(given: ScheduleMessage, spec: ScheduleSpec) -> ScheduleMessage:
    """Spec, action and policies, with what they leave out filled in."""
    result = ScheduleMessage(spec=spec, action=given.action, policies=_with_defaults(given.policies))
    if result.action.HasField("start_workflow"):
        start = result.action.start_workflow
        start.task_queue.kind = TaskQueueKind.TASK_QUEUE_KIND_NORMAL
        if start.HasField("retry_policy"):
            start.retry_policy.CopyFrom(retry.with_defaults(start.retry_policy))
    return result


def _with_defaults(policies: SchedulePolicies) -> SchedulePolicies:
    result = SchedulePolicies()
    result.CopyFrom(policies)
    if not result.overlap_policy:
        result.overlap_policy = SKIP
    window = SCHEDULE_CATCHUP_DEFAULT
    if policies.HasField("catchup_window"):
        window = max(ns_of(policies.catchup_window), SCHEDULE_CATCHUP_MIN)
    result.catchup_window.CopyFrom(duration(window))
    return result


def _with_state(state: State, given: ScheduleMessage) -> State:
    """The part of the state that clients set."""
    return replace(
        state,
        notes=given.state.notes,
        paused=given.state.paused,
        limited=given.state.limited_actions,
        remaining=given.state.remaining_actions,
    )


def _known(schedule: Schedule, request_id: str) -> bool:
    return bool(request_id) and request_id in schedule.state.requests


def _noted(schedule: Schedule, request_id: str) -> Schedule:
    if not request_id:
        return schedule
    return schedule.but(requests=(*schedule.state.requests, request_id)[-SCHEDULE_REQUESTS_KEPT:])
