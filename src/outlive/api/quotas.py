"""How much a namespace may ask: rates and long polls, by Temporal's keys.

Requests have tiers. Each tier has a rate of its own, and what a request takes from its tier it takes from
all lower ones too: so polls and reads are refused before starts and the answers of workers are.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.api.enums.v1 import ResourceExhaustedCause

from outlive.api.handlers import Answer
from outlive.api.tiers import LONG_HISTORY, LOWEST, Kind, kind_of
from outlive.api.turns import LoopTurns, Turnstile
from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.limits import request_limits
from outlive.engine.matching import Pace
from outlive.engine.namespaces import Namespace
from outlive.errors import ResourceExhausted
from outlive.limits import SECOND, VISIBILITY_WAITING_MAX, RequestLimits

C = ResourceExhaustedCause
Begin = Callable[[], Awaitable[Answer]]


class _Use:
    """What one namespace has used of its limits."""

    __slots__ = ("limits", "tiers", "visibility", "waiting")

    def __init__(self, limits: RequestLimits) -> None:
        self.waiting: Counter[str] = Counter()
        self.put_in_force(limits)

    def put_in_force(self, limits: RequestLimits) -> None:
        """The rates begin anew; what waits goes on waiting."""
        self.limits = limits
        burst = int(limits.namespace_burst_ratio * SECOND)
        self.tiers = [Pace.of(limits.namespace_rps, burst) for _ in range(LOWEST + 1)]
        self.visibility = Pace.of(limits.visibility_rps, int(limits.visibility_burst_ratio * SECOND))

    def admit(self, kind: Kind, now: int) -> bool:
        """Whether the rate allows one more, which is then taken."""
        if kind.visibility:
            if self.visibility.ready > now:
                return False
            self.visibility.take(now)
            return True
        tiers = self.tiers
        if tiers[kind.tier].ready > now:
            return False
        for tier in range(kind.tier, LOWEST + 1):
            tiers[tier].take(now)
        return True


class Quotas:
    """The limits of all namespaces."""

    def __init__(self, config: DynamicConfig) -> None:
        self._config = config
        self._of: dict[str, _Use] = {}  # by namespace name
        self._turns = LoopTurns()
        self._reads = Turnstile(VISIBILITY_WAITING_MAX)
        config.follow(self._changed)

    def of(self, name: str) -> Quota:
        """The limits of an RPC."""
        return Quota(self, name)

    def _changed(self) -> None:
        for name, use in self._of.items():
            use.put_in_force(request_limits(self._config, name))

    def use(self, namespace: Namespace) -> _Use:
        use = self._of.get(namespace.name)
        if use is None:
            use = self._of[namespace.name] = _Use(request_limits(self._config, namespace.name))
        return use

    def turn(self, namespace: Namespace, now: int) -> asyncio.Future[None] | None:
        """What to wait for before the request begins; None: nothing."""
        return self._turns.turn(namespace.name, now)

    async def long(self, namespace: Namespace, name: str, begin: Begin) -> Answer:
        """Wait as one of so many. Raises ResourceExhausted."""
        use = self.use(namespace)
        if use.waiting[name] >= use.limits.long_polls_max:
            raise ResourceExhausted(
                "namespace concurrent poller limit exceeded", C.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT
            )
        use.waiting[name] += 1
        try:
            return await begin()
        finally:
            use.waiting[name] -= 1

    async def read(self, namespace: Namespace, begin: Begin) -> Answer:
        """Read the visibility store when it is the namespace's turn. Raises ResourceExhausted."""
        await self._reads.enter(namespace.name)
        try:
            return await begin()
        finally:
            self._reads.leave()


class Quota:
    """The limits of one RPC, in every namespace."""

    def __init__(self, quotas: Quotas, name: str) -> None:
        self._quotas = quotas
        self._kind = kind_of(name)
        self._long_kind = kind_of(LONG_HISTORY) if name == "GetWorkflowExecutionHistory" else None
        self.holds = self._kind.long or self._kind.reads_store or self._long_kind is not None

    def admit(self, namespace: Namespace, request: Any, now: int) -> asyncio.Future[None] | None:
        """Take one from the rate; returns what to wait for, if anything. Raises ResourceExhausted."""
        if not self._quotas.use(namespace).admit(self._kind_of(request), now):
            raise ResourceExhausted("namespace rate limit exceeded", C.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT)
        return self._quotas.turn(namespace, now)

    def _kind_of(self, request: Any) -> Kind:
        if self._long_kind is not None and request.wait_new_event:
            return self._long_kind
        return self._kind

    async def hold(self, namespace: Namespace, request: Any, begin: Begin) -> Answer:
        """Run the RPC, if it `holds` something while it runs."""
        kind = self._kind_of(request)
        if kind.long:
            return await self._quotas.long(namespace, kind.name, begin)
        if kind.reads_store:
            return await self._quotas.read(namespace, begin)
        return await begin()
