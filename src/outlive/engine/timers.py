"""Wake-ups: the soonest are held in memory, the rest stay in the store.

Rules (all of them live in this file)
- `_horizon` is the time up to which every wake-up is in the heap. Beyond it only the store knows.
- An entry is a reminder: the run's own `wake_at` says whether it counts.
- A wake-up that moves later leaves its old entry behind; it does nothing when it comes up.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from outlive.clock import Clock
from outlive.engine.runs import Run, Runs
from outlive.limits import SECOND, TIMER_WINDOW
from outlive.store.port import Storage

_NEVER = 1 << 62
_SLEEP_MAX = 60 * SECOND  # look at the clock at least so often, in case it was set


class Timers:
    """Calls `on_due(run)` for each run when its `wake_at` has come."""

    def __init__(self, storage: Storage, clock: Clock, runs: Runs, on_due: Callable[[Run], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._runs = runs
        self._on_due = on_due
        self._heap: list[tuple[int, int]] = []  # (wake_at, key)
        self._horizon = 0
        self._handle: asyncio.TimerHandle | None = None
        self._next = _NEVER

    def begin(self) -> None:
        """Load the first window from the store."""
        self._refill()
        self._arm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def changed(self, run: Run) -> None:
        """The run's `wake_at` may have changed."""
        wake_at = run.state.wake_at
        if not wake_at or wake_at == run.armed_at:
            return
        run.armed_at = wake_at
        self._push(wake_at, run.key)
        if wake_at < self._next:
            self._arm()

    def next_wake(self) -> int:
        """The soonest wake-up of a run that counts; 0 for none."""
        for _ in range(2):
            while self._heap:
                wake_at, key = self._heap[0]
                run = self._runs.get(key)
                if run is not None and run.state.wake_at == wake_at:
                    return wake_at
                self._drop_first(run)
            if self._horizon == _NEVER:
                return 0
            self._refill()
        return self._clock.now()  # the store holds thousands of stale ones, and is being told

    def rearm(self) -> None:
        """The clock has jumped."""
        self._arm()

    def _drop_first(self, run: Run | None) -> None:
        """Take the soonest entry away. If it was the one that its run counts on, another takes its place."""
        wake_at, _ = heapq.heappop(self._heap)
        if run is not None:
            if run.armed_at == wake_at:
                run.armed_at = 0
            self.changed(run)
            self._runs.submit(run)  # so that the store has the right one

    def _unloaded(self, key: int, now: int) -> Run | None:
        """The run, loaded if its wake-up has come. Most entries of those that sleep are old: they load nothing."""
        wake_at = self._storage.wake_at(key)
        if wake_at > now:
            self._push(wake_at, key)
            return None
        return self._runs.get(key) if wake_at else None

    def _push(self, wake_at: int, key: int) -> None:
        if wake_at > self._horizon:
            return
        heapq.heappush(self._heap, (wake_at, key))
        if len(self._heap) > 4 * TIMER_WINDOW:
            self._shrink()

    def _shrink(self) -> None:
        """Leave the later half to the store."""
        self._heap = heapq.nsmallest(2 * TIMER_WINDOW, self._heap)
        self._horizon = self._heap[-1][0]

    def _refill(self) -> None:
        rows = self._storage.due(_NEVER, TIMER_WINDOW)
        self._horizon = rows[-1][0] if len(rows) == TIMER_WINDOW else _NEVER
        entries = set(rows)
        for run in self._runs.loaded():  # the store does not know yet what is not committed
            wake_at = run.state.wake_at
            if wake_at and wake_at <= self._horizon:
                entries.add((wake_at, run.key))
        self._heap = sorted(entries)

    def _arm(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._next = self._heap[0][0] if self._heap else self._horizon
        delay = min(max(0, self._next - self._clock.now()), _SLEEP_MAX)
        self._handle = asyncio.get_running_loop().call_later(delay / SECOND, self._fire)

    def _fire(self) -> None:
        now = self._clock.now()
        budget = 500  # wake-ups in one turn of the loop, so that calls get theirs
        while self._heap and self._heap[0][0] <= now and budget:
            wake_at, key = heapq.heappop(self._heap)
            budget -= 1
            run = self._runs.if_loaded(key)
            if run is None:
                run = self._unloaded(key, now)
            if run is None:
                continue
            if run.armed_at == wake_at:
                run.armed_at = 0
            due = run.state.wake_at
            if due and due <= now:
                self._on_due(run)
            else:
                self.changed(run)
        if not self._heap and self._horizon != _NEVER:
            self._refill()
        self._arm()
