"""Every way to spoil a request, field by field: absent, empty, over-long, negative, wrong, huge, not UTF-8."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_MARK = "MARKMARK"  # a text of the same length as the bytes that take its place on the wire
_NOT_UTF8 = b"\xff\xfe\xc3\x28\xa0\xa1\xed\xa0"
_DEPTH = 3  # messages within messages

F = FieldDescriptor
_TEXTS = ("", "x" * 1_001, "x" * 70_000, "a\x00b", "\u202eé漢🙂", "' OR 1=1 --", "../..")
_INTS = {
    F.CPPTYPE_INT32: (-1, 1, 2**31 - 1, -(2**31)),
    F.CPPTYPE_INT64: (-1, 1, 2**63 - 1, -(2**63)),
    F.CPPTYPE_UINT32: (1, 2**32 - 1),
    F.CPPTYPE_UINT64: (1, 2**64 - 1),
    F.CPPTYPE_ENUM: (1, 2, 999, -1),
}
_FLOATS = (-1.0, 0.5, 1e300, math.inf, -math.inf, math.nan)
_SPANS = ((-1, 0), (1, -1), (315_576_000_000, 0), (-(2**63), 0), (2**63 - 1, 999_999_999), (0, 2**31 - 1))

Change = Callable[[Message], None]


def spoiled(base: Message) -> Iterator[tuple[str, bytes]]:
    """(what was done, the request's bytes) for every change to `base`."""
    good = base.SerializeToString()
    yield "as it is", good
    yield "nothing at all", b""
    yield "cut short", good[: max(0, len(good) - 1)]
    yield "not a message", b"\xff" * 40
    for what, change in _changes(base.DESCRIPTOR, lambda message: message, "", _DEPTH):
        request = type(base)()
        request.CopyFrom(base)
        try:
            change(request)
        except (ValueError, TypeError):  # a value that no client of this language could write
            continue
        data = request.SerializeToString()
        yield what, data.replace(_MARK.encode(), _NOT_UTF8)


def _changes(descriptor: Any, reach: Callable[[Message], Any], path: str, depth: int) -> Iterator[tuple[str, Change]]:
    """Changes to the message that `reach` finds within a request."""
    for field in descriptor.fields:
        name, where = field.name, f"{path}{field.name}"
        yield f"{where} absent", lambda m, n=name: reach(m).ClearField(n)
        if field.is_repeated:
            yield from _repeated(field, reach, where)
        elif field.cpp_type == F.CPPTYPE_MESSAGE:
            yield f"{where} empty", lambda m, n=name: (reach(m).ClearField(n), getattr(reach(m), n).SetInParent())
            if field.message_type.full_name in ("google.protobuf.Duration", "google.protobuf.Timestamp"):
                yield from _times(name, reach, where)
            elif depth > 1:
                inside = lambda m, n=name: getattr(reach(m), n)  # noqa: E731  (the next level's reach)
                yield from _changes(field.message_type, inside, f"{where}.", depth - 1)
        else:
            for label, value in _values(field):
                yield f"{where} {label}", lambda m, n=name, v=value: setattr(reach(m), n, v)


def _values(field: Any) -> Iterator[tuple[str, Any]]:
    if field.cpp_type == F.CPPTYPE_STRING:
        if field.type == F.TYPE_BYTES:
            yield from ((f"{len(value)} bytes", value) for value in (b"", b"\xff" * 60, b"\x00", b"x" * 70_000))
            return
        yield from ((f"text of {len(value)}: {value[:8]!r}", value) for value in _TEXTS)
        yield "not UTF-8", _MARK
    elif field.cpp_type == F.CPPTYPE_BOOL:
        yield "true", True
    elif field.cpp_type in (F.CPPTYPE_DOUBLE, F.CPPTYPE_FLOAT):
        yield from ((str(value), value) for value in _FLOATS)
    else:
        yield from ((str(value), value) for value in _INTS[field.cpp_type])


def _times(name: str, reach: Callable[[Message], Any], where: str) -> Iterator[tuple[str, Change]]:
    for seconds, nanos in _SPANS:

        def change(m: Message, seconds: int = seconds, nanos: int = nanos) -> None:
            span = getattr(reach(m), name)
            span.seconds, span.nanos = seconds, nanos

        yield f"{where} {seconds} s {nanos} ns", change


def _repeated(field: Any, reach: Callable[[Message], Any], where: str) -> Iterator[tuple[str, Change]]:
    name = field.name
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        value = field.message_type.fields_by_name["value"]
        for key in ("", "x" * 1_001, _MARK):

            def put(m: Message, key: str = key) -> None:
                entries = getattr(reach(m), name)
                if value.cpp_type == F.CPPTYPE_MESSAGE:
                    entries[key].SetInParent()
                else:
                    entries[key] = "" if value.cpp_type == F.CPPTYPE_STRING else 1

            yield f"{where} with the key {key[:8]!r}", put
        return
    for count in (1, 300):

        def fill(m: Message, count: int = count) -> None:
            items = getattr(reach(m), name)
            for _ in range(count):
                if field.cpp_type == F.CPPTYPE_MESSAGE:
                    items.add()
                elif field.type == F.TYPE_BYTES:
                    items.append(b"\xff")
                else:
                    items.append("x" if field.cpp_type == F.CPPTYPE_STRING else 999)

        yield f"{where} with {count} empty ones", fill
