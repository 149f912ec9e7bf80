"""An index in PostgreSQL: its full-text search for words, pgvector for vectors (`pip install 'outlive[postgres]'`)."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from outlive.ai.documents.errors import DocumentsError
from outlive.ai.documents.index import POOL, Entry, Hit, Known, Model, agreed, fused, terms

if TYPE_CHECKING:
    import psycopg

T = TypeVar("T")

_SCHEMA: Final = """
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.model (one int PRIMARY KEY CHECK (one = 1), name text NOT NULL, length int);
CREATE TABLE IF NOT EXISTS {schema}.documents (
    source text PRIMARY KEY, stamp text NOT NULL, fingerprint text NOT NULL, title text NOT NULL, uri text NOT NULL,
    unreadable text NOT NULL
);
CREATE TABLE IF NOT EXISTS {schema}.passages (
    id bigserial PRIMARY KEY, source text NOT NULL REFERENCES {schema}.documents, number int NOT NULL,
    heading text NOT NULL, page int, start_at int NOT NULL, end_at int NOT NULL, text text NOT NULL,
    digest text NOT NULL, words tsvector NOT NULL, UNIQUE (source, number)
);
CREATE INDEX IF NOT EXISTS passages_by_digest ON {schema}.passages (digest);
CREATE INDEX IF NOT EXISTS passages_by_words ON {schema}.passages USING gin (words);
CREATE TABLE IF NOT EXISTS {schema}.vectors (digest text PRIMARY KEY, value vector NOT NULL);
"""


class PostgresIndex:
    """An `Index` in a schema of a database that has the extension `vector`, which many machines may share.

    `language` is one of PostgreSQL's text search configurations. Opened at first use. Raises DocumentsError.
    """

    def __init__(self, address: str, *, schema: str = "documents", language: str = "english") -> None:
        if not schema.isidentifier():
            raise DocumentsError(f"{schema!r} is no name of a schema")
        self._address = address
        self._schema = schema
        self._language = language
        self._lock = threading.Lock()
        self._open: psycopg.Connection[Any] | None = None

    async def _run(self, what: Callable[[psycopg.Connection[Any]], T]) -> T:
        """In a thread, one at a time, as one transaction; on a new connection where the last one broke."""

        def run() -> T:
            with self._lock:
                if self._open is None or self._open.closed:
                    self._open = self._opened()
                with self._open.transaction():
                    result = what(self._open)
                return result

        return await asyncio.to_thread(run)

    def _opened(self) -> psycopg.Connection[Any]:
        try:
            import psycopg
        except ImportError:
            raise DocumentsError("an index on PostgreSQL needs psycopg: pip install 'outlive[postgres]'.") from None
        connection = psycopg.connect(self._address, autocommit=True)
        try:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(hashtext('outlive.documents'))")
                connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
                connection.execute(_SCHEMA.format(schema=self._schema).encode())
            connection.execute(f"SET search_path TO {self._schema}, public".encode())
        except psycopg.Error as error:
            connection.close()
            raise DocumentsError(f"the database cannot hold an index: {error}. It needs pgvector.") from None
        return connection

    async def known(self, under: Sequence[str] = ()) -> dict[str, Known]:
        """See Index."""

        def read(db: psycopg.Connection[Any]) -> dict[str, Known]:
            where = " OR ".join(["source = %s OR starts_with(source, %s)"] * len(under)) or "true"
            asked = [text for each in under for text in (each.rstrip("/"), each.rstrip("/") + "/")]
            rows = db.execute(f"SELECT source, stamp, fingerprint FROM documents WHERE {where}".encode(), asked)
            return {source: Known(stamp, print_) for source, stamp, print_ in rows}

        return await self._run(read)

    async def missing(self, model: str, digests: Sequence[str]) -> set[str]:
        """See Index."""

        def read(db: psycopg.Connection[Any]) -> set[str]:
            _check_model(db, model, None)
            rows = db.execute("SELECT digest FROM vectors WHERE digest = ANY(%s)", (list(digests),))
            return set(digests) - {row[0] for row in rows}

        return await self._run(read)

    async def add_vectors(self, model: str, vectors: Mapping[str, Sequence[float]]) -> None:
        """See Index."""

        def write(db: psycopg.Connection[Any]) -> None:
            for length in dict.fromkeys(map(len, vectors.values())):
                _check_model(db, model, length)
            with db.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO vectors VALUES (%s, %s::vector) ON CONFLICT DO NOTHING",
                    [(each, _written(vector)) for each, vector in vectors.items()],
                )

        await self._run(write)

    async def put(self, entry: Entry) -> None:
        """See Index."""

        def write(db: psycopg.Connection[Any]) -> None:
            before = _removed(db, [entry.source])
            title, uri = (entry.document.title, entry.document.uri) if entry.document else ("", entry.source)
            db.execute(
                "INSERT INTO documents VALUES (%s, %s, %s, %s, %s, %s)",
                (entry.source, entry.known.stamp, entry.known.fingerprint, title, uri, entry.unreadable),
            )
            words = [(self._language, f"{p.heading} {p.text}") for p in entry.passages]
            with db.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO passages (source, number, heading, page, start_at, end_at, text, digest, words)"
                    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, to_tsvector(%s::regconfig, %s))",
                    [(*row, *more) for row, more in zip(entry.rows(), words, strict=True)],
                )
            _drop_vectors(db, before)

        await self._run(write)

    async def remove(self, sources: Sequence[str]) -> None:
        """See Index."""
        await self._run(lambda db: _drop_vectors(db, _removed(db, sources)))

    async def search(self, words: str, vector: Sequence[float] | None = None, count: int = 10) -> list[Hit]:
        """See Index."""

        def read(db: psycopg.Connection[Any]) -> list[Hit]:
            pool = max(POOL, count)
            rankings = [self._by_words(db, words, pool)]
            if vector is not None:
                _check_model(db, "", len(vector))
                rows = db.execute(
                    "SELECT p.id FROM vectors v JOIN passages p ON p.digest = v.digest"
                    " ORDER BY v.value <=> %s::vector, p.id LIMIT %s",
                    (_written(vector), pool),
                )
                rankings.append([row[0] for row in rows])
            return [_hit(db, ident, score) for ident, score in fused(*rankings, count=count)]

        return await self._run(read)

    def _by_words(self, db: psycopg.Connection[Any], words: str, pool: int) -> list[int]:
        asked = terms(words)
        if not asked:
            return []
        queries = " || ".join(["plainto_tsquery(%s::regconfig, %s)"] * len(asked))
        rows = db.execute(
            f"SELECT p.id FROM passages p, (SELECT {queries} AS query) q WHERE p.words @@ q.query"
            " ORDER BY ts_rank_cd(p.words, q.query) DESC, p.id LIMIT %s".encode(),
            [each for term in asked for each in (self._language, term)] + [pool],
        )
        return [row[0] for row in rows]

    async def close(self) -> None:
        """See Index."""
        with self._lock:
            if self._open is not None:
                self._open.close()
                self._open = None


def _check_model(db: psycopg.Connection[Any], model: str, length: int | None) -> None:
    """See `agreed`."""
    row = db.execute("SELECT name, length FROM model").fetchone()
    kept = Model(*row) if row is not None else None
    now = agreed(kept, model, length, "a new schema")
    if kept is None and now is not None:
        db.execute("INSERT INTO model VALUES (1, %s, %s)", now)
    elif now is not None and now != kept:
        db.execute("UPDATE model SET length = %s", (now.length,))


def _removed(db: psycopg.Connection[Any], sources: Sequence[str]) -> set[str]:
    """Remove sources; the digests of the passages that they had."""
    rows = db.execute("DELETE FROM passages WHERE source = ANY(%s) RETURNING digest", (list(sources),)).fetchall()
    db.execute("DELETE FROM documents WHERE source = ANY(%s)", (list(sources),))
    return {row[0] for row in rows}


def _drop_vectors(db: psycopg.Connection[Any], digests: Iterable[str]) -> None:
    db.execute(
        "DELETE FROM vectors v WHERE v.digest = ANY(%s)"
        " AND NOT EXISTS (SELECT 1 FROM passages p WHERE p.digest = v.digest)",
        (list(digests),),
    )


def _hit(db: psycopg.Connection[Any], ident: int, score: float) -> Hit:
    row: Any = db.execute(
        "SELECT p.source, d.title, d.uri, p.number, p.heading, p.page, p.start_at, p.end_at, p.text"
        " FROM passages p JOIN documents d ON d.source = p.source WHERE p.id = %s",
        (ident,),
    ).fetchone()
    values: list[Any] = [*row, score]
    return Hit(*values)


def _written(vector: Sequence[float]) -> str:
    """As pgvector reads it."""
    return "[" + ",".join(map(repr, vector)) + "]"
