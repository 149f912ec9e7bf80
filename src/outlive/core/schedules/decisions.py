"""What a schedule does when it is looked at: which actions it takes, and when to look again.

Rules (all of them live in this file)
- The cursor only moves on, and an action is planned only for a nominal time that the cursor passes. So the
  clock acts on a nominal time once at most, whatever it does and however often the server starts again.
- A time is acted on if the schedule is neither paused nor out of actions when it is looked at, and if it is
  not later than the catch-up window. What is later is counted as missed.
- Planned actions wait in the buffer for their turn (`overlap`). An action by the clock that would start while
  the schedule is paused, or out of actions, is dropped without a count; triggers and backfills are not.
- A step takes up a bounded number of times; what is left is due at once, so that others get their turn. A
  backfill rests between steps, and while half of the buffer is full.
- A start has a number of its own, in its request id: repeating one that was made changes nothing.
- A schedule without an action, or with one that cannot start, plans and drops what it plans.
- One that has nothing left to do is forgotten after its retention.
"""

from __future__ import annotations

from dataclasses import dataclass

from outlive.core import retry
from outlive.core.proto import timestamp
from outlive.core.schedules.overlap import resolve
from outlive.core.schedules.state import Action, Execution, Planned, Schedule
from outlive.core.schedules.timetable import Timetable
from outlive.limits import (
    SCHEDULE_BACKFILL_PAUSE,
    SCHEDULE_BUFFER_MAX,
    SCHEDULE_RECENT,
    SCHEDULE_RETENTION,
    SCHEDULE_TIMES_AT_ONCE,
)


@dataclass(frozen=True, slots=True)
class Start:
    """A workflow to start now. `alone`: later actions mind that it runs."""

    planned: Planned
    workflow_id: str
    request_id: str
    alone: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, in this order; `again` says that there may be more to do right after it."""

    starts: tuple[Start, ...] = ()
    cancel: tuple[Execution, ...] = ()
    terminate: tuple[Execution, ...] = ()
    again: bool = False


NOTHING = Plan()


def problem(schedule: Schedule) -> str:
    """Why the action cannot be started at all; empty if it can, or if there is none."""
    action = schedule.definition.schedule.action
    if action.HasField("start_workflow") and action.start_workflow.HasField("retry_policy"):
        return retry.problem(action.start_workflow.retry_policy) or ""
    return ""


# -- the clock ---------------------------------------------------------------------------------------------


def elapse(schedule: Schedule, times: Timetable | None, now: int) -> Schedule:
    """Plan what has fallen due, and some of the backfills."""
    if times is None:
        return schedule
    return _backfill(_by_clock(schedule, times, now), times)


def _by_clock(schedule: Schedule, times: Timetable, now: int) -> Schedule:
    if not schedule.may_act:
        return schedule
    state, window = schedule.state, schedule.catchup_window
    buffer, cursor = list(state.buffer), state.cursor
    missed = dropped = 0
    for _ in range(SCHEDULE_TIMES_AT_ONCE):
        match = times.due(cursor, state.not_before)
        if match is None or match.actual > now:
            break
        cursor = match.nominal
        if now - match.actual > window:
            missed += 1
        elif len(buffer) >= SCHEDULE_BUFFER_MAX:
            dropped += 1
        else:
            buffer.append(Planned(match.nominal, match.actual))
    if cursor == state.cursor:
        return schedule
    return schedule.but(
        cursor=cursor,
        buffer=tuple(buffer),
        missed_catchup_window=state.missed_catchup_window + missed,
        buffer_dropped=state.buffer_dropped + dropped,
    )


def _backfill(schedule: Schedule, times: Timetable) -> Schedule:
    if not schedule.state.backfills:
        return schedule
    buffer, backfills = list(schedule.state.buffer), list(schedule.state.backfills)
    for _ in range(SCHEDULE_TIMES_AT_ONCE):
        if not backfills or len(buffer) >= SCHEDULE_BUFFER_MAX // 2:
            break
        first = backfills[0]
        match = times.after(first.after)
        if match is None or match.nominal > first.end:
            del backfills[0]
        else:
            backfills[0] = first._replace(after=match.nominal)
            buffer.append(Planned(match.nominal, match.actual, first.policy, manual=True))
    return schedule.but(buffer=tuple(buffer), backfills=tuple(backfills))


# -- taking actions ----------------------------------------------------------------------------------------


def take(schedule: Schedule) -> tuple[Schedule, Plan]:
    """Decide about all that waits. The plan is to be carried out, and told of by `started`, at once."""
    state = schedule.state
    if not state.buffer:
        return schedule, NOTHING
    if not schedule.definition.schedule.action.HasField("start_workflow") or problem(schedule):
        return schedule.but(buffer=()), NOTHING
    resolution = resolve(state.buffer, bool(state.running), schedule.policy)
    turns = [(planned, False) for planned in resolution.beside]
    if resolution.alone is not None:
        turns.append((resolution.alone, True))
    starts: list[Start] = []
    used = 0
    for planned, alone in turns:
        if not planned.manual and (state.paused or (state.limited and used >= state.remaining)):
            continue
        used += not planned.manual
        starts.append(_start(schedule, planned, alone, state.attempts + len(starts) + 1))
    schedule = schedule.but(
        buffer=resolution.kept,
        overlap_skipped=state.overlap_skipped + resolution.skipped,
        attempts=state.attempts + len(starts),
        remaining=state.remaining - used if state.limited else state.remaining,
        token=state.token + used if state.limited else state.token,
    )
    return schedule, Plan(
        starts=tuple(starts),
        cancel=state.running if resolution.cancel else (),
        terminate=state.running if resolution.terminate else (),
        again=len(starts) < len(turns),
    )


def _start(schedule: Schedule, planned: Planned, alone: bool, number: int) -> Start:
    definition = schedule.definition.schedule
    workflow_id = definition.action.start_workflow.workflow_id
    if not definition.policies.keep_original_workflow_id:
        workflow_id += "-" + timestamp(planned.second).ToJsonString()
    return Start(planned, workflow_id, f"{schedule.state.uid}-{number}", alone)


def started(schedule: Schedule, start: Start, run_id: str, now: int) -> Schedule:
    """The workflow runs. (Of a start that was refused there is nothing to record: the action is lost.)"""
    state = schedule.state
    execution = Execution(start.workflow_id, run_id)
    action = Action(start.planned.actual, now, execution)
    return schedule.but(
        action_count=state.action_count + 1,
        recent=(*state.recent, action)[-SCHEDULE_RECENT:],
        running=(*state.running, execution) if start.alone else state.running,
    )


# -- when to look again ------------------------------------------------------------------------------------


def scheduled(schedule: Schedule, times: Timetable | None, now: int) -> Schedule:
    """The schedule with the time at which it is to be looked at next, after a step at `now`."""
    wake_at = _wake_at(schedule, times, now)
    return schedule if wake_at == schedule.state.wake_at else schedule.but(wake_at=wake_at)


def _wake_at(schedule: Schedule, times: Timetable | None, now: int) -> int:
    state = schedule.state
    wakes = []
    due = _next_due(schedule, times)
    if due:
        wakes.append(due)
    if state.backfills and len(state.buffer) < SCHEDULE_BUFFER_MAX // 2:
        wakes.append(now + SCHEDULE_BACKFILL_PAUSE)
    if not wakes and _idle(schedule):
        wakes.append(_last_event(schedule) + SCHEDULE_RETENTION)
    return min(wakes, default=0)


def over(schedule: Schedule, times: Timetable | None, now: int) -> bool:
    """Whether the schedule is to be forgotten: it has had nothing left to do for long enough."""
    if not _idle(schedule) or now < _last_event(schedule) + SCHEDULE_RETENTION:
        return False
    return not _next_due(schedule, times)


def _next_due(schedule: Schedule, times: Timetable | None) -> int:
    """When the clock leads to the next action; 0 for never."""
    if times is None or not schedule.may_act:
        return 0
    match = times.due(schedule.state.cursor, schedule.state.not_before)
    return match.actual if match is not None else 0


def _idle(schedule: Schedule) -> bool:
    """Whether nothing is under way. (A paused schedule waits for somebody to unpause it.)"""
    state = schedule.state
    return not (state.paused or state.buffer or state.backfills or state.running)


def _last_event(schedule: Schedule) -> int:
    """When the schedule was created, updated or took its last action, whichever was last."""
    state = schedule.state
    return max(state.created, state.updated, state.recent[-1].taken if state.recent else 0)
