"""Any message of the API as what a page shows of it: plain fields, payloads, failures.

One walk serves every event type, those of a later API included: nothing here names an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, cast

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from outlive.web import bounds
from outlive.web.views import failures, payloads, times
from outlive.web.views.failures import FailureView
from outlive.web.views.payloads import PayloadView


@dataclass(slots=True)
class Fields:
    """A message taken apart. ``plain`` is (name, text); ``more`` counts fields that are left out."""

    plain: list[tuple[str, str]] = field(default_factory=list)
    payloads: list[PayloadView] = field(default_factory=list)
    failures: list[FailureView] = field(default_factory=list)
    more: int = 0


Leaf = tuple[str, Any]


def view(message: Message, raw: str | None = None) -> Fields:
    """The message's set fields. ``raw`` is the address to which a payload's number is added for its whole."""
    result = Fields()
    number = 0
    for name, value in leaves(message):
        if isinstance(value, Payload):
            address = f"{raw}/{number}" if raw is not None else None
            number += 1
            if len(result.payloads) < bounds.FIELDS_MAX:
                result.payloads.append(payloads.view(value, bounds.PREVIEW_EVENT, name, address))
                continue
        elif isinstance(value, Failure):
            if len(result.failures) < bounds.FIELDS_MAX:
                result.failures.append(failures.view(value))
                continue
        elif len(result.plain) < bounds.FIELDS_MAX:
            result.plain.append((name, _cut(str(value))))
            continue
        result.more += 1
    return result


def payload_at(message: Message, number: int) -> Payload | None:
    """The payload that :func:`view` gave this number, whole."""
    found = (value for _, value in leaves(message) if isinstance(value, Payload))
    return next((payload for at, payload in enumerate(found) if at == number), None)


def leaves(message: Message, prefix: str = "", depth: int = 0) -> Iterator[Leaf]:
    """Every set value with its dotted name: text, or a Payload or Failure as it is."""
    for descriptor, value in message.ListFields():
        name = f"{prefix}{descriptor.name}"
        if _is_map(descriptor):
            for key in sorted(value):
                yield from _leaf(descriptor, f"{name}.{key}", value[key], depth)
        elif descriptor.is_repeated:
            for at, item in enumerate(value):
                yield from _leaf(descriptor, f"{name}[{at}]", item, depth)
        else:
            yield from _leaf(descriptor, name, value, depth)


def _leaf(descriptor: FieldDescriptor, name: str, value: Any, depth: int) -> Iterator[Leaf]:
    if isinstance(value, Payload | Failure):
        yield name.replace(".payloads[", "["), value
    elif isinstance(value, Timestamp):
        at = times.moment(value)
        if at is not None:
            yield name, times.iso(at)
    elif isinstance(value, Duration):
        if times.seconds(value):
            yield name, times.span(times.seconds(value))
    elif isinstance(value, Message):
        if depth < bounds.FIELD_DEPTH:
            yield from leaves(value, f"{name}.", depth + 1)
        else:
            yield name, "…"
    elif descriptor.type == FieldDescriptor.TYPE_ENUM:
        yield name, _enum(descriptor, cast(int, value))
    elif isinstance(value, bytes):
        yield name, f"{len(value):,} bytes"
    else:
        yield name, str(value).lower() if isinstance(value, bool) else str(value)


def _enum(descriptor: FieldDescriptor, value: int) -> str:
    """The value's name without what its enum's names share: ``normal`` of ``TASK_QUEUE_KIND_NORMAL``."""
    assert descriptor.enum_type is not None
    known = descriptor.enum_type.values_by_number.get(value)
    if known is None:
        return str(value)
    words = "".join("_" + c if c.isupper() else c.upper() for c in descriptor.enum_type.name).strip("_")
    return known.name.removeprefix(words + "_").replace("_", " ").lower()


def _is_map(descriptor: FieldDescriptor) -> bool:
    return bool(descriptor.message_type and descriptor.message_type.GetOptions().map_entry)


def _cut(text: str) -> str:
    return text if len(text) <= bounds.PREVIEW_EVENT else text[: bounds.PREVIEW_EVENT] + "…"
