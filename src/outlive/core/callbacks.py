"""Completion callbacks: who is told of a run's end, how far that is, and when it is tried again.

Rules (all of them live in this file)
- Callbacks are registered by the first event and by OptionsUpdated events, so that replaying finds them again.
- They stand by until the chain of runs ends. A run that another one follows hands them on, and so does one that a
  reset continues; its own stand by for good.
- A call that may be repeated is, with a back-off that doubles; what it answers decides. One that may not fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import Callback
from temporalio.api.enums.v1 import CallbackState
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflow.v1 import CallbackInfo

from outlive.core.callback_infos import keep, next_attempt, of
from outlive.core.effects import DeliverCallback
from outlive.core.proto import timestamp
from outlive.core.state import DeadlineKind, State
from outlive.core.transition import Transition
from outlive.errors import FailedPrecondition
from outlive.limits import TIME_MAX

S = CallbackState
_DOUBLINGS_MAX = 62  # more would leave 64 bits


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a call."""

    problem: str = ""  # empty: it was taken
    repeat: bool = False  # whether another attempt may fare better


@dataclass(frozen=True, slots=True)
class Retrying:
    """Waits between calls, in nanoseconds."""

    initial: int
    maximum: int

    def after(self, attempt: int) -> int:
        return min(self.initial << min(attempt - 1, _DOUBLINGS_MAX), self.maximum)


def register(state: State, callbacks: Sequence[Callback], at: int) -> None:
    """Have these told of the end."""
    if callbacks:
        trigger = CallbackInfo.Trigger(workflow_closed=CallbackInfo.WorkflowClosed())
        new = (
            CallbackInfo(
                callback=callback, trigger=trigger, registration_time=timestamp(at), state=S.CALLBACK_STATE_STANDBY
            )
            for callback in callbacks
        )
        keep(state, [*of(state), *new])


def require_room(state: State, more: int, maximum: int) -> None:
    """Raises FailedPrecondition if the run cannot take so many more."""
    there = len(of(state))
    if there + more > maximum:
        raise FailedPrecondition(
            f"cannot attach more than {maximum} callbacks to a workflow ({there} callbacks already attached)"
        )


def carried(state: State) -> list[Callback]:
    """What the next run is given."""
    return [info.callback for info in of(state)]


def closed(t: Transition) -> None:
    """The run has closed: if nothing follows it, have everyone told."""
    info = t.state.info
    if info.callbacks is None or info.successor_run_id or info.reset_run_id:
        return
    infos = of(t.state)
    for number, each in enumerate(infos):
        each.state = S.CALLBACK_STATE_SCHEDULED
        t.effect(DeliverCallback(number))
    keep(t.state, infos)


def called(t: Transition, number: int, outcome: Outcome, retrying: Retrying) -> None:
    """A call has been answered, or could not be made."""
    infos = of(t.state)
    info = infos[number]
    if info.state != S.CALLBACK_STATE_SCHEDULED:
        return
    info.attempt += 1
    info.last_attempt_complete_time.CopyFrom(timestamp(t.now))
    info.ClearField("last_attempt_failure")
    info.ClearField("next_attempt_schedule_time")
    if not outcome.problem:
        info.state = S.CALLBACK_STATE_SUCCEEDED
    else:
        reason = ApplicationFailureInfo(non_retryable=not outcome.repeat)
        info.last_attempt_failure.CopyFrom(Failure(message=outcome.problem, application_failure_info=reason))
        info.state = S.CALLBACK_STATE_FAILED
        if outcome.repeat:
            info.state = S.CALLBACK_STATE_BACKING_OFF
            due = min(t.now + retrying.after(info.attempt), TIME_MAX)
            info.next_attempt_schedule_time.CopyFrom(timestamp(due))
            t.state.arm(due, DeadlineKind.CALLBACK, number)
    keep(t.state, infos)


def due(t: Transition, number: int) -> None:
    """Time has come to look at a callback that backs off."""
    infos = of(t.state)
    info = infos[number]
    if 0 < next_attempt(info) <= t.now:
        info.state = S.CALLBACK_STATE_SCHEDULED
        info.ClearField("next_attempt_schedule_time")
        t.effect(DeliverCallback(number))
        keep(t.state, infos)
