"""The clock of a test server: it jumps to what comes next while nobody has anything to do.

Rules (all of them live in this file)
- Time is skipped while the lock counter is not above zero. Locking counts up, unlocking down. Below zero it
  goes for those who wait side by side for workflows that run; where none runs, that is a caller's mistake.
- Nothing is skipped while a worker has a task or is owed one, an effect waits, or a call holds the clock:
  then time goes at its real pace, from where it has been skipped to.
- A caller who unlocks time to sleep although it is unlocked may be an activity: it is not waited for.
- A jump goes to the very next thing that falls due, wherever it is: a run's timer, back-off or time-out,
  another part's wake-up, a sleeping caller. What comes of it is done before the next jump.
- Only facts count as due: reminders of what was cancelled are dropped on the way.
- When the last caller who waited for something gets it, no time is skipped for a moment: so the caller can
  lock the clock before it runs on.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

from outlive.clock import SkippingClock
from outlive.core.deadlines import next_due
from outlive.core.effects import in_progress, running_activities
from outlive.engine.effects import Effects
from outlive.engine.runs import Run, Runs
from outlive.engine.timers import Timers
from outlive.errors import FailedPrecondition
from outlive.limits import SECOND, VIRTUAL_TIME_MAX

_LOOK_AGAIN = 0.001  # seconds, while what is due has not been done yet
_LOOK_LATER = 0.05  # seconds, where nothing can be skipped: for what happens without a decision on a run
_REST = 0.05  # seconds, in which a caller who has been answered can lock the clock


class Waker(Protocol):
    """A part of the engine that does something when its time has come."""

    def next_wake(self) -> int:
        """When that is (nanoseconds since the epoch); 0 for never."""
        ...

    def rearm(self) -> None:
        """The clock has jumped: look at it again."""
        ...


@dataclass(order=True, slots=True)
class _Sleeper:
    """A caller who waits for a time."""

    until: int  # nanoseconds since the epoch
    number: int
    future: asyncio.Future[None] = field(compare=False)
    lock_then: bool = field(compare=False)
    excused: bool = field(compare=False)


class TimeSkipping:
    """Locks, sleeping callers, and the jumps."""

    def __init__(self, clock: SkippingClock, runs: Runs, effects: Effects, timers: Timers) -> None:
        self._clock = clock
        self._runs = runs
        self._effects = effects
        self._timers = timers
        self._wakers: list[Waker] = [timers]
        self._locks = 0
        self._holds = 0
        self._callers = 0  # who wait for what time brings
        self._rests_until = 0.0  # by the event loop's clock
        self._touched: set[int] = set()  # runs with a decision since they were last looked at
        self._busy: set[int] = set()  # runs that are owed something, or have a workflow task with a worker
        self._running: dict[int, int] = {}  # how many activities of a run workers have, where it is any
        self._open: set[int] = set()  # runs that have not closed
        self._excused = 0  # running activities that only wait for time
        self._sleepers: list[_Sleeper] = []
        self._numbers = count()
        self._alarm: asyncio.TimerHandle | None = None
        self._looking: asyncio.TimerHandle | None = None
        self._stopped = False

    def add(self, waker: Waker) -> None:
        """Take the part's wake-ups into account."""
        self._wakers.append(waker)

    def stop(self) -> None:
        self._stopped = True
        for handle in (self._alarm, self._looking):
            if handle is not None:
                handle.cancel()
        for sleeper in self._sleepers:
            sleeper.future.cancel()

    # -- for clients

    def now(self) -> int:
        """What the server takes for the time, in nanoseconds since the epoch."""
        return self._clock.now()

    def lock(self) -> None:
        """Let time go at its real pace until as many calls have unlocked it."""
        self._locks += 1

    def unlock(self) -> None:
        """Undo one lock. Raises FailedPrecondition if there is none, nor a workflow that could be waited for."""
        self._look_at_touched()
        if self._locks <= 0 and not self._open:
            raise FailedPrecondition("time skipping is not locked: each unlock undoes one lock, and all are undone")
        self._locks -= 1
        self._rests_until = 0.0
        self._look_soon()

    async def sleep_until(self, time: int) -> None:
        """Return when that time has come, by itself or because it was skipped to."""
        await self._sleep(time)

    async def unlock_while_sleeping_until(self, time: int) -> None:
        """Undo one lock until that time has come. Raises as `unlock` does."""
        excused = self._locks <= 0
        self.unlock()
        self._excused += excused
        await self._sleep(time, lock_then=True, excused=excused)

    async def _sleep(self, time: int, *, lock_then: bool = False, excused: bool = False) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, _Sleeper(time, next(self._numbers), future, lock_then, excused))
        self._wake_sleepers()
        self._look_soon()
        await future

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is skipped inside."""
        self._holds += 1
        try:
            yield
        finally:
            self._holds -= 1
            self._look_soon()

    @contextmanager
    def waited_for(self) -> Iterator[None]:
        """Inside, a caller waits for what time brings."""
        self._callers += 1
        try:
            yield
        finally:
            self._callers -= 1

    # -- what happens meanwhile

    def answering(self, callers: int = 1) -> None:
        """So many of those who wait are about to be answered."""
        if self._callers <= callers:
            self._rests_until = asyncio.get_running_loop().time() + _REST

    def changed(self, run: Run) -> None:
        """A decision was made on the run."""
        if run.close_waiters and not run.state.open:
            self.answering(len(run.close_waiters))
        self._touched.add(run.key)
        self._look_soon()

    def _look_soon(self, delay: float = 0.0) -> None:
        """Consider a jump once this turn of the loop is over, or so many seconds later."""
        if self._locks > 0 or self._stopped:
            return
        loop = asyncio.get_running_loop()
        if self._looking is not None:
            if self._looking.when() <= loop.time() + delay:
                return
            self._looking.cancel()
        self._looking = loop.call_later(delay, self._look)

    def _look(self) -> None:
        """Jump, if nobody has anything to do and something falls due; and look again, while time is unlocked."""
        self._looking = None
        if self._locks <= 0:
            self._look_soon(self._jump())

    def _jump(self) -> float:
        """Skip to what comes next, if that can be. Returns in how many seconds to look again."""
        rest = self._rests_until - asyncio.get_running_loop().time()
        if rest > 0:
            return rest
        if self._holds or self._someone_is_busy():
            return _LOOK_LATER
        target = self._next() if self._effects.idle else self._clock.now()
        if not target or target > VIRTUAL_TIME_MAX:
            return _LOOK_LATER
        if target > self._clock.now():
            self._clock.skip_to(target)
            for waker in self._wakers:
                waker.rearm()
            self._wake_sleepers()
        return _LOOK_AGAIN

    def _someone_is_busy(self) -> bool:
        """Whether somebody works on a run."""
        self._look_at_touched()
        return bool(self._busy) or sum(self._running.values()) > self._excused

    def _look_at_touched(self) -> None:
        """See what has become of the runs with a decision; leave those that wait with exact wake-ups."""
        for key in self._touched:
            run = self._runs.get(key)
            for kept in (self._busy, self._open):
                kept.discard(key)
            self._running.pop(key, None)
            if run is None:
                continue
            if run.state.open:
                self._open.add(key)
            if in_progress(run.state):
                self._busy.add(key)
                continue
            running = running_activities(run.state)
            if running:
                self._running[key] = running
            next_due(run.state)
            self._timers.changed(run)
        self._touched.clear()

    def _next(self) -> int:
        """When the next thing falls due; 0 for never."""
        times = [self._sleepers[0].until] if self._sleepers else []
        times += [waker.next_wake() for waker in self._wakers]
        return min((time for time in times if time), default=0)

    def _wake_sleepers(self) -> None:
        """Let those go whose time has come, and set the alarm for the next one."""
        now = self._clock.now()
        while self._sleepers and self._sleepers[0].until <= now:
            sleeper = heapq.heappop(self._sleepers)
            self._locks += sleeper.lock_then
            self._excused -= sleeper.excused
            if not sleeper.future.done():
                sleeper.future.set_result(None)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._sleepers:
            delay = min(self._sleepers[0].until - now, 60 * SECOND)
            self._alarm = asyncio.get_running_loop().call_later(delay / SECOND, self._wake_sleepers)
