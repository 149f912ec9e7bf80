"""How a content's bytes are stored: as they are, or compressed where that is shorter. The first byte says which."""

from __future__ import annotations

import zlib
from typing import Final

from outlive.ai.contents.tree import Malformed
from outlive.limits import CONTENTS_UNPACKED_MAX

_PLAIN, _DEFLATED = b"\x00", b"\x01"
_WORTH_TRYING: Final = 200  # bytes; digests, of which short contents consist, do not compress


def squeezed(data: bytes) -> bytes:
    if len(data) >= _WORTH_TRYING:
        smaller = zlib.compress(data, 6, wbits=-15)
        if len(smaller) < len(data):
            return _DEFLATED + smaller
    return _PLAIN + data


def expanded(stored: bytes) -> bytes:
    """Raises Malformed."""
    if stored[:1] == _PLAIN:
        return stored[1:]
    if stored[:1] != _DEFLATED:
        raise Malformed("a content is of a kind that this outlive does not know")
    reader = zlib.decompressobj(wbits=-15)
    try:
        data = reader.decompress(stored[1:], CONTENTS_UNPACKED_MAX)
    except zlib.error as error:
        raise Malformed(f"a content cannot be expanded: {error}") from None
    if not reader.eof:
        raise Malformed(f"a content makes up more than {CONTENTS_UNPACKED_MAX} bytes, or ends early")
    return data
