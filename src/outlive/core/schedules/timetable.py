"""The times of one schedule: a compiled spec with the seed of its jitter."""

from __future__ import annotations

from outlive.core.calendar import CompiledSpec, Match
from outlive.core.proto import SECOND


class Timetable:
    """Asks a compiled spec. Its matches are in order by nominal and by actual time alike."""

    __slots__ = ("_asked", "_found", "_seed", "_spec")

    def __init__(self, spec: CompiledSpec, seed: str) -> None:
        self._spec = spec
        self._seed = seed
        self._asked: int | None = None  # the last question, which is often asked again ...
        self._found: Match | None = None  # ... and its answer

    def after(self, nominal: int) -> Match | None:
        """The first match with a later nominal time."""
        if nominal != self._asked:
            self._asked, self._found = nominal, self._spec.next_time(nominal, self._seed)
        return self._found

    def due(self, cursor: int, not_before: int) -> Match | None:
        """The first match after the cursor that is not due before the other time, by its jitter.

        A match is due before the next one's nominal time. So of all that lie up to `not_before` only the last
        can be due after it; it is looked for by halving, since there may be years in between.
        """
        first = self.after(cursor)
        if first is None or first.actual >= not_before:
            return first
        low, high = cursor // SECOND, not_before // SECOND  # the last match is after low, and not after high
        while high - low > 1:
            middle = (low + high) // 2
            match = self.after(middle * SECOND)
            if match is not None and match.nominal <= not_before:
                low, first = middle, match
            else:
                high = middle
        return first if first.actual >= not_before else self.after(first.nominal)

    def upcoming(self, cursor: int, not_before: int, count: int) -> list[int]:
        """The actual times of the next matches, at most so many."""
        times: list[int] = []
        match = self.due(cursor, not_before) if count > 0 else None
        while match is not None and len(times) < count:
            times.append(match.actual)
            match = self.after(match.nominal)
        return times

    def within(self, start: int, end: int) -> list[int]:
        """The actual times after one time, up to and with another; as many as the protocol answers."""
        return self._spec.matching_times(start, end, self._seed)
