"""Matching: offers of work on one side, polling workers on the other.

Rules (all of them live in this package)
- An offer is a reminder, not a fact: whoever takes it asks the state whether it still stands.
- Queues live in memory. After a restart the engine offers again what the states still owe.
- Offers go by priority level, then shared out among fairness keys (`backlog.py`, `fair.py`).
- A rate limit belongs to a queue with all its versions (`throttle.py`); without one, nothing is counted.
- A sticky queue that nobody has polled for a while takes no offers: they go to the normal queue.
- What was given to a poller that went away before it could take it goes back to the front.
- The polls of a worker that has shut down end at once, and so do those that were still on their way.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from temporalio.api.enums.v1 import RateLimitSource

from outlive.clock import Clock
from outlive.engine.matching.backlog import Levels
from outlive.engine.matching.offers import Offer, QueueName
from outlive.engine.matching.pollers import Poller, PollerSeen
from outlive.engine.matching.queue import LevelStats, Stands, TaskQueue, Waiting
from outlive.engine.matching.rates import Pace
from outlive.engine.matching.throttle import QueueSettings, Throttle
from outlive.limits import (
    POLLER_SEEN,
    PRIORITY_LEVELS,
    QUEUE_RATE_MAX,
    QUEUES_SWEPT_EVERY,
    SCALE_DECISIONS_PER_POLLER,
    SCALE_DOWN_WAIT,
    SECOND,
    SHUT_DOWN_REMEMBERED,
    SHUT_DOWN_REMEMBERED_MAX,
    STICKY_POLLER_GONE,
)

_Poll = asyncio.Future[Offer]
_Instance = tuple[str, str]  # namespace id, worker instance key


@dataclass(frozen=True, slots=True)
class Taken:
    """An offer that a poller has, and whether its worker should poll with more (1) or fewer (-1) pollers."""

    offer: Offer
    scale: int = 0
    backlog: int = 0  # offers that still wait


class Matching:
    """All task queues. `on_orphans` is given what waited in the sticky queue of a worker that is gone."""

    def __init__(self, clock: Clock, levels: Callable[[QueueName], int] = lambda name: PRIORITY_LEVELS) -> None:
        self._clock = clock
        self._levels = levels
        self._queues: dict[QueueName, TaskQueue] = {}
        self._throttles: dict[QueueName, Throttle] = {}  # by the base name of their queues
        self._by_instance: dict[_Instance, set[_Poll]] = {}
        self._shut_down: OrderedDict[_Instance, int] = OrderedDict()
        self._closed = False
        self.on_orphans: Callable[[Iterable[Offer]], None] = lambda offers: None

    def _queue(self, name: QueueName) -> TaskQueue:
        queue = self._queues.get(name)
        if queue is None:
            queue = self._queues[name] = TaskQueue(name, Levels(self._levels(name)))
            throttle = self._throttles.get(name.base)
            if throttle is not None:
                queue.adopt(throttle)
            if len(self._queues) % QUEUES_SWEPT_EVERY == 0:
                self._forget_unused()
        return queue

    def _forget_unused(self) -> None:
        """Sticky queues come and go with workers: drop those that nobody has used for a while."""
        gone = self._clock.now() - POLLER_SEEN
        for name, queue in list(self._queues.items()):
            if queue.unused and queue.last_polled < gone:
                del self._queues[name]
                self.on_orphans(list(queue.backlog))

    # -- offering

    def offer(self, name: QueueName, offer: Offer) -> None:
        """Give the task to a waiting worker, or keep it for the next one."""
        queue = self._queue(name)
        if offer.query is None:
            queue.count_added(offer, self._clock.now())
        if queue.throttle is None:
            while queue.waiting:
                poll, _ = queue.waiting.popitem(last=False)
                if not poll.done():
                    poll.set_result(offer)
                    return
            queue.backlog.push(offer)
        else:
            queue.backlog.push(offer)
            if queue.waiting:
                self._wake_in(queue, 0.0)

    def polled_lately(self, name: QueueName, within: int = STICKY_POLLER_GONE) -> bool:
        """Whether a worker waits on the queue, or did so at most `within` nanoseconds ago."""
        queue = self._queues.get(name)
        if queue is None:
            return False
        return bool(queue.waiting) or queue.last_polled >= self._clock.now() - within

    # -- polling

    async def poll(self, name: QueueName, poller: Poller, until: int, *, stands: Stands) -> Taken | None:
        """The next offer that still stands, or None at the time `until` (nanoseconds).

        The taker must act on the offer without awaiting anything in between.
        """
        began = now = self._clock.now()
        queue = self._queue(name)
        if self._has_shut_down((name.namespace_id, poller.instance_key), now):
            return None
        queue.last_polled = now
        queue.seen.note(poller, now)
        queue.sticky = queue.sticky or poller.sticky
        self._note_rate(queue, poller, now)
        while not self._closed:
            turn = queue.turn(now)
            offer = queue.take(stands, now, turn)
            if offer is None:
                if turn is not None:
                    self._wake_in(queue, turn.seconds)
                offer = await self._wait(queue, Waiting(poller, stands), until)
                now = queue.last_polled = self._clock.now()
                if offer is None:
                    return None
                if not stands(offer):
                    continue
            if offer.query is None:
                queue.count_dispatched(offer, now)
            return Taken(offer, _scale(queue, now - began, now), len(queue.backlog))
        return None

    async def _wait(self, queue: TaskQueue, waiting: Waiting, until: int) -> Offer | None:
        loop = asyncio.get_running_loop()
        poll: _Poll = loop.create_future()
        queue.waiting[poll] = waiting
        instance = (queue.name.namespace_id, waiting.poller.instance_key)
        if waiting.poller.instance_key:
            self._by_instance.setdefault(instance, set()).add(poll)
        timer = loop.call_later(max(0.0, (until - self._clock.now()) / SECOND), _expire, poll)
        try:
            return await poll
        except asyncio.CancelledError:
            if poll.done() and not poll.cancelled():
                queue.backlog.give_back(poll.result())  # given to a worker that has gone away
                self._serve(queue)
                raise
            if poll.cancelled() and not _cancelling():
                return None  # the time is over
            raise
        finally:
            timer.cancel()
            poll.cancel()
            queue.waiting.pop(poll, None)
            if waiting.poller.instance_key:
                self._ended(instance, poll)

    def _ended(self, instance: _Instance, poll: _Poll) -> None:
        polls = self._by_instance[instance]
        polls.discard(poll)
        if not polls:
            del self._by_instance[instance]

    def _serve(self, queue: TaskQueue) -> None:
        """Match what waits on both sides, as far as the limits allow."""
        if not (queue.backlog and queue.waiting):
            return
        now = self._clock.now()
        turn = queue.turn(now)
        while queue.waiting:
            poll, waiting = next(iter(queue.waiting.items()))
            if not poll.done():
                offer = queue.take(waiting.stands, now, turn)
                if offer is None:
                    break
                poll.set_result(offer)
            queue.waiting.popitem(last=False)
        if turn is not None:
            self._wake_in(queue, turn.seconds)

    # -- rate limits

    def _wake_in(self, queue: TaskQueue, seconds: float | None) -> None:
        """Look at the queue again when its limit lets the next offer go."""
        throttle = queue.throttle
        assert throttle is not None, "what has no limit waits for none"
        if seconds is None:
            return
        loop = asyncio.get_running_loop()
        if throttle.timer is not None and throttle.timer.when() > loop.time() + seconds:
            throttle.timer.cancel()
            throttle.timer = None
        if throttle.timer is None:
            throttle.timer = loop.call_later(max(0.0, seconds), self._due, queue.name.base)

    def _due(self, base: QueueName) -> None:
        """A limit may let the next offer go, or has changed."""
        throttle = self._throttles[base]
        if throttle.timer is not None:
            throttle.timer.cancel()
            throttle.timer = None
        for queue in self._versions(base):
            self._serve(queue)

    def _versions(self, base: QueueName) -> list[TaskQueue]:
        """The queue with that name and those of its deployment versions."""
        return [queue for name, queue in self._queues.items() if name.base == base]

    def _throttle(self, base: QueueName) -> Throttle:
        throttle = self._throttles.get(base)
        if throttle is None:
            throttle = self._throttles[base] = Throttle()
        for queue in self._versions(base):
            queue.adopt(throttle)
        return throttle

    def _note_rate(self, queue: TaskQueue, poller: Poller, now: int) -> None:
        if queue.throttle is None:
            if poller.rate is None:
                return
            queue.adopt(self._throttle(queue.name.base))
        assert queue.throttle is not None, "it has just been given one"
        if poller.rate != queue.throttle.worker_rate:
            queue.throttle.polled(poller.rate, now)
            self._due(queue.name.base)

    def configure(self, base: QueueName, settings: QueueSettings) -> None:
        """Put the queue's settings in force, for all its versions."""
        throttle = self._throttle(base)
        throttle.configure(settings, self._clock.now())
        for queue in self._versions(base):
            queue.adopt(throttle)
        self._due(base)

    def effective_rate(self, base: QueueName) -> tuple[float, RateLimitSource.ValueType]:
        """How many tasks a second may go from the queue, and who says so."""
        throttle = self._throttles.get(base)
        if throttle is None:
            return QUEUE_RATE_MAX, RateLimitSource.RATE_LIMIT_SOURCE_SYSTEM
        return throttle.effective

    # -- describing

    def pollers(self, name: QueueName) -> list[PollerSeen]:
        """Workers that polled the queue in the last minutes, the latest first."""
        queue = self._queues.get(name)
        if queue is None:
            return []
        return list(queue.seen.since(self._clock.now() - POLLER_SEEN))

    def stats(self, name: QueueName) -> dict[int, LevelStats]:
        """By priority level."""
        queue = self._queues.get(name) or TaskQueue(name, Levels(self._levels(name)))
        return queue.stats(self._clock.now())

    def versions(self, base: QueueName) -> list[QueueName]:
        """The queues in use with that name, one for each version of its workers."""
        return [queue.name for queue in self._versions(base)]

    def busy(self, name: QueueName) -> bool:
        """Whether the queue has work that waits, or has had any lately."""
        return any(level.backlog or level.add_rate for level in self.stats(name).values())

    # -- ending

    def take_back(self, name: QueueName) -> list[Offer]:
        """Everything that waits for a worker of the queue, for another queue."""
        queue = self._queues.get(name)
        if queue is None:
            return []
        offers = list(iter(queue.backlog.pop, None))
        return [offer for offer in offers if offer is not None]

    def abandon(self, name: QueueName) -> list[Offer]:
        """A worker has shut down: take back what waits on its sticky queue."""
        queue = self._queues.pop(name, None)
        if queue is None:
            return []
        for poll in queue.waiting:
            _expire(poll)
        return list(queue.backlog)

    def shut_down(self, namespace_id: str, instance_key: str) -> int:
        """End the polls of one worker, now and those still on their way. Returns how many waited."""
        instance = (namespace_id, instance_key)
        self._shut_down.pop(instance, None)
        self._shut_down[instance] = self._clock.now()
        if len(self._shut_down) > SHUT_DOWN_REMEMBERED_MAX:
            self._shut_down.popitem(last=False)
        polls = self._by_instance.get(instance, ())
        for poll in polls:
            _expire(poll)
        return len(polls)

    def forget_poller(self, name: QueueName, identity: str) -> None:
        """It has said that it will not come back: list it no more."""
        queue = self._queues.get(name)
        if queue is not None:
            queue.seen.forget(identity)

    def _has_shut_down(self, instance: _Instance, now: int) -> bool:
        return self._shut_down.get(instance, 0) > now - SHUT_DOWN_REMEMBERED

    def close(self) -> None:
        """Answer every poll with nothing, now and from now on."""
        self._closed = True
        for queue in self._queues.values():
            for poll in queue.waiting:
                _expire(poll)
        for throttle in self._throttles.values():
            if throttle.timer is not None:
                throttle.timer.cancel()


def _scale(queue: TaskQueue, waited: int, now: int) -> int:
    """Whether the worker should have more pollers or fewer.

    A poll that waited long for a task that did not wait was one too many. More are wanted where tasks wait
    or come faster than they go; that is looked into a few times a second for each poller, no oftener.
    """
    if waited >= SCALE_DOWN_WAIT:
        return 0 if queue.backlog else -1
    if queue.scaling is None:
        queue.scaling = Pace.of(SCALE_DECISIONS_PER_POLLER)
    if queue.scaling.ready > now:
        return 0
    queue.scaling.interval = int(SECOND / (SCALE_DECISIONS_PER_POLLER * max(1, len(queue.seen))))
    queue.scaling.take(now)
    return int(queue.wants_more_pollers(now))


def _expire(poll: _Poll) -> None:
    if not poll.done():
        poll.cancel()


def _cancelling() -> bool:
    """Whether the running task itself is being cancelled, not just the future it waited for."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
