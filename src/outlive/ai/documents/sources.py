"""Where documents are: files, folders and URLs become a flat, ordered list of things to read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from outlive.ai.documents.errors import SourceNotFound

READABLE: Final = frozenset({".txt", ".text", ".log", ".md", ".markdown", ".rst", ".html", ".htm", ".xhtml", ".pdf"})
"""Suffixes that a folder is searched for."""


def is_url(source: str) -> bool:
    """Whether the source is fetched, and not opened."""
    return source.startswith(("http://", "https://"))


def discover(sources: Sequence[str]) -> list[str]:
    """Every document behind `sources`, without repeats, in an order that is the same on every attempt.

    Paths come back absolute, folders as the readable files in them that are not hidden. Raises SourceNotFound.
    """
    return list(dict.fromkeys(found for source in sources for found in _expanded(source)))


def _expanded(source: str) -> Iterator[str]:
    if is_url(source):
        yield source
        return
    path = Path(source).expanduser().resolve()
    if path.is_file():
        yield str(path)
    elif path.is_dir():
        for file in sorted(path.rglob("*")):
            hidden = any(part.startswith(".") for part in file.relative_to(path).parts)
            if file.suffix.lower() in READABLE and not hidden and file.is_file():
                yield str(file)
    else:
        raise SourceNotFound(f"there is no file or folder {source!r}: name a path that the worker can see, or a URL")
