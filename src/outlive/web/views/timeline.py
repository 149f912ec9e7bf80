"""The timeline's geometry: groups as bars on one time axis, in per cent of its width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from outlive.web import bounds
from outlive.web.views import times
from outlive.web.views.groups import Group
from outlive.web.views.status import Status

_STEPS: Final = (
    *(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60 * n for n in (1, 2, 5, 10, 15, 30)),
    *(3600 * n for n in (1, 2, 3, 6, 12)),
    *(86400 * n for n in (1, 2, 7, 14, 30, 90, 365, 1825, 9125)),
)  # seconds between two marks of the axis: steps that people count in
_TICKS_MAX: Final = 7
_WIDTH_MIN: Final = 0.25  # per cent: what was quick is still to be seen
_AXIS_MIN: Final = 0.005  # seconds: a run just started has an axis too


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the axis: at ``x`` per cent, ``label`` after the run's start."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar. ``kind`` is ``wait`` (nobody works on it), ``work`` or ``point``."""

    kind: str
    x: float
    width: float
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One group and where its bar lies. ``words`` says in a sentence what the bar shows."""

    group: Group
    segments: list[Segment]
    words: str
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """Bars by start. ``hidden`` counts groups left out; ``cut`` tells of events that were not read."""

    start: datetime
    end: datetime
    ticks: list[Tick]
    rows: list[Row]
    hidden: int
    cut: bool


def view(groups: Iterable[Group], start: datetime, end: datetime, *, cut: bool = False) -> Timeline:
    """The groups between ``start`` and ``end`` (the run's end, or now)."""
    everything = list(groups)
    chosen = _chosen(everything)
    end = max([end, start + timedelta(seconds=_AXIS_MIN), *(g.ended for g in everything if g.ended)])
    axis = _Axis(start, (end - start).total_seconds())
    rows = [_row(group, axis, end) for group in chosen]
    return Timeline(start, end, axis.ticks(), rows, len(everything) - len(chosen), cut)


def _chosen(groups: Sequence[Group]) -> list[Group]:
    """At most TIMELINE_ROWS groups: what is open or went wrong first, then what is newest; all by start."""
    room = bounds.TIMELINE_ROWS
    if len(groups) > room:
        ranked = sorted(groups, key=lambda g: (g.ended is None or g.status.bad, g.id), reverse=True)
        groups = ranked[:room]
    return sorted(groups, key=lambda g: (g.scheduled, g.id))


class _Axis:
    """From moments to per cent."""

    def __init__(self, start: datetime, length: float) -> None:
        self.start = start
        self.length = length

    def x(self, at: datetime) -> float:
        share = (at - self.start).total_seconds() / self.length * 100
        return round(min(max(share, 0.0), 100.0), 3)

    def segment(self, kind: str, start: datetime, end: datetime, words: str) -> Segment:
        left = min(self.x(start), 100 - _WIDTH_MIN)
        return Segment(kind, left, round(max(self.x(end) - left, _WIDTH_MIN), 3), words)

    def ticks(self) -> list[Tick]:
        step = next((s for s in _STEPS if self.length / s <= _TICKS_MAX), _STEPS[-1])
        marks = [at * step for at in range(int(self.length / step) + 1)][: _TICKS_MAX + 1]
        return [Tick(round(mark / self.length * 100, 3), _mark(mark, step)) for mark in marks]


def _mark(value: float, step: float) -> str:
    """``0``, ``200 ms``, ``1.5 s``, ``3 min``: exact multiples, so no rounding is seen."""
    if not value:
        return "0"
    if step < 1:
        return f"{round(value * 1000)} ms" if value < 1 else f"{value:g} s"
    return times.span(value)


def _row(group: Group, axis: _Axis, now: datetime) -> Row:
    if group.ended is not None and group.ended == group.scheduled:
        return Row(group, [Segment("point", axis.x(group.scheduled), 0, group.name)], _words(group, None), None)
    end = group.ended or now
    seconds = times.between(group.scheduled, end)
    segments: list[Segment] = []
    waits = group.kind in ("activity", "child", "nexus")
    if group.kind == "timer":
        words = f"{group.status.label}, {times.span(seconds or 0)}"
        return Row(group, [axis.segment("wait", group.scheduled, end, words)], _words(group, seconds), seconds)
    working = group.started is not None and group.status not in (Status.SCHEDULED, Status.RETRYING)
    work_from = group.started if waits and working else group.scheduled
    wait_end = work_from if working and work_from else end
    if waits and (wait_end == end or axis.x(wait_end) - axis.x(group.scheduled) > _WIDTH_MIN):
        segments.append(axis.segment("wait", group.scheduled, wait_end, _wait_words(group, wait_end)))
    if (working or not waits) and work_from is not None:
        words = f"{group.status.label}, {times.span(times.between(work_from, end) or 0)}"
        segments.append(axis.segment("work", work_from, end, words))
    return Row(group, segments, _words(group, seconds), seconds)


def _wait_words(group: Group, end: datetime) -> str:
    waited = times.span(times.between(group.scheduled, end) or 0)
    if group.attempt > 1:
        return f"{waited} in earlier attempts and their waits"
    return f"waited {waited} to be started"


def _words(group: Group, seconds: float | None) -> str:
    parts = [f"{group.kind} {group.name}", group.status.label.lower()]
    if group.attempt > 1:
        parts.append(f"attempt {group.attempt}")
    if seconds is not None:
        parts.append(times.span(seconds))
    if group.failure:
        parts.append(group.failure)
    return ", ".join(parts)
