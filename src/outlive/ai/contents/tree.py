"""Lists of references, so that a list that grows at its end shares all but its end with what it was.

An item is bytes, a reference to a leaf, or a reference to a node, which is such a list itself. Of the references of
one level every FAN that are complete become a node of the next level; the rest stay as they are. So appending stores
one small node in FAN times, and what remains at the top grows with the logarithm of the length.

Written: for each item a number (its length, or 0, times 4 plus its kind) as a varint, and its bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from typing import Final, NamedTuple

FAN: Final = 4
DIGEST: Final = 32  # bytes of a SHA-256


class Kind(IntEnum):
    BYTES = 0
    LEAF = 1
    NODE = 2


class Item(NamedTuple):
    kind: Kind
    data: bytes


class Malformed(ValueError):
    """Not a list of items."""


def folded(items: Iterable[Item], put: Callable[[bytes], bytes]) -> list[Item]:
    """The items that stay at the top. `put` keeps a node's bytes and answers the digest it is found by."""
    top = list(items)
    done: list[Item] = []  # nodes of higher levels go first: they are the beginning
    level: list[Item] = top
    while sum(item.kind != Kind.BYTES for item in level) > FAN:
        nodes, rest = _level(level, put)
        done = rest + done
        level = nodes
    return level + done


def _level(items: list[Item], put: Callable[[bytes], bytes]) -> tuple[list[Item], list[Item]]:
    """Nodes of FAN references each with the bytes before them, and what is left over."""
    nodes: list[Item] = []
    group: list[Item] = []
    references = 0
    for item in items:
        group.append(item)
        references += item.kind != Kind.BYTES
        if references == FAN:
            nodes.append(Item(Kind.NODE, put(written(group))))
            group, references = [], 0
    return nodes, group


def written(items: Iterable[Item]) -> bytes:
    out = bytearray()
    for kind, data in items:
        put_varint(out, (len(data) if kind == Kind.BYTES else 0) << 2 | kind)
        out += data
    return bytes(out)


def read(data: bytes, at: int = 0) -> Iterator[Item]:
    """Raises Malformed."""
    while at < len(data):
        number, at = varint(data, at)
        try:
            kind = Kind(number & 3)
        except ValueError:
            raise Malformed("an item of unknown kind") from None
        length = number >> 2 if kind == Kind.BYTES else DIGEST
        if at + length > len(data):
            raise Malformed("it ends within an item")
        yield Item(kind, data[at : at + length])
        at += length


def put_varint(out: bytearray, number: int) -> None:
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)


def varint(data: bytes, at: int) -> tuple[int, int]:
    """The number at a place, and the place after it. Raises Malformed."""
    number = shift = 0
    while True:
        if at >= len(data) or shift > 56:
            raise Malformed("it ends within a number")
        byte = data[at]
        at += 1
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            return number, at
        shift += 7
