"""Where documents are: a request's sources become a flat, ordered list of things to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from importlib import metadata

from examples.research_pipeline.contract import INSTALLED_PACKAGES
from outlive.ai.documents.sources import discover as documents
from outlive.ai.documents.sources import is_url


class Kind(Enum):
    """How a source is read."""

    FILE = auto()
    URL = auto()
    PACKAGE = auto()


@dataclass(frozen=True)
class Source:
    """One document to be read: a path, a URL, or the name of an installed package."""

    kind: Kind
    where: str

    def __str__(self) -> str:
        return f"package {self.where}" if self.kind is Kind.PACKAGE else self.where


def discover(sources: Sequence[str]) -> list[Source]:
    """Every document behind `sources`, without repeats, in an order that is the same on every attempt.

    Raises SourceNotFound for a path that is not there.
    """
    found: dict[Source, None] = {}
    for name in sources:
        for source in _expand(name):
            found.setdefault(source)
    return list(found)


def _expand(name: str) -> Iterator[Source]:
    if name == INSTALLED_PACKAGES:
        names = {d.metadata["Name"] for d in metadata.distributions() if d.metadata["Name"]}
        yield from (Source(Kind.PACKAGE, n) for n in sorted(names, key=str.casefold))
    else:
        yield from (Source(Kind.URL if is_url(found) else Kind.FILE, found) for found in documents([name]))
