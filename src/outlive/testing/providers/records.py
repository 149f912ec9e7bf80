"""The log of what was answered: the truth that a ledger is compared with."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Record:
    """One request that was answered, or whose connection was cut. Times are Unix seconds."""

    id: str  # the provider's request id
    api: str
    model: str
    status: int
    input: int = 0
    output: int = 0
    cached: int = 0
    reasoning: int = 0
    error: str = ""
    stream: bool = False
    cut: bool = False  # the client did not get the whole answer
    batch: str = ""  # the batch it came in
    key: str = ""  # the last four characters of the key that was used
    idempotency_key: str = ""
    prompt: str = ""
    answer: str = ""
    began: float = 0.0
    ended: float = 0.0


class Log:
    """Records in memory, and in an append-only file if there is one."""

    def __init__(self, path: Path | None = None) -> None:
        self.records: list[Record] = []
        self._file = None if path is None else os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def write(self, record: Record) -> None:
        """Add a record; when this returns, a kill of the provider does not lose it."""
        self.records.append(record)
        if self._file is not None:
            os.write(self._file, (json.dumps(asdict(record)) + "\n").encode())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def read_log(path: Path) -> list[Record]:
    """The records of a file."""
    return [Record(**json.loads(line)) for line in path.read_text().splitlines()]
