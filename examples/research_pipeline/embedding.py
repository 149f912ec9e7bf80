"""Passages become vectors: by an embedding model, or by feature hashing when there is none."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import Protocol

from examples.research_pipeline.models import Usage

_TOKEN = re.compile(r"\w{2,}")


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
    """Feature hashing: words and pairs of words, hashed into 512 signed buckets. Arithmetic, not a model.

    It finds shared words, not shared meaning; the report names it for what it is.
    """

    name = "hashing-512 (local stand-in, no model)"
    is_model = False
    dimensions = 512

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """Embed `texts`; the same text gives the same vector in every process."""
        return Vectors([self._vector(text) for text in texts], Usage())

    def _vector(self, text: str) -> list[float]:
        words = [word.lower() for word in _TOKEN.findall(text)]
        features = Counter(words)
        features.update(" ".join(pair) for pair in pairwise(words))
        vector = [0.0] * self.dimensions
        for feature, count in features.items():
            # Python's own hash is salted for each process, and these vectors are compared across processes.
            digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
            sign = 1.0 if digest & 1 else -1.0
            vector[(digest >> 1) % self.dimensions] += sign * (1 + math.log(count))
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]
