"""One HTTP POST, on asyncio alone: a connection, a request, the status of its answer."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Sequence
from urllib.parse import urlsplit

_LINE_MAX = 64 * 1024  # bytes of one line of an answer's head
_HEAD_MAX = 100  # lines of the head of an interim answer
_INTERIM_MAX = 10  # interim answers before the final one
_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3})(?: .*)?\r?\n", re.DOTALL)
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_TARGET = re.compile(r"[!-~]+")  # no spaces, nothing beyond ASCII
_PORTS = {"http": 80, "https": 443}


async def post(url: str, headers: Sequence[tuple[str, str]], body: bytes) -> int:
    """Send the request and return the status of its answer, whose body is left unread. Redirects are not followed.

    Raises OSError if there is no answer, ValueError for what can be no request. Bound it by a time-out.
    """
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url} is no address over http or https")
    port = parts.port or _PORTS[parts.scheme]
    head = _head(parts.netloc.rpartition("@")[2], parts.path, parts.query, headers, len(body))
    secure = ssl.create_default_context() if parts.scheme == "https" else None
    reader, writer = await asyncio.open_connection(parts.hostname, port, ssl=secure, limit=_LINE_MAX)
    try:
        writer.write(head + body)
        await writer.drain()
        return await _status(reader)
    finally:
        writer.close()


def _head(host: str, path: str, query: str, headers: Sequence[tuple[str, str]], size: int) -> bytes:
    target = (path or "/") + (f"?{query}" if query else "")
    if not _TARGET.fullmatch(target):
        raise ValueError("the address has characters that it must escape")
    lines = [f"POST {target} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Length: {size}"]
    for name, value in headers:
        if not _NAME.fullmatch(name):
            raise ValueError(f"invalid header field name {name!r}")
        if any((ord(character) < 32 and character != "\t") or ord(character) == 127 for character in value):
            raise ValueError(f"invalid header field value for {name!r}")
        lines.append(f"{name}: {value}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _status(reader: asyncio.StreamReader) -> int:
    """The status of the final answer: interim ones (1xx) come before it."""
    for _ in range(_INTERIM_MAX):
        match = _STATUS.fullmatch(await _line(reader))
        if match is None:
            raise ConnectionError("the answer is not HTTP")
        if int(match[1]) >= 200:
            return int(match[1])
        for _ in range(_HEAD_MAX):
            if not (await _line(reader)).strip():
                break
    raise ConnectionError("the answer does not come to an end")


async def _line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readline()
    except ValueError:
        raise ConnectionError("the answer's head is too long") from None
    if not line:
        raise ConnectionError("the connection ended without an answer")
    return line
