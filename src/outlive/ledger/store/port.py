"""The port: a database with one writer that shares commits, and reads of what has been committed.

Statements are written in the SQL that SQLite and PostgreSQL share, with `?` for values. What they say differently is
in `Dialect`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

Row: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Dialect:
    """Words that differ. `json_text` takes a column and leaves one `?` for the key."""

    integer: str
    real: str
    blob: str
    json_text: str


SQLITE = Dialect("INTEGER", "REAL", "BLOB", "({column} ->> ?)")
POSTGRES = Dialect("BIGINT", "DOUBLE PRECISION", "BYTEA", "({column}::jsonb ->> ?)")


class Database(Protocol):
    """One database, held by one ledger at a time."""

    dialect: Dialect

    async def open(self) -> None:
        """Take the database, and bring its tables up. Raises StartupError with a sentence for people."""
        ...

    def write(self, statement: str, *rows: Row) -> asyncio.Future[None]:
        """Run the statement for each row in the next commit, after all that was written before.

        Done when that commit is on disk; fails with StorageFailed if it cannot be.
        """
        ...

    def write_last(self, name: Hashable, statement: str, row: Row) -> asyncio.Future[None]:
        """As `write`, but of the rows of one name only the last is written, after all that `write` was given."""
        ...

    def committed(self) -> asyncio.Future[None]:
        """Done when everything written so far is on disk."""
        ...

    async def read(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Rows by an index: quick."""
        ...

    async def scan(self, statement: str, values: Sequence[Any] = ()) -> list[Row]:
        """Rows by looking through many: does not hold up anything else."""
        ...

    async def close(self) -> None: ...
