"""The port of indexes: passages by words and by vectors, kept in step with their sources."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final, NamedTuple, Protocol, TypeAlias

from outlive.ai.documents.errors import IndexMismatch
from outlive.ai.documents.loading import Document
from outlive.ai.documents.splitting import Passage

FUSION: Final = 60
"""The usual constant of reciprocal rank fusion: how much the first ranks count more than the later ones."""
POOL: Final = 50
"""How many hits of each kind are fused, at least."""
PassageRow: TypeAlias = tuple[str, int, str, int | None, int, int, str, str]
"""Source, number, heading, page, start, end, text, and the digest of what is embedded."""
_TERM = re.compile(r"\w{2,}")


@dataclass(frozen=True, slots=True)
class Known:
    """What the index has of a source."""

    stamp: str
    """Size and time of the file, as it was read; empty for what has none."""
    fingerprint: str
    """Of its content and of how it was split."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A source as it is now. Without a document, why it has none: it is not read again until it changes."""

    source: str
    known: Known
    document: Document | None
    passages: Sequence[Passage] = ()
    unreadable: str = ""

    def rows(self) -> list[PassageRow]:
        """Its passages as rows of a table."""
        return [
            (self.source, p.number, p.heading, p.page, p.start, p.end, p.text, digest(p.embedded))
            for p in self.passages
        ]


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found, with what to cite it by."""

    source: str
    title: str
    uri: str
    number: int
    heading: str
    page: int | None
    start: int
    end: int
    text: str
    score: float


class Model(NamedTuple):
    """What made the vectors of an index; the length of its vectors, None while it has none."""

    name: str
    length: int | None


def agreed(kept: Model | None, name: str, length: int | None, another: str) -> Model | None:
    """The model that an index has from now on: it has one. No name means whichever it has.

    `another`: what to use for a second model. Raises IndexMismatch.
    """
    if kept is None:
        return Model(name, length) if name else None
    if name and kept.name != name:
        raise IndexMismatch(f"the index was made with {kept.name}, not with {name}: use {another} for another model")
    if length is None or kept.length == length:
        return kept
    if kept.length is not None:
        raise IndexMismatch(f"the index has vectors of {kept.length} numbers, this one has {length}")
    return Model(kept.name, length) if name else kept


class Index(Protocol):
    """Every write is one transaction. Instances may be shared by the activities of a worker."""

    async def known(self, under: Sequence[str] = ()) -> dict[str, Known]:
        """The sources that are these or in these folders; all without any."""
        ...

    async def missing(self, model: str, digests: Sequence[str]) -> set[str]:
        """Those texts (see `digest`) that have no vector yet. Raises IndexMismatch for another model."""
        ...

    async def add_vectors(self, model: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """Keep vectors by the digest of their text. Raises IndexMismatch for another model or length."""
        ...

    async def put(self, entry: Entry) -> None:
        """Replace what the index has of the source; vectors that nothing needs any more go."""
        ...

    async def remove(self, sources: Sequence[str]) -> None: ...

    async def search(self, words: str, vector: Sequence[float] | None = None, count: int = 10) -> list[Hit]:
        """The passages nearest to a question by words and, if there is one, by vector, best first."""
        ...

    async def close(self) -> None: ...


def digest(text: str) -> str:
    """What a vector is kept under: equal texts are embedded once."""
    return sha256(text.encode()).hexdigest()[:32]


def terms(words: str) -> list[str]:
    """The words of a question, without what query languages would read as operators."""
    return list(dict.fromkeys(term.lower() for term in _TERM.findall(words)))[:64]


def fused(*rankings: Sequence[int], count: int) -> list[tuple[int, float]]:
    """Ids and scores, best first, by reciprocal ranks, so that no ranking's scale matters."""
    scores: dict[int, float] = {}
    for ranking in rankings:
        for rank, ident in enumerate(ranking):
            scores[ident] = scores.get(ident, 0.0) + 1 / (FUSION + rank)
    return sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:count]
