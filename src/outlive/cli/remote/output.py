"""What commands print: a table for people, JSON for programs. Data goes to stdout, talk to stderr.

`table` is drawn to the width of a terminal and never cut in a pipe; `json` is one document, `jsonl` one line
an item as it arrives, `none` nothing. The keys of the JSON forms are stable.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

FORMATS = ("table", "json", "jsonl", "none")
TIME_FORMATS = ("relative", "iso", "raw")

# What could move the cursor, ring, or turn the writing round: data is shown, never obeyed.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")

Item = Mapping[str, Any]


@dataclass(slots=True)
class Output:
    """Where a command's data goes, and how."""

    form: str = "table"
    times: str = "relative"
    out: TextIO | None = None

    @property
    def _stream(self) -> TextIO:
        return self.out or sys.stdout

    # -- lists

    async def rows(self, items: AsyncIterable[Item], columns: Sequence[str], nothing: str) -> int:
        """Print the items; tables show `columns` only. Returns how many there were."""
        if self.form == "table":
            found = [item async for item in items]
            self._table(found, columns, nothing)
            return len(found)
        count = 0
        if self.form == "json":
            everything = [item async for item in items]
            self._write(json.dumps(everything, indent=2, ensure_ascii=False, default=_plain))
            return len(everything)
        async for item in items:
            count += 1
            if self.form == "jsonl":
                self._write(json.dumps(item, ensure_ascii=False, default=_plain))
        return count

    def _table(self, items: Sequence[Item], columns: Sequence[str], nothing: str) -> None:
        if not items:
            note(nothing)
            return
        table = [[_heading(column) for column in columns]]
        table += [[self._cell(item.get(column)) for column in columns] for item in items]
        widths = [max(len(row[at]) for row in table) for at in range(len(columns))]
        for row in table:
            self._write("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())

    # -- one thing

    def item(self, value: Item) -> None:
        """Print one thing: its keys one a line, or a document."""
        if self.form == "json":
            self._write(json.dumps(value, indent=2, ensure_ascii=False, default=_plain))
        elif self.form == "jsonl":
            self._write(json.dumps(value, ensure_ascii=False, default=_plain))
        elif self.form == "table":
            shown = {key: self._cell(each) for key, each in value.items() if each not in (None, "", [], {})}
            width = max((len(_heading(key)) for key in shown), default=0)
            for key, text in shown.items():
                lines = text.split("\n")
                self._write(f"{_heading(key).ljust(width)}  {lines[0]}")
                for line in lines[1:]:
                    self._write(f"{' ' * width}  {line}")

    def text(self, value: str, key: str) -> None:
        """Print a text as it is; in the JSON forms under `key`."""
        if self.form == "table":
            self._write(safe(value))
        else:
            self.item({key: value})

    # -- pieces

    def _cell(self, value: Any) -> str:
        if value is None:
            return ""
        if isinstance(value, datetime):
            return self.time(value)
        if isinstance(value, bool):
            return "yes" if value else "no"
        if isinstance(value, str):
            return safe(value)
        if isinstance(value, Mapping | list):
            return safe(json.dumps(value, ensure_ascii=False, default=_plain))
        return str(value)

    def time(self, value: datetime) -> str:
        """A moment as the flag asks."""
        if self.times == "raw":
            return str(value.timestamp())
        if self.times == "iso":
            return _iso(value)
        return relative(value, datetime.now(UTC))

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()


def safe(text: str) -> str:
    """The text without what a terminal would obey; each such character as its code."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def relative(value: datetime, now: datetime) -> str:
    """`3 minutes ago`, `in 2 hours`."""
    seconds = (now - value).total_seconds()
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        count = int(abs(seconds) // size)
        if count:
            words = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"{words} ago" if seconds > 0 else f"in {words}"
    return "now"


def note(words: str) -> None:
    """Say something to the person, beside the data."""
    sys.stderr.write(words + "\n")


def _heading(key: str) -> str:
    """`workflowId` as `Workflow id`."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", key).lower()
    return words[:1].upper() + words[1:]


def _iso(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return _iso(value)
    if isinstance(value, Iterable):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
