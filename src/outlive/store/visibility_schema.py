"""The tables of visibility.

`visibility` has a row for each run. Lists show open runs first, newest start first, then closed ones, last
close first: `closed` is the close time, or `STILL_OPEN`, which sorts above all times, so that
(closed, started, id) downwards is that order. Each index that lists follow ends with those columns.

`visibility_attribute` has the search attributes that are no column, one row for each value (a KeywordList
has several, in lower case, since its matches ignore case). It repeats the sort key, so that all runs with
one value come out in order without sorting. Its collation ignores ASCII case, as STARTS_WITH does; an exact
match is checked besides. `kind` is part of the key: a name that was removed and added again with another
type does not show its old values.

A Text is not there: `visibility_words` holds its words (FTS5, the text itself is not kept), by the id of a
row of `visibility_text`.

`visibility.indexed` is a digest of what the run has in those tables, NULL for nothing. Triggers keep them
in step: a changed digest clears them (the writer fills them again), a changed close time moves them.
"""

from __future__ import annotations

from typing import Final

STILL_OPEN: Final = 2**63 - 1

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS visibility_namespace (
    id INTEGER PRIMARY KEY,
    namespace_id TEXT NOT NULL UNIQUE
);

CREATE TABLE IF NOT EXISTS visibility (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL REFERENCES visibility_namespace(id),
    division TEXT,
    run_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    workflow_type TEXT NOT NULL,
    task_queue TEXT NOT NULL,
    status INTEGER NOT NULL,
    started INTEGER NOT NULL,
    executed INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    duration INTEGER,
    history_length INTEGER,
    history_size INTEGER,
    transitions INTEGER,
    parent_workflow_id TEXT,
    parent_run_id TEXT,
    root_workflow_id TEXT NOT NULL,
    root_run_id TEXT NOT NULL,
    unversioned INTEGER NOT NULL,
    indexed BLOB,
    memo BLOB,
    search_attributes BLOB
);
CREATE UNIQUE INDEX IF NOT EXISTS visibility_run ON visibility (namespace, run_id);
CREATE INDEX IF NOT EXISTS visibility_order ON visibility (namespace, division, closed, started);
CREATE INDEX IF NOT EXISTS visibility_status ON visibility (namespace, division, status, closed, started);
CREATE INDEX IF NOT EXISTS visibility_type
    ON visibility (namespace, division, workflow_type, closed, started);
CREATE INDEX IF NOT EXISTS visibility_started ON visibility (namespace, started);
CREATE INDEX IF NOT EXISTS visibility_queue ON visibility (namespace, task_queue);
CREATE INDEX IF NOT EXISTS visibility_workflow ON visibility (namespace, workflow_id COLLATE NOCASE);
CREATE INDEX IF NOT EXISTS visibility_parent ON visibility (namespace, parent_workflow_id)
    WHERE parent_workflow_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS visibility_root ON visibility (namespace, root_workflow_id)
    WHERE root_workflow_id <> workflow_id;

CREATE TABLE IF NOT EXISTS visibility_attribute (
    execution INTEGER NOT NULL,
    name TEXT NOT NULL,
    kind INTEGER NOT NULL,
    value NOT NULL COLLATE NOCASE,
    namespace INTEGER NOT NULL,
    closed INTEGER NOT NULL,
    started INTEGER NOT NULL,
    PRIMARY KEY (execution, name, kind, value)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS visibility_attribute_value
    ON visibility_attribute (namespace, name, kind, value, closed, started, execution);

CREATE TABLE IF NOT EXISTS visibility_text (
    id INTEGER PRIMARY KEY,
    execution INTEGER NOT NULL,
    name TEXT NOT NULL,
    namespace INTEGER NOT NULL,
    UNIQUE (execution, name)
);
CREATE VIRTUAL TABLE IF NOT EXISTS visibility_words
    USING fts5(words, content='', contentless_delete=1, tokenize='unicode61');

CREATE TRIGGER IF NOT EXISTS visibility_attributes_changed AFTER UPDATE OF indexed ON visibility
WHEN old.indexed IS NOT NULL AND old.indexed IS NOT new.indexed BEGIN
    DELETE FROM visibility_attribute WHERE execution = old.id;
    DELETE FROM visibility_words WHERE rowid IN (SELECT id FROM visibility_text WHERE execution = old.id);
    DELETE FROM visibility_text WHERE execution = old.id;
END;
CREATE TRIGGER IF NOT EXISTS visibility_closed AFTER UPDATE OF closed ON visibility
WHEN old.indexed IS NOT NULL AND old.closed <> new.closed BEGIN
    UPDATE visibility_attribute SET closed = new.closed WHERE execution = new.id;
END;
CREATE TRIGGER IF NOT EXISTS visibility_deleted AFTER DELETE ON visibility
WHEN old.indexed IS NOT NULL BEGIN
    DELETE FROM visibility_attribute WHERE execution = old.id;
    DELETE FROM visibility_words WHERE rowid IN (SELECT id FROM visibility_text WHERE execution = old.id);
    DELETE FROM visibility_text WHERE execution = old.id;
END;
"""
"""Run once on a new file; running it again changes nothing."""
