"""Passages become vectors: by an embedding model, or by feature hashing when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from examples.research_pipeline.models import Usage
from outlive.ai import documents


@dataclass(frozen=True)
class Vectors:
    """Unit vectors, one a text, and what they took."""

    values: list[list[float]]
    usage: Usage


class Embedder(Protocol):
    """Turns texts into vectors of one length. `is_model`: calls go to a model, and so are logged."""

    name: str
    is_model: bool

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed `texts`, in order."""
        ...


class HashingEmbedder:
    """Feature hashing. It finds shared words, not shared meaning; the report names it for what it is."""

    name = "hashing-512 (local stand-in, no model)"
    is_model = False

    def __init__(self) -> None:
        self._hashing = documents.HashingEmbedder()

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed `texts`; the same text gives the same vector in every process."""
        return Vectors((await self._hashing.embed(texts)).vectors, Usage())
