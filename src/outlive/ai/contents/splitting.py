"""Where bytes are cut, so that the same text is the same piece wherever it stands.

- In JSON every long string is a piece of its own: a message is stored once, whether it comes alone, as a result, or as
  the hundredth element of a list. What stands between (braces, keys, numbers) stays between.
- What is longer than a piece may be is cut where the bytes themselves say so, so that an edit changes the pieces around
  it and no others.

The pieces, joined, are the bytes: nothing is parsed, so nothing is changed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from typing import Final, NamedTuple

STRING_MIN: Final = 256  # bytes of a JSON string that is a piece of its own: its reference takes 33
PIECE_MIN: Final = 1024  # bytes of a cut piece
PIECE_MAX: Final = 8192  # bytes of any piece
_WINDOW: Final = 32  # bytes before a place that decide whether it is a cut
_MASK: Final = 0x1F  # one place in 32 is a cut: about 3 KB of text apart

_STRING = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
# Places worth looking at, 50 to 100 bytes apart in text and less in other bytes; found by the C of `re`, since
# looking at every byte from Python would hold up a worker.
_PLACE = re.compile(rb"[.\n;!?}\]>+/7\x00-\x07\xf0-\xff]")


class Piece(NamedTuple):
    """Some of the bytes; `apart` if they are stored apart, and not in what refers to them."""

    data: bytes
    apart: bool


def pieces(data: bytes, *, json: bool) -> Iterator[Piece]:
    """The bytes in order. Two pieces that are not apart never follow each other."""
    if not json:
        yield from _cut(data)
        return
    at = 0
    for found in _STRING.finditer(data):
        if found.end() - found.start() >= STRING_MIN:
            yield from _between(data[at : found.start()])
            yield from _cut(found.group())
            at = found.end()
    yield from _between(data[at:])


def _between(data: bytes) -> Iterator[Piece]:
    if len(data) >= PIECE_MIN:
        yield from _cut(data)
    elif data:
        yield Piece(data, False)


def _cut(data: bytes) -> Iterator[Piece]:
    """Pieces of PIECE_MIN to PIECE_MAX bytes; the last may be shorter."""
    begin = 0
    while len(data) - begin > PIECE_MAX:
        end = begin + PIECE_MAX
        for place in _PLACE.finditer(data, begin + PIECE_MIN, end):
            if not zlib.crc32(data[place.end() - _WINDOW : place.end()]) & _MASK:
                end = place.end()
                break
        yield Piece(data[begin:end], True)
        begin = end
    if begin < len(data):
        yield Piece(data[begin:], True)
