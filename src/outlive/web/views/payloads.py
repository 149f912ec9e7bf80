"""Payloads as what they are: JSON, text, bytes, nothing. They are only ever text here, cut to a bound."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from temporalio.api.common.v1 import Payload

from outlive.web import bounds
from outlive.web.views import shapes
from outlive.web.views.shapes import Shape

Kind = Literal["json", "text", "bytes", "null", "encrypted", "stored", "unknown"]


@dataclass(frozen=True, slots=True)
class PayloadView:
    """One value. ``text`` is cut to a bound; ``size`` is in bytes; ``raw`` is the address of its whole.
    ``shape`` is what it is to a person, where its text is not the best of it."""

    label: str
    kind: Kind
    encoding: str
    type: str
    text: str
    size: int
    truncated: bool
    raw: str | None = None
    shape: Shape | None = None


def encoding_of(payload: Payload) -> str:
    """The payload's encoding, as its metadata names it."""
    return payload.metadata.get("encoding", b"").decode(errors="replace")


def kind_of(encoding: str) -> Kind:
    """What the encoding's bytes are to a reader."""
    if encoding.startswith("json/"):
        return "json"
    known: dict[str, Kind] = {
        "binary/null": "null",
        "binary/plain": "bytes",
        "binary/protobuf": "bytes",
        "binary/encrypted": "encrypted",
        "binary/outlive": "stored",
        "text/plain": "text",
    }
    return known.get(encoding, "unknown")


def view(payload: Payload, room: int, label: str = "", raw: str | None = None) -> PayloadView:
    """The payload in at most ``room`` characters, JSON indented where it is small enough to parse."""
    encoding = encoding_of(payload)
    kind = kind_of(encoding)
    text, truncated = _text(kind, payload.data, room)
    message_type = payload.metadata.get("messageType", b"").decode(errors="replace")
    return PayloadView(label, kind, encoding, message_type, text, len(payload.data), truncated, raw)


def shaped(payload: Payload, room: int, label: str = "", raw: str | None = None) -> PayloadView:
    """As :func:`view`, with its shape: for the few payloads that a page is about."""
    plain = view(payload, room, label, raw)
    if plain.kind == "json" and len(payload.data) <= bounds.PRETTY_BYTES:
        try:
            return replace(plain, shape=shapes.of_value(json.loads(payload.data)))
        except (ValueError, RecursionError):
            return plain
    if plain.kind in ("bytes", "unknown") and shapes.image_type(payload.data):
        return replace(plain, shape=Shape("image"))
    return plain


def _text(kind: Kind, data: bytes, room: int) -> tuple[str, bool]:
    if kind == "null":
        return "null", False
    if kind == "json" and len(data) <= bounds.PRETTY_BYTES:
        try:
            return _cut(json.dumps(json.loads(data), indent=2, ensure_ascii=False), room)
        except (ValueError, RecursionError):
            return _cut(data.decode(errors="replace"), room)
    if kind in ("json", "text"):
        text, cut = _cut(data[: room * 4].decode(errors="replace"), room)
        return text, cut or len(data) > room * 4
    return _cut(_hex(data[: room // 4]), room)[0], len(data) > room // 4


def _cut(text: str, room: int) -> tuple[str, bool]:
    return (text, False) if len(text) <= room else (text[:room], True)


def _hex(data: bytes) -> str:
    """Bytes as rows of sixteen, with what is printable beside them."""
    rows = []
    for at in range(0, len(data), 16):
        row = data[at : at + 16]
        printable = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        rows.append(f"{at:06x}  {row.hex(' '):<47}  {printable}")
    return "\n".join(rows)


def line(payloads: Iterable[Payload]) -> str:
    """The values in one line, for a list: ``"intro.md", 3``, cut with an ellipsis."""
    parts: list[str] = []
    left = bounds.PREVIEW_LINE
    for payload in payloads:
        if left <= 0:
            break
        part = _inline(payload, left)
        parts.append(part)
        left -= len(part)
    text = ", ".join(parts)
    return text if len(text) <= bounds.PREVIEW_LINE else text[: bounds.PREVIEW_LINE - 1] + "…"


def _inline(payload: Payload, room: int) -> str:
    kind = kind_of(encoding_of(payload))
    if kind == "null":
        return "null"
    if kind in ("json", "text"):
        text = " ".join(payload.data[: room * 4].decode(errors="replace").split())
        return text if len(text) <= room else text[: room - 1] + "…"
    return f"{len(payload.data):,} bytes"


def text_of(payload: Payload) -> str:
    """A payload that is a word or a sentence (a summary, a group key) as plain text; else empty."""
    if kind_of(encoding_of(payload)) == "json" and len(payload.data) <= bounds.PRETTY_BYTES:
        try:
            value = json.loads(payload.data)
        except (ValueError, RecursionError):
            return ""
        return value if isinstance(value, str) else ""
    return ""
