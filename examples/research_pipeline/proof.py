"""What the call log proves about a kill: pure counting over its lines and what the server had recorded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from examples.research_pipeline.calls import Event, Line


@dataclass(frozen=True)
class Proof:
    """Counts of model calls around a kill, and the keys that break a promise."""

    begun_before: int
    completed_before: int
    in_flight: int
    """Begun before the kill, with no answer noted."""
    begun_after: int
    repeated: int
    """Of those in flight, how many were made again."""
    reused: int
    """Calls that a second attempt did not make again, because the store already had the answer."""
    distinct: int
    recorded: int
    """Calls whose step the server had recorded as completed before the kill."""
    completed_twice: list[str]
    recorded_but_touched: list[str]
    """Keys of recorded steps that show up in the log after the kill: the server forgot them."""

    @property
    def holds(self) -> bool:
        """No completed call ran twice and no recorded step ran again."""
        return not self.completed_twice and not self.recorded_but_touched

    @property
    def made(self) -> int:
        """All calls that were made."""
        return self.begun_before + self.begun_after

    @property
    def saved(self) -> int:
        """How many more calls starting over after the kill would have made."""
        return self.distinct - self.begun_after


def prove(lines: Sequence[Line], lines_before_kill: int, recorded: Iterable[str]) -> Proof:
    """Count the log of one run; the first `lines_before_kill` lines were written before the kill.

    `recorded` are the keys of the calls whose steps the server itself listed as completed before the kill.
    """
    before, after = lines[:lines_before_kill], lines[lines_before_kill:]
    begun_before, begun_after = _keys(before, Event.BEGIN), _keys(after, Event.BEGIN)
    ended_before = _keys(before, Event.END)
    settled = ended_before + _keys(before, Event.FAILED)
    in_flight = begun_before - settled
    kept = set(recorded)
    touched = {line.key for line in after}
    return Proof(
        begun_before=begun_before.total(),
        completed_before=ended_before.total(),
        in_flight=in_flight.total(),
        begun_after=begun_after.total(),
        repeated=sum(key in begun_after for key in in_flight),
        reused=_keys(after, Event.REUSED).total(),
        distinct=len({line.key for line in lines if line.event is Event.BEGIN}),
        recorded=len(kept),
        completed_twice=_made_again(lines),
        recorded_but_touched=sorted(kept & touched),
    )


def _keys(lines: Iterable[Line], event: Event) -> Counter[str]:
    return Counter(line.key for line in lines if line.event is event)


def _made_again(lines: Iterable[Line]) -> list[str]:
    """Keys under which a call was begun after one had been completed."""
    completed: set[str] = set()
    again: set[str] = set()
    for line in lines:
        if line.event is Event.END:
            completed.add(line.key)
        elif line.event is Event.BEGIN and line.key in completed:
            again.add(line.key)
    return sorted(again)
