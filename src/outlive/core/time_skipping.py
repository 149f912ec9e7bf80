"""The time of one execution: the server's, plus what has been skipped of it (TimeSkippingConfig).

Rules (all of them live in this file)
- Every time in a state, and `Transition.now`, is the execution's own; what was skipped of it is `Info.skipped`.
- An enabled execution that waits for nothing but time skips to the next thing that falls due, at the end of
  the transition that leaves it so, and says so in an event. A workflow task, an activity that is not backing
  off, a child, and a signal or cancel request on its way are work: while there is any, no time is skipped.
- A fast-forward is a moment to skip to. Once it has come, by skipping or by itself, skipping is disabled.
- Skips are counted from one configuration to the next, along the whole chain; at the limit skipping is disabled.
- The next run of a chain takes over everything. A child takes the time and, unless propagation is off, the
  configuration without its fast-forward.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.common.v1 import (
    TimeSkippingConfig,
    TimeSkippingFastForwardInfo,
    TimeSkippingInfo,
    TimeSkippingStatePropagation,
)
from temporalio.api.enums.v1 import EventType, FastForwardPollingResult
from temporalio.api.history.v1 import (
    WorkflowExecutionStartedEventAttributes,
    WorkflowExecutionTimeSkippingTransitionedEventAttributes,
)

from outlive.core.deadlines import next_due
from outlive.core.proto import SECOND, duration, ns_of, time_of, timestamp
from outlive.core.state import RUNNING, ActivityState, DeadlineKind, State, TaskState
from outlive.core.transition import Transition
from outlive.limits import VIRTUAL_TIME_MAX

TRANSITIONED = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIME_SKIPPING_TRANSITIONED

# -- what is known of an execution's time ------------------------------------------------------------------


def info_of(state: State) -> TimeSkippingInfo | None:
    """As clients see it, but for the current time; None if it was never configured."""
    if state.info.time_skipping is None:
        return None
    return TimeSkippingInfo.FromString(state.info.time_skipping)


def config_of(state: State) -> TimeSkippingConfig | None:
    """The configuration as it is now: what has been disabled is."""
    known = info_of(state)
    return known.effective_config if known is not None and known.HasField("effective_config") else None


def _keep(state: State, known: TimeSkippingInfo) -> None:
    """Write it back, and arm the fast-forward that is under way."""
    info = state.info
    info.time_skipping = known.SerializeToString()
    under_way = known.effective_config.enabled and known.HasField("fast_forward_info")
    info.fast_forward_at = time_of(known.fast_forward_info.target_time) if under_way else 0
    if info.fast_forward_at:
        state.arm(info.fast_forward_at, DeadlineKind.FAST_FORWARD)


# -- configuration -----------------------------------------------------------------------------------------


def started(state: State, attributes: WorkflowExecutionStartedEventAttributes, now: int) -> None:
    """The first event says what the run starts with. `now` is the run's own time already."""
    config = attributes.time_skipping_config if attributes.HasField("time_skipping_config") else None
    before = attributes.time_skipping_state_propagation
    state.info.skipped = skipped_before(before)
    if config is None and not state.info.skipped:
        return
    known = TimeSkippingInfo(effective_config=config, current_session_skip_count=before.initial_skip_count)
    target = time_of(before.fast_forward_target_time) if before.HasField("fast_forward_target_time") else 0
    _set_fast_forward(known, target, now)
    _keep(state, known)


def configure(state: State, config: TimeSkippingConfig | None, now: int) -> None:
    """A client has changed the configuration, or taken it away: skips are counted anew."""
    known = TimeSkippingInfo(effective_config=config)
    if config is None and state.info.time_skipping is None:
        return
    _set_fast_forward(known, 0, now)
    _keep(state, known)


def _set_fast_forward(known: TimeSkippingInfo, target: int, now: int) -> None:
    """Begin the configuration's fast-forward, or go on with the one of the run before, which has a target."""
    config = known.effective_config
    if not config.HasField("fast_forward_config"):
        return
    asked = config.fast_forward_config
    target = target or min(now + ns_of(asked.duration), VIRTUAL_TIME_MAX)
    known.fast_forward_info.CopyFrom(
        TimeSkippingFastForwardInfo(
            fast_forward_duration=asked.duration, fast_forward_id=asked.id, target_time=timestamp(target)
        )
    )
    if target <= now:
        known.fast_forward_info.has_completed = True
        config.enabled = False


def for_next_run(state: State) -> tuple[TimeSkippingConfig | None, TimeSkippingStatePropagation | None]:
    """What the next run of the chain starts with."""
    known = info_of(state)
    if known is None:
        return None, None
    before = TimeSkippingStatePropagation(
        initial_skipped_duration=duration(state.info.skipped),
        initial_skip_count=known.current_session_skip_count,
    )
    if known.HasField("fast_forward_info"):
        before.fast_forward_target_time.CopyFrom(known.fast_forward_info.target_time)
    return config_of(state), before


def for_child(state: State) -> tuple[TimeSkippingConfig | None, TimeSkippingStatePropagation | None]:
    """What a child starts with."""
    before = None
    if state.info.skipped:
        before = TimeSkippingStatePropagation(initial_skipped_duration=duration(state.info.skipped))
    config = config_of(state)
    if config is None or config.disable_propagation:
        return None, before
    config.ClearField("fast_forward_config")
    return config, before


def skipped_before(before: TimeSkippingStatePropagation) -> int:
    """How far ahead of the server's time an execution begins, in nanoseconds."""
    span = before.initial_skipped_duration
    return span.seconds * SECOND + span.nanos


# -- skipping ----------------------------------------------------------------------------------------------


def finish(t: Transition) -> None:
    """End a transition: skip time if there is nothing else to do, and close it."""
    if t.state.info.time_skipping is not None:
        _skip(t)
    t.finish()


def _skip(t: Transition) -> None:
    config = config_of(t.state)
    if config is None or not config.enabled or not _waits_for_time(t):
        return
    target = next_due(t.state)
    if t.now < target <= VIRTUAL_TIME_MAX:
        at = t.state.info.fast_forward_at
        _transition(t, target, disabled=bool(at) and target >= at)


def _waits_for_time(t: Transition) -> bool:
    """Whether nobody has anything to do for the execution."""
    state = t.state
    if state.info.status != RUNNING or state.info.task_state != TaskState.NONE:
        return False
    if state.children.rows or state.signals.rows or state.cancels.rows:
        return False
    return all(row.state == ActivityState.BACKOFF and not row.paused_at for row in state.activities)


def fast_forward_due(t: Transition) -> None:
    """The moment of the fast-forward has come by itself."""
    if 0 < t.state.info.fast_forward_at <= t.now:
        _transition(t, 0, disabled=True)


def _transition(t: Transition, target: int, *, disabled: bool) -> None:
    """Write the event, and be there. Without a target only skipping ends."""
    attributes = WorkflowExecutionTimeSkippingTransitionedEventAttributes(
        target_time=timestamp(target) if target else None,
        disabled_after_fast_forward=disabled,
        wall_clock_time=timestamp(t.now - t.state.info.skipped),
    )
    t.add(TRANSITIONED, attributes, worker_may_ignore=True)
    _apply(t.state, t.now, target, disabled=disabled)


def transitioned(state: State, now: int, event: WorkflowExecutionTimeSkippingTransitionedEventAttributes) -> None:
    """What the event of a skip says, when it is replayed."""
    target = time_of(event.target_time) if event.HasField("target_time") else 0
    _apply(state, now, target, disabled=event.disabled_after_fast_forward)


def _apply(state: State, now: int, target: int, *, disabled: bool) -> None:
    known = info_of(state) or TimeSkippingInfo()
    if target:
        state.info.skipped += target - now
    config = known.effective_config
    if disabled:
        known.fast_forward_info.has_completed = True
        config.enabled = False
    known.current_session_skip_count += 1
    if known.current_session_skip_count >= config.max_session_skip_count:
        config.enabled = False
    _keep(state, known)


# -- who waits for a fast-forward --------------------------------------------------------------------------

Result = FastForwardPollingResult
UNDER_WAY = Result.FAST_FORWARD_POLLING_RESULT_UNSPECIFIED
COMPLETED = Result.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_COMPLETED
FAILED = Result.FAST_FORWARD_POLLING_RESULT_FAST_FORWARD_FAILED
TIMED_OUT = Result.FAST_FORWARD_POLLING_RESULT_POLL_TIMEOUT


@dataclass(frozen=True, slots=True)
class FastForward:
    """How the fast-forward that a client asks for stands."""

    info: TimeSkippingFastForwardInfo | None
    result: FastForwardPollingResult.ValueType = UNDER_WAY
    reason: str = ""  # of a failure


def fast_forward(state: State, wanted: str, since: FastForward | None = None) -> FastForward:
    """The fast-forward with that id; `since` is what the same question was answered before."""
    known = info_of(state)
    info = known.fast_forward_info if known is not None and known.HasField("fast_forward_info") else None
    if known is None or info is None or info.fast_forward_id != wanted:
        reason = "the requested fast_forward_id does not match the execution's current fast-forward"
        return FastForward(info, FAILED, reason)
    if since is not None and since.info is not None and since.info.target_time != info.target_time:
        return FastForward(info, FAILED, "the fast-forward was reset")
    if info.has_completed:
        return FastForward(info, COMPLETED)
    if not state.open and not state.info.successor_run_id:
        return FastForward(info, FAILED, "the execution ended before the fast-forward completed")
    if not known.effective_config.enabled:
        return FastForward(info, FAILED, "time skipping was disabled before the fast-forward completed")
    return FastForward(info)
