"""The readable form of payloads, in which a value stands for the payload that carries it.

Rules
- A `json/plain` payload is its value; a `json/protobuf` one its object, with the type as `_protoMessageType`;
  a `binary/null` one stays as it is, without data. Each only where its metadata holds nothing else.
- `Payloads` is a list where all of its payloads have such a form; else an object as without the short form,
  in which those that have one are short.
- On the way in any value is a payload. An object is taken as a payload spelled out only if it can be nothing
  else: `metadata` with an encoding, and `data`, both in base 64, and no other key.
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, Final

from temporalio.api.common.v1 import Payload

TYPE_KEY: Final = "_protoMessageType"
_PLAIN: Final = b"json/plain"
_PROTO: Final = b"json/protobuf"
_NULL: Final = b"binary/null"
_SPELLED: Final = {"metadata", "data"}


class NotReadable(Exception):
    """The payload has no short form."""


class Unreadable(Exception):
    """A value that cannot be made a payload. Says why."""


def short(payload: Payload) -> Any:
    """The short form. Raises NotReadable."""
    metadata = payload.metadata
    encoding = metadata.get("encoding")
    if payload.external_payloads:
        raise NotReadable
    if encoding == _PLAIN and len(metadata) == 1:
        return _loads(payload.data)
    if encoding == _NULL and len(metadata) == 1:
        return {"metadata": {"encoding": base64.b64encode(_NULL).decode()}}
    if encoding == _PROTO and len(metadata) == 2 and "messageType" in metadata:
        value = _loads(payload.data)
        if not isinstance(value, dict) or TYPE_KEY in value:
            raise NotReadable
        return {TYPE_KEY: metadata["messageType"].decode(errors="replace"), **value}
    raise NotReadable


def _loads(data: bytes) -> Any:
    try:
        return json.loads(data, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise NotReadable from None


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is no JSON")


def spelled_out(value: Any) -> bool:
    """Whether a JSON value can only be a payload in its long form."""
    if not isinstance(value, dict) or not value.keys() <= _SPELLED:
        return False
    metadata = value.get("metadata")
    if not isinstance(metadata, dict) or "encoding" not in metadata:
        return False
    if not all(isinstance(text, str) and is_base64(text) for text in metadata.values()):
        return False
    if "data" not in value:
        return from_base64(metadata["encoding"]) == _NULL
    return isinstance(value["data"], str) and is_base64(value["data"])


def into(value: Any, payload: Payload) -> None:
    """Fill the payload from the value that stands for it. Raises Unreadable."""
    if value is None:
        payload.metadata["encoding"] = _NULL
        return
    if isinstance(value, dict) and TYPE_KEY in value:
        kind = value[TYPE_KEY]
        if not isinstance(kind, str):
            raise Unreadable(f"{TYPE_KEY} takes a string")
        payload.metadata["encoding"] = _PROTO
        payload.metadata["messageType"] = kind.encode()
        value = {key: each for key, each in value.items() if key != TYPE_KEY}
    else:
        payload.metadata["encoding"] = _PLAIN
    try:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        payload.data = text.encode()
    except UnicodeEncodeError:
        payload.data = json.dumps(value, separators=(",", ":")).encode()
    except (ValueError, RecursionError) as error:
        raise Unreadable(str(error)) from None


def is_base64(text: str) -> bool:
    try:
        from_base64(text)
    except ValueError:
        return False
    return True


def from_base64(text: str) -> bytes:
    """Standard or URL-safe base 64, with or without padding. Raises ValueError."""
    plain = text.replace("-", "+").replace("_", "/").rstrip("=")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None
