"""Whether a failed attempt, of an activity or of a workflow, is tried again, and when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from temporalio.api.common.v1 import RetryPolicy
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure

from outlive.core.proto import duration, ns_of
from outlive.limits import RETRY_BACKOFF, RETRY_INITIAL_INTERVAL, RETRY_MAXIMUM_FACTOR, TIMEOUT_MAX

R = RetryState
_TIMEOUT_NAMES = {
    TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE: "StartToClose",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START: "ScheduleToStart",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "ScheduleToClose",
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: "Heartbeat",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """`delay` until the next attempt in nanoseconds, or None with the reason in `state`."""

    delay: int | None
    state: RetryState.ValueType


def timeout_name(kind: TimeoutType.ValueType) -> str:
    """As failure messages and lists of non-retryable types write it."""
    return _TIMEOUT_NAMES[kind]


def problem(policy: RetryPolicy) -> str | None:
    """What is wrong with a retry policy, in the protocol's words; None if nothing is."""
    if policy.maximum_attempts == 1:
        return None  # nothing is ever retried, so the rest does not matter
    if ns_of(policy.initial_interval) < 0:
        return "InitialInterval cannot be negative on retry policy."
    if policy.backoff_coefficient < 1 and policy.backoff_coefficient != 0:
        return "BackoffCoefficient cannot be less than 1 on retry policy."
    if ns_of(policy.maximum_interval) < 0:
        return "MaximumInterval cannot be negative on retry policy."
    if 0 < ns_of(policy.maximum_interval) < ns_of(policy.initial_interval):
        return "MaximumInterval cannot be less than InitialInterval on retry policy."
    if policy.maximum_attempts < 0:
        return "MaximumAttempts cannot be negative on retry policy."
    return None


def with_defaults(policy: RetryPolicy) -> RetryPolicy:
    """The policy with what it leaves out filled in."""
    result = RetryPolicy()
    result.CopyFrom(policy)
    if not ns_of(result.initial_interval):
        result.initial_interval.CopyFrom(duration(RETRY_INITIAL_INTERVAL))
    if not result.backoff_coefficient:
        result.backoff_coefficient = RETRY_BACKOFF
    if not ns_of(result.maximum_interval):
        longest = ns_of(result.initial_interval) * RETRY_MAXIMUM_FACTOR
        result.maximum_interval.CopyFrom(duration(min(longest, TIMEOUT_MAX)))
    return result


def retryable(failure: Failure, non_retryable: Sequence[str]) -> bool:
    """Whether this kind of failure may be tried again at all."""
    kind = failure.WhichOneof("failure_info")
    if kind in ("terminated_failure_info", "canceled_failure_info"):
        return False
    if kind == "timeout_failure_info":
        which = failure.timeout_failure_info.timeout_type
        if which not in (TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE, TimeoutType.TIMEOUT_TYPE_HEARTBEAT):
            return False
        return f"TemporalTimeout:{timeout_name(which)}" not in non_retryable
    if kind == "server_failure_info":
        return not failure.server_failure_info.non_retryable
    if kind == "application_failure_info":
        info = failure.application_failure_info
        return not info.non_retryable and info.type not in non_retryable
    return True


def interval(initial: int, backoff: float, maximum: int, attempt: int) -> int:
    """The wait after this attempt, in nanoseconds."""
    try:
        value = initial * backoff ** (attempt - 1)
    except OverflowError:
        value = math.inf
    ceiling = maximum or TIMEOUT_MAX
    return ceiling if not value < ceiling else int(value)


def judge(
    failure: Failure,
    *,
    attempt: int,
    now: int,
    initial: int,
    backoff: float,
    maximum: int,
    attempts_max: int,
    non_retryable: Sequence[str],
    expires_at: int,
) -> Verdict:
    """What becomes of the attempt that failed at `now`.

    `attempts_max` 0 is without limit; `expires_at` 0 is never.
    """
    if not retryable(failure, non_retryable):
        return Verdict(None, R.RETRY_STATE_NON_RETRYABLE_FAILURE)
    if attempts_max and attempt >= attempts_max:
        return Verdict(None, R.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED)
    delay = interval(initial, backoff, maximum, attempt)
    if failure.HasField("application_failure_info") and failure.application_failure_info.HasField("next_retry_delay"):
        delay = ns_of(failure.application_failure_info.next_retry_delay)
    if expires_at and now + delay > expires_at:
        return Verdict(None, R.RETRY_STATE_TIMEOUT)
    return Verdict(delay, R.RETRY_STATE_IN_PROGRESS)
