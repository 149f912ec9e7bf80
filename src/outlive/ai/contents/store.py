"""The port of stores: bytes by their digest, each held by the workflows whose histories refer to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol


class Owner(NamedTuple):
    """A workflow, by id: its runs come and go together, and a codec is told no more than this."""

    namespace: str
    workflow_id: str


class Swept(NamedTuple):
    """What was removed."""

    contents: int
    size: int  # bytes


class Store(Protocol):
    """Digests are lower-case SHA-256 of the bytes as given. Everything may be repeated; instances are shared."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    async def put(self, contents: Mapping[str, bytes], owners: Sequence[Owner]) -> None:
        """Durable, and held by each owner, once this returns."""
        ...

    async def keep(self, digests: Sequence[str], owners: Sequence[Owner]) -> None:
        """Hold contents that are there. Raises ContentMissing where the store can tell at no cost."""
        ...

    async def get(self, digests: Sequence[str]) -> dict[str, bytes]:
        """Raises ContentMissing."""
        ...

    async def owners(self, namespace: str, before: float) -> list[str]:
        """Ids of the namespace's workflows that have held nothing new since `before` (Unix seconds)."""
        ...

    async def release(self, owners: Sequence[Owner]) -> None:
        """These workflows are gone."""
        ...

    async def sweep(self, before: float, *, dry_run: bool = False) -> Swept:
        """Remove what nobody holds and nobody has put since `before` (Unix seconds)."""
        ...
