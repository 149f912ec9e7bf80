"""How long a poll may wait."""

from __future__ import annotations

from outlive.limits import LONG_POLL, POLL_ANSWER_MARGIN


def poll_until(deadline: int, now: int, longest: int = LONG_POLL) -> int:
    """When an empty poll is answered: in time for the caller's deadline. All in nanoseconds."""
    until = now + longest
    return min(until, deadline - POLL_ANSWER_MARGIN) if deadline else until
