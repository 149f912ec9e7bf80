"""Documents, their passages and vectors; kept by content, so that runs share them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import apsw
import sqlite_vec

from outlive.ai.documents import Document, Passage
from outlive.ai.documents.index import fused, terms

_POOL = 40
"""How many hits of each kind are fused."""
_COLUMNS = "id, document_id, number, heading, text"


@dataclass(frozen=True)
class StoredPassage:
    """A passage and its place."""

    id: int
    document_id: str
    number: int
    heading: str
    text: str


class Library:
    """What is known about documents, whichever run met them first."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def add(self, document: Document) -> None:
        """Store a document; the same content again changes nothing."""
        self._db.execute(
            "INSERT INTO documents VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (document.id, document.title, document.uri, document.media_type, document.text),
        )

    def text(self, document_id: str) -> str:
        """The text of a document. Raises KeyError if it was never stored."""
        found = self._db.execute("SELECT text FROM documents WHERE id = ?", (document_id,)).get
        if found is None:
            raise KeyError(document_id)
        return str(found)

    def title(self, document_id: str) -> str:
        """The title of a document. Raises KeyError if it was never stored."""
        found = self._db.execute("SELECT title FROM documents WHERE id = ?", (document_id,)).get
        if found is None:
            raise KeyError(document_id)
        return str(found)

    def add_passages(self, document_id: str, passages: Sequence[Passage]) -> None:
        """Store a document's passages and index their words, all or none; again changes nothing."""
        with self._db:
            for number, passage in enumerate(passages):
                self._db.execute(
                    "INSERT INTO passages (document_id, number, heading, text) VALUES (?, ?, ?, ?) "
                    "ON CONFLICT DO NOTHING",
                    (document_id, number, passage.heading, passage.text),
                )

    def passages(self, document_id: str) -> list[StoredPassage]:
        """All passages of a document, in order."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM passages WHERE document_id = ? ORDER BY number",
            (document_id,),
        )
        return [StoredPassage(*row) for row in rows]

    def without_vector(self, document_ids: Sequence[str], model: str) -> list[StoredPassage]:
        """The passages of these documents that `model` has not embedded yet."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM passages "
            "WHERE document_id IN (SELECT value FROM json_each(?)) "
            "AND id NOT IN (SELECT passage_id FROM vectors WHERE model = ?) ORDER BY document_id, number",
            (json.dumps(list(document_ids)), model),
        )
        return [StoredPassage(*row) for row in rows]

    def add_vectors(self, model: str, vectors: Sequence[tuple[int, Sequence[float]]]) -> None:
        """Store vectors by passage id, all or none."""
        with self._db:
            self._db.executemany(
                "INSERT INTO vectors VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                [(passage_id, model, as_blob(vector)) for passage_id, vector in vectors],
            )

    def search(
        self, question: str, vector: bytes, model: str, count: int, document_id: str | None = None
    ) -> list[StoredPassage]:
        """The passages nearest to a question by words and by vector, best first; in one document or in all.

        The two rankings are fused by rank, so that neither's scale matters.
        """
        rankings = (self._by_words(question, document_id), self._by_vector(vector, model, document_id))
        return [self.passage(passage_id) for passage_id, _ in fused(*rankings, count=count)]

    def passage(self, passage_id: int) -> StoredPassage:
        """One passage. Raises KeyError if there is none of that id."""
        for row in self._db.execute(f"SELECT {_COLUMNS} FROM passages WHERE id = ?", (passage_id,)):
            return StoredPassage(*row)
        raise KeyError(passage_id)

    def _by_words(self, question: str, document_id: str | None) -> list[int]:
        # Quoted, every word is a word: a question may hold what FTS5 reads as an operator.
        words = " OR ".join(f'"{word}"' for word in terms(question))
        if not words:
            return []
        rows = self._db.execute(
            "SELECT p.id FROM passages_fts f JOIN passages p ON p.id = f.rowid "
            "WHERE passages_fts MATCH ? AND (?2 IS NULL OR p.document_id = ?2) "
            "ORDER BY f.rank, p.id LIMIT ?3",
            (words, document_id, _POOL),
        )
        return [row[0] for row in rows]

    def _by_vector(self, vector: bytes, model: str, document_id: str | None) -> list[int]:
        rows = self._db.execute(
            "SELECT p.id FROM vectors v JOIN passages p ON p.id = v.passage_id "
            "WHERE v.model = ?1 AND (?2 IS NULL OR p.document_id = ?2) "
            "ORDER BY vec_distance_cosine(v.value, ?3), p.id LIMIT ?4",
            (model, document_id, vector, _POOL),
        )
        return [row[0] for row in rows]


def as_blob(vector: Sequence[float]) -> bytes:
    """A vector as sqlite-vec reads it: 32-bit floats, little-endian."""
    return bytes(sqlite_vec.serialize_float32(list(vector)))
