"""Visibility's rows: records as parameters and back, attributes as rows of their own, page tokens."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

from outlive.core.visibility import KEYWORD_LIST, IndexedAttribute, VisibilityRecord
from outlive.errors import InvalidArgument
from outlive.store.visibility_schema import STILL_OPEN
from outlive.store.visibility_sql import BUILD_IDS, COLUMNS, UNVERSIONED

_NAMESPACE: Final = "(SELECT id FROM visibility_namespace WHERE namespace_id = ?)"
_FIXED: Final = (
    *("namespace", "run_id", "workflow_id", "workflow_type", "task_queue", "started"),
    *("parent_workflow_id", "parent_run_id", "root_workflow_id", "root_run_id"),
)
_CHANGING: Final = (
    *("division", "status", "executed", "closed", "duration", "history_length", "history_size"),
    *("transitions", "unversioned", "indexed", "memo", "search_attributes"),
)
UPSERT: Final = (
    f"INSERT INTO visibility ({', '.join(_FIXED + _CHANGING)})"
    f" VALUES ({_NAMESPACE}{', ?' * (len(_FIXED + _CHANGING) - 1)})"
    " ON CONFLICT (namespace, run_id) DO UPDATE SET "
    + ", ".join(f"{column} = excluded.{column}" for column in _CHANGING)
)
FIND: Final = f"SELECT id, indexed FROM visibility WHERE namespace = {_NAMESPACE} AND run_id = ?"
DELETE: Final = f"DELETE FROM visibility WHERE namespace = {_NAMESPACE} AND run_id = ?"
INSERT_NAMESPACE: Final = "INSERT INTO visibility_namespace (namespace_id) VALUES (?)"
INSERT_TEXT: Final = f"INSERT INTO visibility_text (namespace, execution, name) VALUES ({_NAMESPACE}, ?, ?)"
INSERT_WORDS: Final = "INSERT INTO visibility_words (rowid, words) VALUES (?, ?)"
INSERT_ATTRIBUTE: Final = (
    "INSERT INTO visibility_attribute (namespace, closed, started, execution, name, kind, value)"
    f" VALUES ({_NAMESPACE}, ?, ?, ?, ?, ?, ?)"
)
ROW: Final = (
    "v.workflow_id, v.run_id, v.workflow_type, v.task_queue, v.status, v.started, v.executed,"
    " v.root_workflow_id, v.root_run_id, v.closed, v.duration, v.history_length, v.history_size,"
    " v.transitions, v.parent_workflow_id, v.parent_run_id, v.division, v.memo, v.search_attributes"
)


def split(indexed: Sequence[IndexedAttribute]) -> tuple[int, list[IndexedAttribute]]:
    """Whether the build ids have `unversioned`, and the attributes that need rows of their own."""
    unversioned = 0
    rest = []
    for attribute in indexed:
        name, kind, value = attribute
        if name == BUILD_IDS and isinstance(value, tuple):
            others = tuple(each for each in value if each.lower() != UNVERSIONED)
            unversioned = int(len(others) < len(value))
            attribute = IndexedAttribute(name, kind, others)
        if name not in COLUMNS and attribute.value != ():
            rest.append(attribute)
    return unversioned, rest


def elements(kind: int, value: Any) -> Sequence[Any]:
    """The values that stand in rows: those of a list in lower case, each once."""
    return tuple(dict.fromkeys(each.lower() for each in value)) if kind == KEYWORD_LIST else (value,)


def digest_of(attributes: Sequence[IndexedAttribute]) -> bytes:
    """Equal for equal attributes."""
    return hashlib.blake2b(repr(attributes).encode("utf-8", "surrogatepass"), digest_size=8).digest()


def closed_of(record: VisibilityRecord) -> int:
    """The sort key's first part."""
    return STILL_OPEN if record.close_time is None else record.close_time


def values_of(record: VisibilityRecord, unversioned: int, digest: bytes | None) -> tuple[Any, ...]:
    """The parameters of UPSERT."""
    return (
        record.namespace_id,
        record.run_id,
        record.workflow_id,
        record.workflow_type,
        record.task_queue,
        record.start_time,
        record.parent_workflow_id,
        record.parent_run_id,
        record.root_workflow_id,
        record.root_run_id,
        record.division,
        record.status,
        record.execution_time,
        closed_of(record),
        record.execution_duration,
        record.history_length,
        record.history_size,
        record.state_transition_count,
        unversioned,
        digest,
        record.memo,
        record.search_attributes,
    )


def record_of(namespace_id: str, row: Sequence[Any]) -> VisibilityRecord:
    """A record from the columns of ROW."""
    close_time = None if row[9] == STILL_OPEN else row[9]
    values: tuple[Any, ...] = (namespace_id, *row[:9], close_time, *row[10:19])
    return VisibilityRecord(*values)


# ---- page tokens: the sort key of the last row ----

_KEY: Final = struct.Struct(">qqq")


def pack(key: Sequence[int]) -> bytes:
    """The page token of a sort key."""
    body = _KEY.pack(*key)
    return body + zlib.crc32(body).to_bytes(4)


def unpack(token: bytes) -> tuple[int, int, int]:
    """The sort key of a page token. Raises InvalidArgument if it is none."""
    if len(token) != _KEY.size + 4 or zlib.crc32(token[:-4]) != int.from_bytes(token[-4:]):
        raise InvalidArgument("Invalid NextPageToken: pass the token of the page before, unchanged, or none.")
    closed, started, row = _KEY.unpack(token[:-4])
    return closed, started, row
