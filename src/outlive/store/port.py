"""The storage port: what the engine asks of a store. `sqlite.py` is the one that is there.

Reads are synchronous and see what has been committed. Writes go through one writer that shares commits:
`Writer.submit` takes what a transition changed and answers when the commit that holds it is on disk.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from outlive.core.state import State
from outlive.core.visibility import VisibilityRecord


@dataclass(frozen=True, slots=True)
class NamespaceRow:
    """A namespace as it is kept."""

    namespace_id: str
    name: str
    state: int  # NamespaceState
    description: str = ""
    owner_email: str = ""
    retention: int = 0  # nanoseconds
    data: str = "{}"  # JSON object of strings, the owner's own
    search_attributes: str = "{}"  # JSON object: name -> type name
    extra: str = "{}"  # JSON object: settings that few namespaces have


@dataclass(frozen=True, slots=True)
class EntityRow:
    """Something that is kept whole and is no execution: a schedule, a batch, a deployment.

    Its owner in the engine holds all of its kind in memory; the store only brings them back.
    """

    kind: str  # one word, of the part of the engine that owns it
    namespace_id: str
    entity_id: str
    data: bytes  # a serialised message, as its owner sees fit


@dataclass(frozen=True, slots=True)
class Found:
    """A run as the store finds it by name."""

    key: int
    run_id: str


@dataclass(slots=True)
class Recovery:
    """What a restart needs to go on."""

    last_key: int = 0
    pending: list[int] = field(default_factory=list)  # runs that owe effects


class Storage(Protocol):
    """Reads."""

    def load(self, key: int) -> State | None:
        """The execution as last committed, deadlines rebuilt; None if it is gone."""
        ...

    def current(self, namespace_id: str, workflow_id: str) -> Found | None:
        """The last started run of a workflow id."""
        ...

    def find(self, namespace_id: str, workflow_id: str, run_id: str) -> Found | None: ...

    def events(self, key: int, first: int, last: int, *, max_bytes: int = 0) -> list[bytes]:
        """Events `first` to `last` (ids, inclusive) in order; at least one, else stopping at `max_bytes`."""
        ...

    def events_reverse(self, key: int, last: int, count: int) -> list[bytes]:
        """Up to `count` events from id `last` downwards, newest first."""
        ...

    def due(self, until: int, limit: int) -> list[tuple[int, int]]:
        """(wake_at, key) of the soonest executions to wake up to `until`, at most `limit`."""
        ...

    def wake_at(self, key: int) -> int:
        """When that execution is to be woken up; 0 for never, or if there is none of that key."""
        ...

    def recovery(self) -> Recovery: ...

    def namespaces(self) -> list[NamespaceRow]: ...

    def runs_of(self, namespace_id: str, limit: int) -> list[int]:
        """Keys of some of the namespace's runs, at most `limit`."""
        ...

    def kept_otherwise(self, namespace_id: str, retention: int, after: int, limit: int) -> list[int]:
        """Keys above `after`, in order, of closed runs that are kept for another time than `retention`."""
        ...

    def entities(self, kind: str) -> list[EntityRow]:
        """Everything of the kind, in all namespaces, by namespace and id."""
        ...

    async def read_visibility(self, operation: str, /, *args: Any, **kwargs: Any) -> Any:
        """Run `list` or `count` of the visibility store where it does not hold up the loop."""
        ...


class Writer(Protocol):
    """The one writer: shares commits, and keeps their order."""

    def submit(self, states: Sequence[State]) -> asyncio.Future[None]:
        """Have these executions' changes in the next commit. Done when they are durable.

        Changes are taken from the state when the commit is made, so several transitions of one
        execution cost one write. The future fails with `StorageFailed` if the commit does.
        """
        ...

    def put_namespace(self, row: NamespaceRow) -> asyncio.Future[None]:
        """Write a namespace with the next commit."""
        ...

    def delete_namespace(self, namespace_id: str) -> asyncio.Future[None]:
        """Forget a namespace and what is kept of it besides runs, with the next commit."""
        ...

    def put_entity(self, row: EntityRow) -> asyncio.Future[None]:
        """Write the entity with the next commit, in the place of what it was."""
        ...

    def delete_entity(self, kind: str, namespace_id: str, entity_id: str) -> asyncio.Future[None]:
        """Forget the entity with the next commit."""
        ...

    def put_visible(self, record: VisibilityRecord) -> asyncio.Future[None]:
        """Show, in lists, something that is no execution; written with the next commit."""
        ...

    def delete_visible(self, namespace_id: str, run_id: str) -> asyncio.Future[None]:
        """Take a record that is no execution out of the lists, with the next commit."""
        ...

    def delete(self, key: int, namespace_id: str, run_id: str) -> asyncio.Future[None]:
        """Forget a run with everything it has, with the next commit."""
        ...

    async def flush(self) -> None:
        """Wait until everything submitted so far is durable."""
        ...
