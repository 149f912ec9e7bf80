"""Looking at schedules when there is something to do, and doing it.

Rules (all of them live in this file)
- A step takes note of how the schedule's workflows have ended, then looks at the clock, then takes actions.
  It comes when its time has come, when a workflow of the schedule has ended, and with every request.
- What a step changes, the workflows that it starts and ends included, is in one commit: a crash can neither
  lose an action nor double it.
- One heap holds the wake-ups of all schedules. An entry of it is a reminder: the schedule knows which counts.
- After a restart a schedule with workflows that were open is looked at at once; each other knows when it wakes.
- A step that fails by a fault of ours is tried again after a minute, and holds up no other schedule.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from itertools import count

from temporalio.api.errordetails.v1 import WorkflowExecutionAlreadyStartedFailure
from temporalio.api.workflowservice.v1 import CreateScheduleRequest

from outlive.clock import Clock
from outlive.core.schedules import changes, decisions, views
from outlive.core.schedules.outcomes import closed
from outlive.core.schedules.state import RUNNING, Execution, Schedule
from outlive.engine.runs import Run
from outlive.engine.schedules.held import Entry, Held, Key
from outlive.engine.schedules.workflows import Workflows
from outlive.errors import AlreadyExists, NotFound
from outlive.limits import MINUTE, SCHEDULE_STEPS_AT_ONCE, SCHEDULE_UPCOMING, SECOND

log = logging.getLogger(__name__)
_STALE_MAX = 1_000  # entries of the heap that count no more are cleared away beyond this
_SLEEP_MAX = 60 * SECOND  # look at the clock at least so often, in case it was set


class Schedules:
    """The schedules at work."""

    def __init__(self, held: Held, workflows: Workflows, clock: Clock, new_id: Callable[[], str]) -> None:
        self.held = held
        self._workflows = workflows
        self._clock = clock
        self._new_id = new_id
        self._watched: dict[tuple[str, Execution], Entry] = {}  # by namespace id and open workflow
        self._heap: list[tuple[int, int, Entry]] = []  # (wake_at, number, schedule)
        self._numbers = count()
        self._handle: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Take up what the store holds."""
        self.held.load()
        for entry in self.held:
            self._watch(entry)
            entry.ended.update(entry.watched)  # while nobody was looking: perhaps
            self._wake_at(entry, self._clock.now() if entry.ended else entry.schedule.state.wake_at)
        self.rearm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()

    # -- for clients

    def require(self, key: Key) -> Entry:
        """The schedule. Raises NotFound."""
        entry = self.held.get(key)
        if entry is None:
            raise NotFound("schedule not found")
        return entry

    def create(self, key: Key, request: CreateScheduleRequest) -> Entry:
        """Begin a schedule; or the one that this very request has begun before. Raises AlreadyExists."""
        entry = self.held.get(key)
        if entry is None:
            spec = self.held.specs.compiled(request.schedule.spec).canonical
            entry = self.held.add(key, changes.create(request, spec, self._new_id(), self._clock.now()))
            self._step(entry)
            self.rearm()
        elif entry.schedule.definition.request_id != request.request_id:
            detail = WorkflowExecutionAlreadyStartedFailure()  # by it SDKs know a schedule that is there
            raise AlreadyExists(f'schedule "{key.schedule_id}" is already registered', detail)
        return entry

    def change(self, entry: Entry, step: Callable[[Schedule, int], Schedule]) -> None:
        """Make a client's change at this moment, after what had fallen due before it."""
        self._step(entry)
        if self.held.get(entry.key) is not entry:
            raise NotFound("schedule not found")  # it was over, and is forgotten
        entry.schedule = step(entry.schedule, self._clock.now())
        self._step(entry)
        self.rearm()

    def delete(self, entry: Entry) -> None:
        """Forget the schedule. What it has started goes on."""
        self.held.remove(entry)
        self._unwatch(entry)
        entry.wake_at = 0

    def forget_namespace(self, namespace_id: str) -> None:
        """Forget all schedules of a namespace."""
        for entry in [each for each in self.held if each.key.namespace_id == namespace_id]:
            self.delete(entry)

    def next_times(self, entry: Entry) -> list[int]:
        """When the schedule acts next; at most as many times as a description shows."""
        now = self._clock.now()
        known = entry.next_times
        if known is None or (known and known[0] <= now):
            known = views.upcoming(entry.schedule, self.held.timetable(entry), now, SCHEDULE_UPCOMING)
            entry.next_times = known
        return known

    # -- steps

    def _step(self, entry: Entry) -> None:
        """Do what there is to do now."""
        now = self._clock.now()
        times = self.held.timetable(entry)
        schedule = self._with_outcomes(entry, entry.schedule)
        if decisions.over(schedule, times, now):
            self.delete(entry)
            return
        schedule = self._act(entry, decisions.elapse(schedule, times, now), now)
        entry.schedule = decisions.scheduled(schedule, times, now)
        self.held.put(entry)
        self._watch(entry)
        if entry.wake_at != entry.schedule.state.wake_at:
            self._wake_at(entry, entry.schedule.state.wake_at)

    def _act(self, entry: Entry, schedule: Schedule, now: int) -> Schedule:
        """Take the actions whose turn it is. Every round starts, drops or ends something."""
        key, again = entry.key, True
        while again:
            schedule, plan = decisions.take(schedule)
            again = plan.again
            for start in plan.starts:
                run = self._workflows.start(key, schedule, start)
                if run is None:
                    again = True
                    continue
                schedule = decisions.started(schedule, start, run.state.start.run_id, now)
                if not run.state.open:  # it is one that this very start has started before
                    entry.ended.add(Execution(start.workflow_id, run.state.start.run_id))
            for execution in plan.cancel:
                self._workflows.cancel(key, schedule, execution)
            for execution in plan.terminate:
                self._workflows.terminate(key, schedule, execution)
                entry.ended.add(execution)
            if entry.ended:
                schedule, again = self._with_outcomes(entry, schedule), True
        return schedule

    def _with_outcomes(self, entry: Entry, schedule: Schedule) -> Schedule:
        """The schedule, knowing which of the workflows that may have ended have."""
        while entry.ended:
            execution = entry.ended.pop()
            outcome = self._workflows.outcome(entry.key, execution)
            if outcome is not None:
                schedule = closed(schedule, execution, outcome)
        return schedule

    # -- the end of workflows

    def run_closed(self, run: Run) -> None:
        """A run of anybody's has closed."""
        start = run.state.start
        if run.state.info.successor_run_id:
            return
        execution = Execution(start.workflow_id, start.first_run_id)
        entry = self._watched.get((start.namespace_id, execution))
        if entry is not None:
            entry.ended.add(execution)
            self._try_step(entry)
            self.rearm()

    def _watch(self, entry: Entry) -> None:
        """Hear of the end of the schedule's open workflows, and of no others."""
        watched = _open(entry.schedule)
        if watched != entry.watched:
            self._unwatch(entry)
            entry.watched = watched
            for execution in watched:
                self._watched[(entry.key.namespace_id, execution)] = entry

    def _unwatch(self, entry: Entry) -> None:
        for execution in entry.watched:
            del self._watched[(entry.key.namespace_id, execution)]
        entry.watched = frozenset()

    # -- waking

    def next_wake(self) -> int:
        """When a schedule is to be looked at next (nanoseconds since the epoch); 0 for never."""
        self._drop_stale()
        return self._heap[0][0] if self._heap else 0

    def rearm(self) -> None:
        """Look at the clock again, and wait for what is due next."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        due = self.next_wake()
        if due:
            delay = min(max(0, due - self._clock.now()), _SLEEP_MAX)
            self._handle = asyncio.get_running_loop().call_later(delay / SECOND, self._fire)

    def _wake_at(self, entry: Entry, wake_at: int) -> None:
        entry.wake_at = wake_at
        if not wake_at:
            return
        heapq.heappush(self._heap, (wake_at, next(self._numbers), entry))
        if len(self._heap) > 2 * len(self.held) + _STALE_MAX:
            self._heap = [each for each in self._heap if each[2].wake_at == each[0]]
            heapq.heapify(self._heap)

    def _drop_stale(self) -> None:
        while self._heap and self._heap[0][2].wake_at != self._heap[0][0]:
            heapq.heappop(self._heap)

    def _fire(self) -> None:
        now = self._clock.now()
        for _ in range(SCHEDULE_STEPS_AT_ONCE):
            due = self.next_wake()
            if not due or due > now:
                break
            _, _, entry = heapq.heappop(self._heap)
            entry.wake_at = 0
            self._try_step(entry)
        self.rearm()

    def _try_step(self, entry: Entry) -> None:
        try:
            self._step(entry)
        except Exception:  # whatever it is, the other schedules go on
            log.exception("schedule %s could not be looked at; it will be again in a minute", entry.key.schedule_id)
            self._wake_at(entry, self._clock.now() + MINUTE)


def _open(schedule: Schedule) -> frozenset[Execution]:
    """The workflows of the schedule that may be open, as far as it shows them."""
    recent = (action.execution for action in schedule.state.recent if action.status == RUNNING)
    return frozenset((*schedule.state.running, *recent))
