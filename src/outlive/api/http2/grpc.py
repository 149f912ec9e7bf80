"""gRPC on top of HTTP/2: messages in bodies, status in trailers."""

from __future__ import annotations

import base64
import re
import struct
import zlib
from urllib.parse import quote

from outlive.api.errors import DETAILS_KEY, status_bytes
from outlive.api.http2.headers import block
from outlive.errors import Code, InvalidArgument, ResourceExhausted, ServiceError, Unimplemented
from outlive.limits import GRPC_MESSAGE_MAX, SECOND

_PREFIX = struct.Struct(">BI")
_TIMEOUT = re.compile(r"(\d{1,8})([HMSmun])")
_UNITS = {"H": 3600 * SECOND, "M": 60 * SECOND, "S": SECOND, "m": 1_000_000, "u": 1_000, "n": 1}
_HEAD = ((":status", "200"), ("content-type", "application/grpc"))
OK_HEADERS = block(_HEAD)
OK_TRAILERS = block((("grpc-status", "0"),))
BODY_MAX = GRPC_MESSAGE_MAX + _PREFIX.size


def message_of(body: bytes, encoding: str) -> bytes:
    """The one message of a unary call's body. Raises ServiceError."""
    if len(body) < _PREFIX.size:
        raise InvalidArgument("the call carries no message")
    compressed, size = _PREFIX.unpack_from(body)
    if size > GRPC_MESSAGE_MAX:
        raise too_large(size)
    if len(body) != size + _PREFIX.size:
        raise InvalidArgument("the call does not carry exactly one message")
    if not compressed:
        return body[_PREFIX.size :]
    if encoding not in ("gzip", "deflate"):
        raise Unimplemented(f"messages compressed by {encoding or 'nothing named'}: use gzip, or none")
    inflate = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        message = inflate.decompress(memoryview(body)[_PREFIX.size :], GRPC_MESSAGE_MAX + 1)
    except zlib.error as error:
        raise InvalidArgument(f"the message is not what its encoding says: {error}") from None
    if len(message) > GRPC_MESSAGE_MAX:
        raise too_large(len(message))
    return message


def too_large(size: int) -> ServiceError:
    """In the words of gRPC's own servers, which clients know."""
    error = ServiceError(f"grpc: received message larger than max ({size} vs. {GRPC_MESSAGE_MAX})")
    error.code = ResourceExhausted.code
    return error


def timeout_of(text: str) -> int:
    """A `grpc-timeout` header in nanoseconds; 0 if there is none."""
    match = _TIMEOUT.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else 0


def framed(message: bytes) -> bytes:
    """A message as a body carries it."""
    return _PREFIX.pack(0, len(message)) + message


def error_headers(error: ServiceError) -> bytes:
    """A whole answer that is only a status."""
    fields = [*_HEAD, ("grpc-status", str(int(error.code)))]
    if error.message:
        fields.append(("grpc-message", quote(error.message, safe=" !\"#$&'()*+,/:;<=>?@[\\]^`{|}~")))
    detail = status_bytes(error)
    if detail is not None:
        fields.append((DETAILS_KEY, base64.b64encode(detail).decode().rstrip("=")))
    return block(fields)


def http_error(status: int) -> bytes:
    """The answer to what is not gRPC."""
    return block(((":status", str(status)),))


def deadline_exceeded() -> ServiceError:
    error = ServiceError("the call's deadline is over")
    error.code = Code.DEADLINE_EXCEEDED
    return error
