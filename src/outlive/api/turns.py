"""Fairness between namespaces, where they share what there is one of: the event loop, the reader of lists."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque

from temporalio.api.enums.v1 import ResourceExhaustedCause

from outlive.errors import ResourceExhausted
from outlive.limits import REQUESTS_A_TURN, SHARED_SINCE

_Queues = OrderedDict[str, deque[asyncio.Future[None]]]


class LoopTurns:
    """While several namespaces make requests, each begins so many in one turn of the event loop.

    Without it a namespace with a thousand requests under way would have a thousand of them answered between
    any two of another's. While one namespace is alone, nothing is counted.
    """

    def __init__(self) -> None:
        self._last = ""
        self._shared_at = 0  # when two namespaces last took turns
        self._begun: dict[str, int] = {}
        self._waiting: _Queues = OrderedDict()
        self._scheduled = False

    def turn(self, namespace: str, now: int) -> asyncio.Future[None] | None:
        """None: begin at once. Else wait for what is returned."""
        if namespace != self._last:
            self._last = namespace
            self._shared_at = now
        elif now - self._shared_at > SHARED_SINCE and not self._waiting:
            return None
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next)
        begun = self._begun.get(namespace, 0)
        if begun < REQUESTS_A_TURN and namespace not in self._waiting:
            self._begun[namespace] = begun + 1
            return None
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, deque()).append(future)
        return future

    def _next(self) -> None:
        """A turn of the loop has passed."""
        self._scheduled = False
        self._begun.clear()
        for namespace, queue in list(self._waiting.items()):
            while queue and self._begun.get(namespace, 0) < REQUESTS_A_TURN:
                future = queue.popleft()
                if not future.done():
                    future.set_result(None)
                    self._begun[namespace] = self._begun.get(namespace, 0) + 1
            if not queue:
                del self._waiting[namespace]
        if self._waiting:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._next)


class Turnstile:
    """One at a time; of those that wait, one of each namespace in turn."""

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._taken = False
        self._waiting: _Queues = OrderedDict()

    async def enter(self, namespace: str) -> None:
        """Raises ResourceExhausted if too many of the namespace wait already. Then `leave` must not be called."""
        if not self._taken:
            self._taken = True
            return
        queue = self._waiting.setdefault(namespace, deque())
        if len(queue) >= self._waiting_max:
            raise ResourceExhausted(
                "namespace concurrent visibility request limit exceeded",
                ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
            )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(future)
        try:
            await future
        except asyncio.CancelledError:
            if future.cancelled():
                queue.remove(future)
                if not queue:
                    self._waiting.pop(namespace, None)
            else:
                self.leave()  # it was let in, and has gone away
            raise

    def leave(self) -> None:
        """Let the next one in."""
        while self._waiting:
            namespace, queue = self._waiting.popitem(last=False)
            future = queue.popleft()
            if queue:
                self._waiting[namespace] = queue
            if not future.done():
                future.set_result(None)
                return
        self._taken = False
