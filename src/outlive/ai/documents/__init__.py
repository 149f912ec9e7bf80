"""Documents: loaded, split, embedded, indexed, searched; only what changed is done again. docs/documents.md.

activities = DocumentActivities(SqliteIndex("index.db"), OpenAIEmbedder())   # a worker
report = await index_folder("~/papers")                                       # a workflow

Names are loaded when they are first used: a workflow that imports `index_folder` loads no loader and no database.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outlive.ai.documents.activities import (
        DocumentActivities,
        Indexed,
        IndexJob,
        ScanJob,
        Scanned,
        SearchJob,
    )
    from outlive.ai.documents.embedding import Embedded, Embedder, HashingEmbedder, OpenAIEmbedder
    from outlive.ai.documents.errors import (
        DocumentsError,
        EmbeddingFailed,
        IndexMismatch,
        SourceNotFound,
        Unreadable,
    )
    from outlive.ai.documents.index import Entry, Hit, Index, Known
    from outlive.ai.documents.indexing import IndexReport, index_folder
    from outlive.ai.documents.loading import Document, document_of_bytes, read_file, read_url
    from outlive.ai.documents.metering import MeteredEmbedder
    from outlive.ai.documents.postgres import PostgresIndex
    from outlive.ai.documents.sources import discover
    from outlive.ai.documents.splitting import Passage, Splitting, split
    from outlive.ai.documents.sqlite import SqliteIndex

_HOMES = {
    "activities": (
        "DocumentActivities",
        "Indexed",
        "IndexJob",
        "ScanJob",
        "Scanned",
        "SearchJob",
    ),
    "embedding": (
        "Embedded",
        "Embedder",
        "HashingEmbedder",
        "OpenAIEmbedder",
    ),
    "errors": (
        "DocumentsError",
        "EmbeddingFailed",
        "IndexMismatch",
        "SourceNotFound",
        "Unreadable",
    ),
    "index": (
        "Entry",
        "Hit",
        "Index",
        "Known",
    ),
    "indexing": (
        "IndexReport",
        "index_folder",
    ),
    "loading": (
        "Document",
        "document_of_bytes",
        "read_file",
        "read_url",
    ),
    "metering": ("MeteredEmbedder",),
    "postgres": ("PostgresIndex",),
    "sources": ("discover",),
    "splitting": (
        "Passage",
        "Splitting",
        "split",
    ),
    "sqlite": ("SqliteIndex",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


__all__ = [
    "Document",
    "DocumentActivities",
    "DocumentsError",
    "Embedded",
    "Embedder",
    "EmbeddingFailed",
    "Entry",
    "HashingEmbedder",
    "Hit",
    "Index",
    "IndexJob",
    "IndexMismatch",
    "IndexReport",
    "Indexed",
    "Known",
    "MeteredEmbedder",
    "OpenAIEmbedder",
    "Passage",
    "PostgresIndex",
    "ScanJob",
    "Scanned",
    "SearchJob",
    "SourceNotFound",
    "Splitting",
    "SqliteIndex",
    "Unreadable",
    "discover",
    "document_of_bytes",
    "index_folder",
    "read_file",
    "read_url",
    "split",
]
