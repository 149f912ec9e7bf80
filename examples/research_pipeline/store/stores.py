"""The parts of the store together, on one open file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from examples.research_pipeline.store.database import open_database
from examples.research_pipeline.store.library import Library
from examples.research_pipeline.store.results import Results
from examples.research_pipeline.store.trace import Trace


@dataclass(frozen=True)
class Stores:
    """What is known about documents, what runs found, and what they took."""

    library: Library
    results: Results
    trace: Trace


@contextmanager
def open_stores(path: Path) -> Iterator[Stores]:
    """Open the file for the body. For one thread: in an asyncio program, for its event loop."""
    with closing(open_database(path)) as connection:
        yield Stores(Library(connection), Results(connection), Trace(connection))
