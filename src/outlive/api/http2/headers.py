"""Header blocks: read through a memo, written without compression (RFC 7541).

We tell the peer to keep no table (SETTINGS_HEADER_TABLE_SIZE 0). Once it has acknowledged that, a block means
the same wherever it stands, so equal blocks are decoded once: an SDK's calls of one method are all equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hpack import Decoder, HPACKError

from outlive.api.http2.bounds import HEADER_BLOCK_MAX, HEADER_MEMO_MAX
from outlive.api.http2.frames import ConnectionFault, ErrorCode

Headers = Mapping[str, str]


class HeaderReader:
    """Decodes the header blocks of one connection, in their order."""

    def __init__(self) -> None:
        self._decoder = Decoder(max_header_list_size=HEADER_BLOCK_MAX)
        self._memo: dict[bytes, Headers] = {}
        self._stateless = False

    def table_refused(self) -> None:
        """The peer has acknowledged that there is no table."""
        self._decoder.header_table_size = 0
        self._stateless = True

    def read(self, block: bytes) -> Headers:
        """The headers by name; a repeated one keeps its last value."""
        found = self._memo.get(block) if self._stateless else None
        if found is not None:
            return found
        try:
            decoded = {_text(name): _text(value) for name, value in self._decoder.decode(block)}
        except (HPACKError, UnicodeDecodeError) as error:
            raise ConnectionFault(ErrorCode.COMPRESSION_ERROR, str(error)) from None
        if self._stateless and len(self._memo) < HEADER_MEMO_MAX:
            self._memo[block] = decoded
        return decoded


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _length(size: int) -> bytes:
    """A string's length as HPACK writes it: seven bits, then groups of seven."""
    if size < 127:
        return bytes((size,))
    out = bytearray((127,))
    size -= 127
    while size > 127:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def literal(name: bytes, value: bytes) -> bytes:
    """A field that is not added to any table."""
    return b"\x00" + _length(len(name)) + name + _length(len(value)) + value


def block(fields: Iterable[tuple[str, str]]) -> bytes:
    """A header block of literals. `:status 200` has a byte of its own."""
    return b"".join(
        b"\x88" if (name, value) == (":status", "200") else literal(name.encode(), value.encode())
        for name, value in fields
    )
