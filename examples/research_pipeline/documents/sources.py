"""Where documents are: a request's sources become a flat, ordered list of things to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from importlib import metadata
from pathlib import Path

from examples.research_pipeline.contract import INSTALLED_PACKAGES

READABLE = frozenset({".txt", ".text", ".log", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml", ".pdf"})
"""Suffixes that a folder is searched for."""


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


class SourceNotFound(Exception):
    """A source that a person named does not exist; the message says which."""


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
    elif name.startswith(("http://", "https://")):
        yield Source(Kind.URL, name)
    else:
        yield from _expand_path(Path(name).expanduser())


def _expand_path(path: Path) -> Iterator[Source]:
    if path.is_file():
        yield Source(Kind.FILE, str(path.resolve()))
    elif path.is_dir():
        for file in sorted(path.resolve().rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path.resolve()).parts)
            if file.suffix.lower() in READABLE and file.is_file() and not hidden:
                yield Source(Kind.FILE, str(file))
    else:
        raise SourceNotFound(
            f"there is no file or folder {str(path)!r}: name a path that the worker can see, a URL, "
            f"or {INSTALLED_PACKAGES!r}"
        )
