"""Loaded runs, and the write path: decide, hand to the writer, do what the effects say.

Rules (all of them live in this file)
- Everything here runs on one event loop and never awaits between reading a state and writing it, so an
  execution needs no lock: a decision is one synchronous step.
- A decision may build on one that is not committed yet. The writer keeps the order, and an answer waits
  for the commit of the decision it comes from; so nothing is spoken that a crash could take back.
- A run with uncommitted changes, or with something waiting on it, stays loaded.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TypeVar

from temporalio.api.history.v1 import HistoryEvent

from outlive.clock import Clock
from outlive.core import close
from outlive.core.decision import decide
from outlive.core.effects import Effect, NewRun, has_outstanding
from outlive.core.queue_routing import NO_ROUTES, Routes
from outlive.core.state import State, TaskKind, TaskState
from outlive.core.transition import Context, Transition
from outlive.engine.namespaces import Namespaces
from outlive.errors import NotFound
from outlive.limits import STATE_CACHE_MAX, TAIL_BYTES_MAX, TAIL_EVENTS_MAX
from outlive.store.port import Found, Storage, Writer

T = TypeVar("T")


class Run:
    """A loaded run: its state, the last of its events as bytes, and who waits for it."""

    __slots__ = (
        "armed_at",
        "close_waiters",
        "commit",
        "holds",
        "state",
        "tail",
        "tail_bytes",
        "tail_first",
        "uncommitted",
        "waiters",
    )

    def __init__(self, state: State) -> None:
        self.state = state
        self.tail: list[bytes] = []  # HistoryEvent, ids from tail_first on
        self.tail_first = 0
        self.tail_bytes = 0
        self.uncommitted = 0  # decisions handed to the writer and not yet durable
        self.commit: asyncio.Future[None] | None = None  # of the last of them
        self.holds = 0  # queries, updates and the like that need the run loaded
        self.armed_at = 0  # the wake-up that the timer service knows of
        self.waiters: dict[asyncio.Future[None], None] = {}  # for anything new in the history
        self.close_waiters: dict[asyncio.Future[None], None] = {}  # for its end

    @property
    def key(self) -> int:
        return self.state.start.key

    @property
    def pinned(self) -> bool:
        """Whether the run must stay loaded."""
        return bool(self.uncommitted or self.holds or self.waiters or self.close_waiters)

    def extend(self, events: list[tuple[int, bytes]]) -> None:
        """Take over events that the writer has encoded."""
        if not self.tail:
            self.tail_first = events[0][0]
        self.tail.extend(data for _, data in events)
        self.tail_bytes += sum(len(data) for _, data in events)

    def trim(self) -> None:
        """Keep the tail within bounds. Only when nothing is uncommitted: the store has the rest."""
        drop = max(0, len(self.tail) - TAIL_EVENTS_MAX)
        size = self.tail_bytes - sum(len(data) for data in self.tail[:drop])
        while size > TAIL_BYTES_MAX and drop < len(self.tail):
            size -= len(self.tail[drop])
            drop += 1
        if drop:
            del self.tail[:drop]
            self.tail_first += drop
            self.tail_bytes = size

    def wake_waiters(self) -> None:
        _wake(self.waiters)
        if not self.state.open:
            _wake(self.close_waiters)

    def wake_all(self) -> None:
        """The run is gone: nobody has anything to wait for."""
        _wake(self.waiters)
        _wake(self.close_waiters)


def _wake(waiters: dict[asyncio.Future[None], None]) -> None:
    for waiter in waiters:
        if not waiter.done():
            waiter.set_result(None)
    waiters.clear()


class Runs:
    """The runs of the server, by key and by name."""

    def __init__(self, storage: Storage, writer: Writer, clock: Clock, namespaces: Namespaces) -> None:
        self._storage = storage
        self._writer = writer
        self._clock = clock
        self._namespaces = namespaces
        self._loaded: OrderedDict[int, Run] = OrderedDict()
        self._current: dict[tuple[str, str], int] = {}  # of loaded runs: workflow id -> key of its last run
        self._by_run_id: dict[str, int] = {}
        self._last_key = 0
        self.routes: Routes = NO_ROUTES
        self.new_id: Callable[[], str] = namespaces.new_id
        self.on_effect: Callable[[Run, Effect], None] = lambda run, effect: None
        self.on_wake_at: Callable[[Run], None] = lambda run: None
        self.forget_closed = True  # when their retention is over

    def begin(self, last_key: int) -> None:
        """Number new runs from the last one in the store."""
        self._last_key = last_key

    # -- finding

    def get(self, key: int) -> Run | None:
        """The run by key, loaded if need be."""
        run = self._loaded.get(key)
        if run is not None:
            self._loaded.move_to_end(key)
            return run
        state = self._storage.load(key)
        if state is None:
            return None
        _drop_speculative(state)
        return self._add(Run(state))

    def find(self, namespace_id: str, workflow_id: str, run_id: str = "") -> Run | None:
        """The named run, or the last one of the workflow id."""
        key = self._current.get((namespace_id, workflow_id))
        run = self._loaded.get(key) if key is not None else None
        if run is not None and run_id in ("", run.state.start.run_id):
            return run
        if run_id:
            loaded = self._loaded.get(self._by_run_id.get(run_id, 0))
            if loaded is not None:
                start = loaded.state.start
                return loaded if (start.namespace_id, start.workflow_id) == (namespace_id, workflow_id) else None
            found = self._storage.find(namespace_id, workflow_id, run_id)
        else:
            found = self._storage.current(namespace_id, workflow_id)
        return self.get(found.key) if isinstance(found, Found) else None

    def require(self, namespace_id: str, workflow_id: str, run_id: str = "") -> Run:
        """The named run; NotFound, in the words that SDKs know, if there is none."""
        run = self.find(namespace_id, workflow_id, run_id)
        if run is None:
            if run_id:
                raise NotFound(f'workflow execution not found for workflow ID "{workflow_id}" and run ID "{run_id}"')
            raise NotFound(f"workflow not found for ID: {workflow_id}")
        return run

    def if_loaded(self, key: int) -> Run | None:
        """The run by key if it is in memory. Of one that is not, everything is in the store."""
        return self._loaded.get(key)

    def loaded(self) -> Iterator[Run]:
        return iter(self._loaded.values())

    def _add(self, run: Run) -> Run:
        self._loaded[run.key] = run
        start = run.state.start
        self._by_run_id[start.run_id] = run.key
        name = (start.namespace_id, start.workflow_id)
        if self._current.get(name, 0) <= run.key and self._is_current(run):
            self._current[name] = run.key
        self._evict()
        return run

    def _is_current(self, run: Run) -> bool:
        if not run.state.saved:
            return True
        start = run.state.start
        found = self._storage.current(start.namespace_id, start.workflow_id)
        return found is not None and found.key == run.key

    def _evict(self) -> None:
        for _ in range(len(self._loaded)):
            if len(self._loaded) <= STATE_CACHE_MAX:
                return
            key, run = next(iter(self._loaded.items()))
            if run.pinned:
                self._loaded.move_to_end(key)  # in use; and not looked at again for each run that comes
            else:
                self._forget(run)

    def _forget(self, run: Run) -> None:
        del self._loaded[run.key]
        start = run.state.start
        del self._by_run_id[start.run_id]
        if self._current.get((start.namespace_id, start.workflow_id)) == run.key:
            del self._current[(start.namespace_id, start.workflow_id)]

    # -- reading history

    def read_event(self, run: Run, event_id: int) -> HistoryEvent:
        """One event of the run, from memory if it is there."""
        for event in reversed(run.state.unsaved):
            if event.event_id == event_id:
                return event
        return HistoryEvent.FromString(self.events(run, event_id, event_id)[0])

    def history(self, run: Run, first: int, last: int) -> list[HistoryEvent]:
        """Events by id, both ends included, also those that have not been written yet."""
        unsaved = run.state.unsaved
        written = min(last, unsaved[0].event_id - 1) if unsaved else last
        result = (
            [HistoryEvent.FromString(data) for data in self.events(run, first, written)] if first <= written else []
        )
        return result + [event for event in unsaved if first <= event.event_id <= last]

    def last_of_chain(self, run: Run) -> Run:
        """The run that this one has come to, by continuing, retry, cron or reset, as far as it is kept."""
        while True:
            start, info = run.state.start, run.state.info
            following = info.reset_run_id or info.successor_run_id
            found = self.find(start.namespace_id, start.workflow_id, following) if following else None
            if found is None:
                return run
            run = found

    def events(self, run: Run, first: int, last: int, *, max_bytes: int = 0) -> list[bytes]:
        """Written events by id, both ends included; stops at `max_bytes` after at least one."""
        result: list[bytes] = []
        if run.tail and first >= run.tail_first:
            result = run.tail[first - run.tail_first : last - run.tail_first + 1]
        else:
            below = min(last, run.tail_first - 1) if run.tail else last
            result = self._storage.events(run.key, first, below, max_bytes=max_bytes)
            if run.tail and last > below and len(result) == below - first + 1:
                result += run.tail[: last - run.tail_first + 1]
        return _within(result, max_bytes) if max_bytes else result

    # -- deciding

    def context(self, namespace_id: str) -> Context:
        """What decisions in the namespace are given."""
        namespace = self._namespaces.by_id(namespace_id)
        return Context(
            new_id=self.new_id,
            new_key=self._next_key,
            limits=namespace.limits,
            retention=namespace.retention if self.forget_closed else 0,
            attribute_types=namespace.attribute_types,
            namespace_id_of=self._namespaces.id_of,
            routes=self.routes,
        )

    def now(self, run: Run) -> int:
        """What the run takes for the time."""
        return self._clock.now() + run.state.info.skipped

    def takes_new(self, namespace_id: str) -> bool:
        """Whether the namespace is there, and not deleted."""
        return self._namespaces.is_in_use(namespace_id)

    def _next_key(self) -> int:
        self._last_key += 1
        return self._last_key

    def decide(self, run: Run, step: Callable[[Transition], T], *, durable: Callable[[T], bool] | bool = True) -> T:
        """Make one decision on the run and hand it to the writer; `committed` waits for it.

        `durable`: whether it changes anything that is kept; may be asked of its result.
        """
        t = Transition(
            run.state,
            self.now(run),
            self.context(run.state.start.namespace_id),
            lambda event_id: self.read_event(run, event_id),
        )
        result = decide(t, step)
        self._follow(run, t.effects, durable(result) if callable(durable) else durable)
        return result

    def open(self, t: Transition) -> Run:
        """Take over a run whose opening transition is finished."""
        run = self._add(Run(t.state))
        self._follow(run, t.effects, True)
        return run

    def _follow(self, run: Run, effects: list[Effect], durable: bool) -> None:
        """Hand the change over, and the effects on."""
        if durable:
            self.submit(run)
        for effect in effects:
            if isinstance(effect, NewRun):
                successor = self._add(Run(effect.state))
                self._follow(successor, list(effect.effects), True)
            else:
                self.on_effect(run, effect)
        self.on_wake_at(run)

    def submit(self, run: Run) -> asyncio.Future[None]:
        """Have the run's changes in the next commit."""
        run.uncommitted += 1
        future = self._writer.submit((run.state,))
        run.commit = future
        future.add_done_callback(lambda done: self._committed(run, done))
        return future

    def _committed(self, run: Run, done: asyncio.Future[None]) -> None:
        run.uncommitted -= 1
        if done.cancelled() or done.exception() is not None:
            return
        run.wake_waiters()
        if not run.uncommitted:
            run.trim()

    async def committed(self, run: Run) -> None:
        """Wait until everything decided on the run so far is durable."""
        if run.uncommitted and run.commit is not None:
            await run.commit

    def keep_for(self, run: Run, retention: int) -> None:
        """Forget a closed run when it has been closed for this long, in nanoseconds."""
        close.keep_for(run.state, retention)
        self.submit(run)
        self.on_wake_at(run)

    def delete(self, run: Run) -> asyncio.Future[None]:
        """Forget the run altogether, with the next commit."""
        start = run.state.start
        run.wake_all()
        if run.key in self._loaded:
            self._forget(run)
        return self._writer.delete(run.key, start.namespace_id, start.run_id)

    def on_events(self, key: int, events: list[tuple[int, bytes]]) -> None:
        """The writer has encoded new events of the run."""
        run = self._loaded.get(key)
        if run is not None and events:
            run.extend(events)


def pending_of(state: State) -> bool:
    """Whether a restart has to look at the run."""
    return has_outstanding(state)


def _drop_speculative(state: State) -> None:
    """A task that carried an update from memory is gone with that memory."""
    info = state.info
    if info.task_kind == TaskKind.SPECULATIVE:
        info.task_kind = TaskKind.NORMAL
        info.task_state = TaskState.NONE


def _within(events: list[bytes], max_bytes: int) -> list[bytes]:
    total = 0
    for index, data in enumerate(events):
        total += len(data)
        if total > max_bytes and index:
            return events[:index]
    return events
