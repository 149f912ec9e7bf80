"""What goes on behind a namespace: one that was deleted is emptied, and a changed retention reaches closed runs.

Rules
- Both are marked on the namespace's row with the request that asks for them, so a restart goes on with them.
- A deleted namespace has another name from then on, and takes no requests. Its schedules, batches and settings go
  at once, its runs bit by bit: open ones are terminated first, so that parents elsewhere hear of it. Its row goes
  last, once the delay that was asked for is over.
- Work is done in small portions, between which other work goes on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import replace
from typing import Any, Protocol

from outlive.clock import Clock
from outlive.core import close
from outlive.engine.namespaces import DELETED, Namespace, Namespaces
from outlive.engine.runs import Run, Runs
from outlive.errors import StorageFailed
from outlive.limits import SECOND, UPKEEP_PORTION
from outlive.store.port import Storage, Writer

_REASON = "Delete namespace"


class Owner(Protocol):
    """A part of the engine that keeps things of namespaces besides runs."""

    def forget_namespace(self, namespace_id: str) -> None: ...


class NamespaceUpkeep:
    """Empties deleted namespaces, and applies changed retentions."""

    def __init__(
        self,
        namespaces: Namespaces,
        runs: Runs,
        storage: Storage,
        writer: Writer,
        clock: Clock,
        owners: Sequence[Owner],
    ) -> None:
        self._namespaces = namespaces
        self._runs = runs
        self._storage = storage
        self._writer = writer
        self._clock = clock
        self._owners = owners
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self) -> None:
        """Go on with what was under way."""
        for namespace in self._namespaces.all():
            if namespace.delete_at:
                self._go(self._empty(namespace))
            elif namespace.retention_changed:
                self._go(self._keep_as_long(namespace))

    def stop(self) -> None:
        """Leave what is under way to the next start of the server."""
        for task in self._tasks:
            task.cancel()

    def _go(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(_until_the_end(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- deleting

    async def delete(self, namespace: Namespace, delay: int) -> str:
        """Delete the namespace; its row goes after the delay, in nanoseconds. Returns its name until then."""
        if namespace.delete_at:
            return namespace.name
        name = self._free_name(namespace)
        changed = replace(namespace, name=name, state=DELETED, delete_at=max(self._clock.now() + delay, 1))
        namespace = self._namespaces.rename(namespace, changed)
        await self._namespaces.committed()
        self._go(self._empty(namespace))
        return name

    def _free_name(self, namespace: Namespace) -> str:
        """The name with as much of the id as makes it another than all that are there."""
        taken = {each.name for each in self._namespaces.all()}
        digits = namespace.id.replace("-", "")
        names = (f"{namespace.name}-deleted-{digits[:length]}" for length in range(5, len(digits) + 1))
        return next(name for name in names if name not in taken)

    async def _empty(self, namespace: Namespace) -> None:
        for owner in self._owners:
            owner.forget_namespace(namespace.id)
        while True:
            await self._writer.flush()
            keys = self._storage.runs_of(namespace.id, UPKEEP_PORTION)
            if not keys:
                break
            runs = [run for key in keys if (run := self._runs.get(key)) is not None]
            for run in runs:
                self._terminate(run)
            await self._writer.flush()
            await asyncio.sleep(0)  # effects of the ends run in a turn of their own
            for run in runs:
                self._runs.delete(run)
        await asyncio.sleep(max(0, namespace.delete_at - self._clock.now()) / SECOND)
        self._namespaces.remove(namespace.id)
        await self._namespaces.committed()

    def _terminate(self, run: Run) -> None:
        if run.state.open:
            self._runs.decide(run, lambda t: close.terminate(t, reason=_REASON, identity=t.context.identity))

    # -- retention

    def retention_changed(self, namespace: Namespace) -> None:
        """Have closed runs kept as long as the namespace says now."""
        self._go(self._keep_as_long(namespace))

    async def _keep_as_long(self, namespace: Namespace) -> None:
        wanted, after = namespace.retention, 0
        while self._still(namespace.id, lambda now: now.retention == wanted):
            await self._writer.flush()
            keys = self._storage.kept_otherwise(namespace.id, wanted, after, UPKEEP_PORTION)
            if not keys:
                current = self._namespaces.by_id(namespace.id)
                self._namespaces.put(replace(current, retention_changed=False))
                await self._namespaces.committed()
                return
            for key in keys:
                run = self._runs.get(key)
                if run is not None and not run.state.open:
                    self._runs.keep_for(run, wanted)
            after = keys[-1]
            await asyncio.sleep(0)

    def _still(self, namespace_id: str, holds: Callable[[Namespace], bool]) -> bool:
        """Whether the namespace is there, not deleted, and as it was when the work began."""
        return any(each.id == namespace_id and not each.delete_at and holds(each) for each in self._namespaces.all())


async def _until_the_end(work: Coroutine[Any, Any, None]) -> None:
    try:
        await work
    except StorageFailed:
        return  # the server stops; the next one goes on
