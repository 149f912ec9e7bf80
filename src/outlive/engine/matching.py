"""Task queues: offers of work on one side, polling workers on the other.

Rules (all of them live in this file)
- An offer is a reminder, not a fact: whoever takes it asks the state whether it still stands.
- Queues live in memory. After a restart the engine offers again what the states still owe.
- A sticky queue that nobody has polled for a while takes no offers: they go to the normal queue.
- What was given to a poller that went away before it could take it goes back to the front.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from outlive.clock import Clock
from outlive.limits import POLLER_SEEN, STICKY_POLLER_GONE


@dataclass(frozen=True, slots=True)
class Offer:
    """A task for a worker of a queue: of run `key`, and which one of it."""

    key: int
    event_id: int  # of the Scheduled event
    stamp: int  # attempt of a workflow task, stamp of an activity
    query: object | None = None  # a query to answer, instead of a task
    offered_at: int = 0


@dataclass(slots=True)
class PollerSeen:
    """When a worker last asked, for descriptions."""

    identity: str
    last_access: int
    rate_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class QueueName:
    """Workflow and activity tasks of one name are two queues, and each deployment version has its own."""

    namespace_id: str
    name: str
    activities: bool = False
    version: str = ""  # "deployment:build id" of the workers that may take its tasks; "": unversioned ones


@dataclass(slots=True)
class TaskQueue:
    """Offers that wait for a worker, or workers that wait for an offer; never both."""

    offers: deque[Offer] = field(default_factory=deque)
    pollers: deque[asyncio.Future[Offer]] = field(default_factory=deque)
    seen: dict[str, PollerSeen] = field(default_factory=dict)
    last_polled: int = 0

    @property
    def idle(self) -> bool:
        return not self.offers and not self.pollers


class Matching:
    """All task queues."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._queues: dict[QueueName, TaskQueue] = {}
        self._closed = False

    def queue(self, name: QueueName) -> TaskQueue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = TaskQueue()
            if len(self._queues) % 1024 == 0:
                self._forget_unused()
        return queue

    def _forget_unused(self) -> None:
        """Sticky queues come and go with workers: drop those that nobody has used for a while."""
        gone = self._clock.now() - POLLER_SEEN
        for name, queue in list(self._queues.items()):
            if queue.idle and queue.last_polled < gone:
                del self._queues[name]

    # -- offering

    def offer(self, name: QueueName, offer: Offer) -> None:
        """Give the task to a waiting worker, or keep it for the next one."""
        queue = self.queue(name)
        while queue.pollers:
            poller = queue.pollers.popleft()
            if not poller.done():
                poller.set_result(offer)
                return
        queue.offers.append(offer)

    def polled_lately(self, name: QueueName, within: int = STICKY_POLLER_GONE) -> bool:
        """Whether a worker waits on the queue, or did so at most `within` nanoseconds ago."""
        queue = self._queues.get(name)
        if queue is None:
            return False
        return bool(queue.pollers) or queue.last_polled >= self._clock.now() - within

    # -- polling

    async def poll(
        self, name: QueueName, identity: str, until: int, *, stands: Callable[[Offer], bool]
    ) -> Offer | None:
        """The next offer that still stands, or None at the time `until` (nanoseconds).

        The taker must act on the offer without awaiting anything in between.
        """
        queue = self.queue(name)
        self._note(queue, identity)
        while not self._closed:
            while queue.offers:
                offer = queue.offers.popleft()
                if stands(offer):
                    return offer
            waited = await self._wait(queue, until)
            queue.last_polled = self._clock.now()
            if waited is None:
                return None
            if stands(waited):
                return waited
        return None

    async def _wait(self, queue: TaskQueue, until: int) -> Offer | None:
        loop = asyncio.get_running_loop()
        poller: asyncio.Future[Offer] = loop.create_future()
        queue.pollers.append(poller)
        timer = loop.call_later(max(0.0, (until - self._clock.now()) / 1e9), _expire, poller)
        try:
            return await poller
        except asyncio.CancelledError:
            if poller.done() and not poller.cancelled():
                queue.offers.appendleft(poller.result())  # given to a worker that has gone away
                self._serve(queue)
                raise
            if poller.cancelled() and not _cancelling():
                return None  # the time is over
            raise
        finally:
            timer.cancel()
            if not poller.done():
                poller.cancel()
            _discard(queue.pollers, poller)

    def _serve(self, queue: TaskQueue) -> None:
        """Match what waits on both sides."""
        while queue.offers and queue.pollers:
            poller = queue.pollers.popleft()
            if not poller.done():
                poller.set_result(queue.offers.popleft())

    def _note(self, queue: TaskQueue, identity: str) -> None:
        now = self._clock.now()
        queue.last_polled = now
        queue.seen[identity] = PollerSeen(identity, now)
        if len(queue.seen) > 64:
            queue.seen = {k: v for k, v in queue.seen.items() if v.last_access > now - POLLER_SEEN}

    # -- describing and ending

    def pollers(self, name: QueueName) -> list[PollerSeen]:
        """Workers that polled the queue in the last minutes, the latest first."""
        queue = self._queues.get(name)
        if queue is None:
            return []
        since = self._clock.now() - POLLER_SEEN
        return sorted((p for p in queue.seen.values() if p.last_access > since), key=lambda p: -p.last_access)

    def backlog(self, name: QueueName) -> tuple[int, int]:
        """How many offers wait, and the age of the oldest in nanoseconds."""
        queue = self._queues.get(name)
        if queue is None or not queue.offers:
            return 0, 0
        return len(queue.offers), max(0, self._clock.now() - queue.offers[0].offered_at)

    def busy(self, name: QueueName) -> bool:
        """Whether the queue has work that waits."""
        return self.backlog(name)[0] > 0

    def take_back(self, name: QueueName) -> list[Offer]:
        """Everything that waits for a worker of the queue, for another queue."""
        queue = self._queues.get(name)
        if queue is None:
            return []
        offers = list(queue.offers)
        queue.offers.clear()
        return offers

    def abandon(self, name: QueueName) -> list[Offer]:
        """A worker has shut down: take back what waits on its sticky queue."""
        queue = self._queues.pop(name, None)
        if queue is None:
            return []
        for poller in queue.pollers:
            _expire(poller)
        return list(queue.offers)

    def close(self) -> None:
        """Answer every poll with nothing, now and from now on."""
        self._closed = True
        for queue in self._queues.values():
            for poller in queue.pollers:
                _expire(poller)


def _expire(poller: asyncio.Future[Offer]) -> None:
    if not poller.done():
        poller.cancel()


def _cancelling() -> bool:
    """Whether the running task itself is being cancelled, not just the future it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _discard(pollers: deque[asyncio.Future[Offer]], poller: asyncio.Future[Offer]) -> None:
    try:
        pollers.remove(poller)
    except ValueError:
        return  # it was taken from the queue when it was served
