"""Task and page tokens: opaque to clients, checked when they come back.

A token is a kind, then the fields of that kind in order, packed. One that is damaged, made up, or of
another kind never decodes into something else.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass, fields
from functools import cache
from operator import attrgetter
from typing import ClassVar, TypeVar

from outlive.errors import InvalidArgument

_MAGIC = 0xD7


@dataclass(frozen=True, slots=True)
class WorkflowTaskToken:
    """Of a started workflow task."""

    KIND: ClassVar[int] = 1
    FORMAT: ClassVar[str] = ">16sqqqIq"
    namespace: bytes
    key: int
    scheduled_event_id: int
    started_event_id: int
    attempt: int
    started_time: int


@dataclass(frozen=True, slots=True)
class ActivityTaskToken:
    """Of a started attempt of an activity."""

    KIND: ClassVar[int] = 2
    FORMAT: ClassVar[str] = ">16sqqq"
    namespace: bytes
    key: int
    scheduled_event_id: int
    stamp: int


@dataclass(frozen=True, slots=True)
class QueryTaskToken:
    """Of a query that was handed to a worker on its own."""

    KIND: ClassVar[int] = 3
    FORMAT: ClassVar[str] = ">16s16s"
    namespace: bytes
    query: bytes


@dataclass(frozen=True, slots=True)
class HistoryPageToken:
    """Of the next page of a history: from event `first` on. With `last`, up to there and no further."""

    KIND: ClassVar[int] = 4
    FORMAT: ClassVar[str] = ">16sqqq?"
    namespace: bytes
    key: int
    first: int
    last: int
    unwritten: bool  # end with the events that the pending task has not written yet


Token = TypeVar("Token", WorkflowTaskToken, ActivityTaskToken, QueryTaskToken, HistoryPageToken)


_FIELDS = {
    kind: attrgetter(*(field.name for field in fields(kind)))
    for kind in (WorkflowTaskToken, ActivityTaskToken, QueryTaskToken, HistoryPageToken)
}


@cache  # a server has few namespaces
def namespace_bytes(namespace_id: str) -> bytes:
    return uuid.UUID(namespace_id).bytes


def encode(token: WorkflowTaskToken | ActivityTaskToken | QueryTaskToken | HistoryPageToken) -> bytes:
    return struct.pack("BB", _MAGIC, token.KIND) + struct.pack(token.FORMAT, *_FIELDS[type(token)](token))


def decode(kind: type[Token], data: bytes) -> Token | None:
    """The token; None if it is of another kind of task. Raises InvalidArgument if it is none of ours."""
    if len(data) < 2 or data[0] != _MAGIC:
        raise InvalidArgument("Error deserializing task token.")
    if data[1] != kind.KIND:
        return None
    try:
        return kind(*struct.unpack(kind.FORMAT, data[2:]))
    except struct.error:
        raise InvalidArgument("Error deserializing task token.") from None


def namespace_of(data: bytes) -> str:
    """The id of the namespace that a token is of. Raises InvalidArgument if it is none of ours."""
    if len(data) < 18 or data[0] != _MAGIC:
        raise InvalidArgument("Error deserializing task token.")
    return str(uuid.UUID(bytes=data[2:18]))
