"""What stands in a history for a payload whose bytes are in a store.

A payload of encoding `binary/outlive`: a version; the owner that holds the contents (8 bytes of the hash of its id);
the number of bytes that were packed; the payload's own metadata; then items (see tree).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final, NamedTuple

from temporalio.api.common.v1 import Payload

from outlive.ai.contents.store import Owner
from outlive.ai.contents.tree import Item, Malformed, put_varint, read, varint, written

ENCODING: Final = b"binary/outlive"
_VERSION: Final = 1
_MARK: Final = 8
_PLAIN: Final = {"encoding": b"json/plain"}  # by far the most frequent metadata takes no room


class Packed(NamedTuple):
    """The parts of such a payload."""

    mark: bytes
    size: int
    metadata: Payload  # without data
    items: list[Item]


def mark(owner: Owner) -> bytes:
    """Tells owners apart."""
    return hashlib.sha256(f"{owner.namespace}\0{owner.workflow_id}".encode()).digest()[:_MARK]


def is_packed(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCODING


def packed(owner: Owner, payload: Payload, items: Iterable[Item]) -> Payload:
    """The payload to put in the place of another whose data these items make up."""
    out = bytearray([_VERSION])
    out += mark(owner)
    put_varint(out, len(payload.data))
    head = b"" if dict(payload.metadata) == _PLAIN else Payload(metadata=payload.metadata).SerializeToString()
    put_varint(out, len(head))
    out += head
    out += written(items)
    return Payload(metadata={"encoding": ENCODING}, data=bytes(out))


def unpacked(payload: Payload) -> Packed:
    """Raises Malformed."""
    data = payload.data
    if len(data) < 1 + _MARK or data[0] != _VERSION:
        raise Malformed("it is of a version that this outlive does not know")
    size, at = varint(data, 1 + _MARK)
    length, at = varint(data, at)
    head = Payload.FromString(data[at : at + length]) if length else Payload(metadata=_PLAIN)
    return Packed(data[1 : 1 + _MARK], size, head, list(read(data, at + length)))
