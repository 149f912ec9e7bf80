"""What becomes of the actions that wait, while a workflow of the schedule runs or does not.

Rules (all of them live in this file)
- ALLOW_ALL starts at once, whatever runs, and nothing else minds what it started.
- Of the others one may run at a time. When none does, the first that waits starts, whatever its policy.
- One that would overlap: SKIP drops it; BUFFER_ONE keeps it if nothing else is kept; BUFFER_ALL keeps it;
  CANCEL_OTHER and TERMINATE_OTHER keep it and have what runs ended. If the other has not started yet but
  is about to, in the same moment, they take its place.
- Terminating wins over cancelling.
- A policy that nobody knows is SKIP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from outlive.core.schedules.state import (
    ALLOW_ALL,
    BUFFER_ALL,
    BUFFER_ONE,
    CANCEL_OTHER,
    TERMINATE_OTHER,
    Planned,
)


@dataclass(frozen=True, slots=True)
class Resolution:
    """Which actions start now, beside what runs or alone, and which go on waiting."""

    beside: tuple[Planned, ...] = ()
    alone: Planned | None = None
    kept: tuple[Planned, ...] = ()
    cancel: bool = False  # what runs
    terminate: bool = False
    skipped: int = 0


def resolve(buffer: Iterable[Planned], running: bool, policy_of: Callable[[int], int]) -> Resolution:
    """Apply the policies to all that waits, in order. `policy_of` fills in the schedule's own."""
    beside: list[Planned] = []
    kept: list[Planned] = []
    alone: Planned | None = None
    skipped = 0
    ended: set[int] = set()  # the policies that end what runs
    for planned in buffer:
        policy = policy_of(planned.policy)
        if policy == ALLOW_ALL:
            beside.append(planned)
        elif not running and alone is None:
            alone = planned
        elif policy in (CANCEL_OTHER, TERMINATE_OTHER):
            if running:
                ended.add(policy)
                kept.append(planned)
            else:
                alone = planned
        elif policy == BUFFER_ALL or (policy == BUFFER_ONE and not kept):
            kept.append(planned)
        else:
            skipped += 1
    terminate = TERMINATE_OTHER in ended
    return Resolution(
        beside=tuple(beside),
        alone=alone,
        kept=tuple(kept),
        cancel=bool(ended) and not terminate,
        terminate=terminate,
        skipped=skipped,
    )
