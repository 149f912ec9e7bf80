"""An index in one SQLite file: FTS5 for words, sqlite-vec for vectors."""

from __future__ import annotations

import asyncio
import json
import struct
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw

from outlive.ai.documents.errors import DocumentsError
from outlive.ai.documents.index import POOL, Entry, Hit, Known, Model, agreed, fused, terms

T = TypeVar("T")
_BUSY_MS: Final = 30_000  # how long a write waits for another process's transaction
_MAPPED: Final = 8 << 30  # bytes of the file that are read in place: a search by vector reads all vectors

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS model (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL, length INTEGER) STRICT;
CREATE TABLE IF NOT EXISTS documents (
    source TEXT PRIMARY KEY, stamp TEXT NOT NULL, fingerprint TEXT NOT NULL, title TEXT NOT NULL, uri TEXT NOT NULL,
    unreadable TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY, source TEXT NOT NULL REFERENCES documents, number INTEGER NOT NULL, heading TEXT NOT NULL,
    page INTEGER, start INTEGER NOT NULL, "end" INTEGER NOT NULL, text TEXT NOT NULL, digest TEXT NOT NULL,
    UNIQUE (source, number)
) STRICT;
CREATE INDEX IF NOT EXISTS passages_by_digest ON passages (digest);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (
    heading, text, content = 'passages', content_rowid = 'id', tokenize = 'porter unicode61'
);
CREATE TRIGGER IF NOT EXISTS passage_added AFTER INSERT ON passages BEGIN
    INSERT INTO words (rowid, heading, text) VALUES (new.id, new.heading, new.text);
END;
CREATE TRIGGER IF NOT EXISTS passage_removed AFTER DELETE ON passages BEGIN
    INSERT INTO words (words, rowid, heading, text) VALUES ('delete', old.id, old.heading, old.text);
END;
CREATE TABLE IF NOT EXISTS vectors (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, value BLOB NOT NULL) STRICT;
"""


class SqliteIndex:
    """An `Index` on a file, which several processes may share. Opened at first use. Raises DocumentsError."""

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)
        self._lock = threading.Lock()
        self._open: apsw.Connection | None = None

    async def _run(self, what: Callable[[apsw.Connection], T]) -> T:
        """In a thread, one at a time, as one transaction."""

        def run() -> T:
            with self._lock:
                if self._open is None:
                    self._open = _opened(self._path)
                with self._open:
                    result = what(self._open)
                return result

        return await asyncio.to_thread(run)

    async def known(self, under: Sequence[str] = ()) -> dict[str, Known]:
        """See Index."""

        def read(db: apsw.Connection) -> dict[str, Known]:
            # "0" is the character after "/": what lies between is in the folder
            where = " OR ".join(["source = ? OR (source >= ? AND source < ?)"] * len(under)) or "true"
            folders = [each.rstrip("/") for each in under]
            asked = [text for each in folders for text in (each, f"{each}/", f"{each}0")]
            rows = db.execute(f"SELECT source, stamp, fingerprint FROM documents WHERE {where}", asked)
            return {source: Known(stamp, print_) for source, stamp, print_ in rows}

        return await self._run(read)

    async def missing(self, model: str, digests: Sequence[str]) -> set[str]:
        """See Index."""

        def read(db: apsw.Connection) -> set[str]:
            _check_model(db, model, None)
            rows = db.execute(
                "SELECT digest FROM vectors WHERE digest IN (SELECT value FROM json_each(?))", (json.dumps(digests),)
            )
            return set(digests) - {row[0] for row in rows}

        return await self._run(read)

    async def add_vectors(self, model: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """See Index."""

        def write(db: apsw.Connection) -> None:
            for length in dict.fromkeys(map(len, vectors.values())):
                _check_model(db, model, length)
            db.executemany(
                "INSERT INTO vectors (digest, value) VALUES (?, ?) ON CONFLICT DO NOTHING",
                [(each, _blob(vector)) for each, vector in vectors.items()],
            )

        await self._run(write)

    async def put(self, entry: Entry) -> None:
        """See Index."""

        def write(db: apsw.Connection) -> None:
            before = _removed(db, [entry.source])
            title, uri = (entry.document.title, entry.document.uri) if entry.document else ("", entry.source)
            db.execute(
                "INSERT INTO documents VALUES (?, ?, ?, ?, ?, ?)",
                (entry.source, entry.known.stamp, entry.known.fingerprint, title, uri, entry.unreadable),
            )
            db.executemany(
                'INSERT INTO passages (source, number, heading, page, start, "end", text, digest)'
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                entry.rows(),
            )
            _drop_vectors(db, before)

        await self._run(write)

    async def remove(self, sources: Sequence[str]) -> None:
        """See Index."""
        await self._run(lambda db: _drop_vectors(db, _removed(db, sources)))

    async def search(self, words: str, vector: Sequence[float] | None = None, count: int = 10) -> list[Hit]:
        """See Index."""

        def read(db: apsw.Connection) -> list[Hit]:
            pool = max(POOL, count)
            rankings = [_by_words(db, words, pool)]
            if vector is not None:
                _check_model(db, "", len(vector))
                rankings.append(_by_vector(db, vector, pool))
            return [_hit(db, ident, score) for ident, score in fused(*rankings, count=count)]

        return await self._run(read)

    async def close(self) -> None:
        """See Index."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None


def _opened(path: Path) -> apsw.Connection:
    try:
        import sqlite_vec
    except ImportError:
        raise DocumentsError("an index on SQLite needs sqlite-vec: pip install 'outlive[documents]'.") from None
    path.parent.mkdir(parents=True, exist_ok=True)
    db = apsw.Connection(str(path))
    db.set_busy_timeout(_BUSY_MS)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    db.pragma("mmap_size", _MAPPED)
    # A transaction that reads before it writes would fail, not wait, if another process wrote in between.
    db.transaction_mode = "IMMEDIATE"
    db.enable_load_extension(True)
    db.load_extension(sqlite_vec.loadable_path())
    db.enable_load_extension(False)
    with db:
        db.execute(_SCHEMA)
    return db


def _check_model(db: apsw.Connection, model: str, length: int | None) -> None:
    """See `agreed`."""
    row = db.execute("SELECT name, length FROM model").fetchone()
    kept = Model(*row) if row is not None else None
    now = agreed(kept, model, length, "a new file")
    if kept is None and now is not None:
        db.execute("INSERT INTO model VALUES (1, ?, ?)", now)
    elif now is not None and now != kept:
        db.execute("UPDATE model SET length = ?", (now.length,))


def _removed(db: apsw.Connection, sources: Sequence[str]) -> set[str]:
    """Remove sources; the digests of the passages that they had."""
    gone: set[str] = set()
    for source in sources:
        gone.update(row[0] for row in db.execute("SELECT digest FROM passages WHERE source = ?", (source,)))
        db.execute("DELETE FROM passages WHERE source = ?", (source,))
        db.execute("DELETE FROM documents WHERE source = ?", (source,))
    return gone


def _drop_vectors(db: apsw.Connection, digests: Iterable[str]) -> None:
    db.executemany(
        "DELETE FROM vectors WHERE digest = ?1 AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.digest = ?1)",
        [(each,) for each in digests],
    )


def _by_words(db: apsw.Connection, words: str, pool: int) -> list[int]:
    # Quoted, every word is a word: a question may hold what FTS5 reads as an operator.
    query = " OR ".join(f'"{term}"' for term in terms(words))
    if not query:
        return []
    rows = db.execute("SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank, rowid LIMIT ?", (query, pool))
    return [row[0] for row in rows]


def _by_vector(db: apsw.Connection, vector: Sequence[float], pool: int) -> list[int]:
    rows = db.execute(
        # every vector is read, so nothing else is, before the few that count are known
        "SELECT p.id FROM (SELECT digest, vec_distance_cosine(value, ?1) AS far FROM vectors ORDER BY far LIMIT ?2) v"
        " JOIN passages p ON p.digest = v.digest ORDER BY v.far, p.id LIMIT ?2",
        (_blob(vector), pool),
    )
    return [row[0] for row in rows]


def _hit(db: apsw.Connection, ident: int, score: float) -> Hit:
    row: Any = db.execute(
        'SELECT p.source, d.title, d.uri, p.number, p.heading, p.page, p.start, p."end", p.text'
        " FROM passages p JOIN documents d ON d.source = p.source WHERE p.id = ?",
        (ident,),
    ).fetchone()
    values: list[Any] = [*row, score]
    return Hit(*values)


def _blob(vector: Sequence[float]) -> bytes:
    """As sqlite-vec reads it: 32-bit floats, little-endian."""
    return struct.pack(f"<{len(vector)}f", *vector)
