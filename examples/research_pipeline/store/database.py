"""The file and its schema. Every write is keyed by what it is about, so that a step can be run again."""

from __future__ import annotations

from pathlib import Path

import apsw
import sqlite_vec

_BUSY_MS = 10_000
"""How long a write waits for another worker's transaction."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS documents (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, uri TEXT NOT NULL, media_type TEXT NOT NULL, text TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS passages (
    id INTEGER PRIMARY KEY, document_id TEXT NOT NULL REFERENCES documents, number INTEGER NOT NULL,
    heading TEXT NOT NULL, text TEXT NOT NULL, UNIQUE (document_id, number)
) STRICT;
CREATE VIRTUAL TABLE IF NOT EXISTS passages_fts USING fts5 (
    heading, text, content = 'passages', content_rowid = 'id', tokenize = 'porter unicode61'
);
CREATE TRIGGER IF NOT EXISTS passages_indexed AFTER INSERT ON passages BEGIN
    INSERT INTO passages_fts (rowid, heading, text) VALUES (new.id, new.heading, new.text);
END;
CREATE TABLE IF NOT EXISTS vectors (
    passage_id INTEGER NOT NULL REFERENCES passages, model TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (passage_id, model)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS runs (
    run TEXT PRIMARY KEY, question TEXT NOT NULL, model TEXT NOT NULL, is_language_model INTEGER NOT NULL,
    embedding_model TEXT NOT NULL, started_at REAL NOT NULL, question_vector BLOB,
    verdict TEXT, decided_by TEXT, note TEXT, finished_at REAL
) STRICT;
CREATE TABLE IF NOT EXISTS sources (
    run TEXT NOT NULL REFERENCES runs, source TEXT NOT NULL, document_id TEXT REFERENCES documents,
    skipped_because TEXT, PRIMARY KEY (run, source)
) STRICT;
CREATE TABLE IF NOT EXISTS analyses (
    run TEXT NOT NULL REFERENCES runs, document_id TEXT NOT NULL REFERENCES documents, summary TEXT NOT NULL,
    unsupported INTEGER NOT NULL, PRIMARY KEY (run, document_id)
) STRICT;
CREATE TABLE IF NOT EXISTS findings (
    run TEXT NOT NULL, document_id TEXT NOT NULL, number INTEGER NOT NULL, claim TEXT NOT NULL,
    quote TEXT NOT NULL, passage_id INTEGER NOT NULL REFERENCES passages,
    PRIMARY KEY (run, document_id, number), FOREIGN KEY (run, document_id) REFERENCES analyses
) STRICT;
CREATE TABLE IF NOT EXISTS failures (
    run TEXT NOT NULL REFERENCES runs, document_id TEXT NOT NULL REFERENCES documents, reason TEXT NOT NULL,
    PRIMARY KEY (run, document_id)
) STRICT;
CREATE TABLE IF NOT EXISTS overview (
    run TEXT NOT NULL REFERENCES runs, number INTEGER NOT NULL, text TEXT NOT NULL, citations TEXT NOT NULL,
    PRIMARY KEY (run, number)
) STRICT;
CREATE TABLE IF NOT EXISTS model_calls (
    key TEXT PRIMARY KEY, run TEXT NOT NULL, step TEXT NOT NULL, model TEXT NOT NULL,
    input_tokens INTEGER NOT NULL, output_tokens INTEGER NOT NULL, cost_usd REAL, ms REAL NOT NULL,
    answer TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS attempts (
    id INTEGER PRIMARY KEY, run TEXT NOT NULL, step TEXT NOT NULL, subject TEXT NOT NULL,
    attempt INTEGER NOT NULL, pid INTEGER NOT NULL, started_at REAL NOT NULL, ended_at REAL, outcome TEXT
) STRICT;
"""


def open_database(path: Path) -> apsw.Connection:
    """Open the file, laying the schema where it is missing. A commit that has returned survives kill -9."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(_BUSY_MS)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.pragma("foreign_keys", True)
    # A transaction that reads before it writes would fail, not wait, if another worker wrote in between.
    connection.transaction_mode = "IMMEDIATE"
    connection.enable_load_extension(True)
    connection.load_extension(sqlite_vec.loadable_path())
    connection.enable_load_extension(False)
    with connection:
        connection.execute(_SCHEMA)
    return connection
