"""Time of one durable commit with APSW: ``python -m benchmarks.micro.sqlite_commits``.

A transition is what one workflow task leaves: three event rows inserted, one state row updated.
Measured with WAL and ``synchronous=FULL``, at 1, 10 and 100 transitions a commit, in a file beside
the current folder (the disk that the result speaks of) or where ``--folder`` says.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import apsw

SCHEMA = """
PRAGMA journal_mode=WAL;
PRAGMA synchronous=FULL;
CREATE TABLE event(run INTEGER, id INTEGER, body BLOB, PRIMARY KEY (run, id)) WITHOUT ROWID;
CREATE TABLE execution(run INTEGER PRIMARY KEY, version INTEGER, state BLOB);
"""
INSERT = "INSERT INTO event VALUES (?, ?, ?)"
UPDATE = "UPDATE execution SET version = version + 1, state = ? WHERE run = ?"
EVENT = b"e" * 180
STATE = b"s" * 600
RUNS = 1000


def open_database(path: Path) -> apsw.Connection:
    """A fresh database with its executions in place."""
    connection = apsw.Connection(str(path))
    for _ in connection.execute(SCHEMA):
        continue
    connection.execute("BEGIN")
    connection.executemany("INSERT INTO execution VALUES (?, 0, ?)", ((run, STATE) for run in range(RUNS)))
    connection.execute("COMMIT")
    return connection


def measure(folder: Path, per_commit: int, transitions: int) -> tuple[float, float, float]:
    """Wall ms a commit, and wall and CPU ms a transition."""
    connection = open_database(folder / f"commits-{per_commit}.db")
    next_event = [0] * RUNS
    commits = max(1, transitions // per_commit)
    wall, cpu = time.perf_counter(), time.process_time()
    transition = 0
    for _ in range(commits):
        connection.execute("BEGIN IMMEDIATE")
        for _ in range(per_commit):
            run = transition % RUNS
            transition += 1
            first = next_event[run]
            next_event[run] += 3
            connection.executemany(INSERT, [(run, first + offset, EVENT) for offset in range(3)])
            connection.execute(UPDATE, (STATE, run))
        connection.execute("COMMIT")
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    connection.close()
    return wall * 1000 / commits, wall * 1000 / transition, cpu * 1000 / transition


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path.cwd())
    parser.add_argument("--transitions", type=int, default=5000)
    arguments = parser.parse_args()
    print(f"SQLite {apsw.sqlite_lib_version()}, WAL, synchronous=FULL, 3 events and 1 update a transition")
    print(f"{'transitions a commit':>22} {'ms a commit':>12} {'ms a transition':>16} {'CPU ms a transition':>20}")
    with tempfile.TemporaryDirectory(prefix="bench-commits-", dir=arguments.folder) as folder:
        for per_commit in (1, 10, 100):
            commit, each, cpu = measure(Path(folder), per_commit, arguments.transitions)
            print(f"{per_commit:>22} {commit:>12.3f} {each:>16.3f} {cpu:>20.3f}")


if __name__ == "__main__":
    main()
