"""HTTP/1.1 messages as the ledger uses them: bodies with a length, connections that stay open."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote

from outlive.ledger.errors import BadRequest

HEAD_MAX: Final = 16 * 1024  # bytes of a request line and headers
REASONS: Final = {
    200: "OK", 204: "No Content", 400: "Bad Request", 401: "Unauthorized", 402: "Payment Required",
    404: "Not Found", 405: "Method Not Allowed", 409: "Conflict", 411: "Length Required",
    413: "Content Too Large", 422: "Unprocessable Content", 431: "Request Header Fields Too Large",
    500: "Internal Server Error", 503: "Service Unavailable",
}  # fmt: skip


class Refused(Exception):
    """A request that cannot be read on: it is answered with this status, and the connection ends."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


@dataclass(slots=True)
class Request:
    """A whole request. Header names are in lower case."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""

    @property
    def keep_alive(self) -> bool:
        return self.headers.get("connection", "").lower() != "close"


@dataclass(slots=True)
class Response:
    """An answer with a body of known length, or with parts that come as they come."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    parts: AsyncIterator[bytes] | None = None


def parse_head(head: bytes) -> tuple[Request, int]:
    """The request that the head describes, and the length of its body. Raises Refused."""
    try:
        line, *rest = head.decode("latin-1").split("\r\n")
        method, target, version = line.split(" ")
    except ValueError:
        raise Refused(400, "that is not an HTTP request.") from None
    if not version.startswith("HTTP/1."):
        raise Refused(400, "the ledger speaks HTTP/1.1.")
    headers = {}
    for row in rest:
        name, colon, value = row.partition(":")
        if not colon:
            raise Refused(400, "a header has no colon.")
        headers[name.strip().lower()] = value.strip()
    if "transfer-encoding" in headers:
        raise Refused(411, "send a Content-Length: the ledger takes no chunked bodies.")
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15:
        raise Refused(400, "Content-Length is not a number.")
    path, _, query = target.partition("?")
    parsed = dict(parse_qsl(query, keep_blank_values=True)) if query else {}
    return Request(method, unquote(path) if "%" in path else path, parsed, headers), int(length)


def head_of(response: Response, *, close: bool) -> bytes:
    """The answer's status line and headers."""
    lines = [f"HTTP/1.1 {response.status} {REASONS.get(response.status, 'OK')}"]
    if response.body or response.status != 204:
        lines.append(f"Content-Type: {response.content_type}")
    if response.parts is None:
        lines.append(f"Content-Length: {len(response.body)}")
    if close or response.parts is not None:
        lines.append("Connection: close")
    lines.extend(f"{name}: {value}" for name, value in response.headers.items())
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def number(request: Request, name: str, default: int) -> int:
    """A whole number of the query. Raises BadRequest."""
    text = request.query.get(name, "")
    if not text:
        return default
    if not text.isdecimal() or len(text) > 15:
        raise BadRequest(f"{name} must be a whole number.")
    return int(text)
