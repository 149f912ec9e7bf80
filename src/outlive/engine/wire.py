"""Answers that carry history, put together from encoded parts.

A protobuf message's encoding is the concatenation of its fields' encodings, in any order. So a history
goes from the store to the socket as bytes: nothing is parsed and encoded again on the way.
"""

from __future__ import annotations

from collections.abc import Iterable


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def field(number: int, data: bytes) -> bytes:
    """A length-delimited field."""
    return varint(number << 3 | 2) + varint(len(data)) + data


_EVENTS = b"\x0a"  # History.events: field 1, length-delimited


def history(number: int, events: Iterable[bytes]) -> bytes:
    """A field holding a History of these encoded events."""
    parts: list[bytes] = []
    for event in events:
        parts += (_EVENTS, varint(len(event)), event)
    return field(number, b"".join(parts))
