"""Messages as JSON values, in proto3's JSON form."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from temporalio.api.common.v1 import Payload, Payloads

from outlive.api.http_json.payloads import NotReadable, short

_FLOAT = struct.Struct("f")
_INTEGRAL_MAX = 1e15  # whole floats below it are written without a fraction
_WELL_KNOWN = "google.protobuf."
_WIDE = (
    FieldDescriptor.CPPTYPE_INT64,
    FieldDescriptor.CPPTYPE_UINT64,
)


def dumps(value: Any, *, indent: bool) -> bytes:
    """A JSON value as the body of an answer."""
    separators = (",", ": ") if indent else (",", ":")
    text = json.dumps(value, ensure_ascii=False, indent=2 if indent else None, separators=separators)
    try:
        return text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair in a payload: escaped it can be told
        return json.dumps(value, indent=2 if indent else None, separators=separators).encode()


def write(message: Message, shorthand: bool) -> Any:
    """The message as a JSON value; with `shorthand` payloads in their readable form."""
    if shorthand and isinstance(message, Payload):
        try:
            return short(message)
        except NotReadable:
            return _fields(message, shorthand)
    if shorthand and isinstance(message, Payloads):
        try:
            return [short(payload) for payload in message.payloads]
        except NotReadable:
            return _fields(message, shorthand)
    if message.DESCRIPTOR.full_name.startswith(_WELL_KNOWN):
        return _well_known(message)
    return _fields(message, shorthand)


def error(code: int, message: str, detail: Message | None = None) -> dict[str, Any]:
    """A `google.rpc.Status` as JSON."""
    result: dict[str, Any] = {"code": code, "message": message}
    if detail is not None:
        status = Status()
        status.details.add().Pack(detail)
        result["details"] = [_well_known(status.details[0])]
    return result


def _fields(message: Message, shorthand: bool) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            value_field = field.message_type.fields_by_name["value"]
            result[field.json_name] = {_key(key): _value(value_field, value[key], shorthand) for key in sorted(value)}
        elif field.is_repeated:
            result[field.json_name] = [_value(field, each, shorthand) for each in value]
        else:
            result[field.json_name] = _value(field, value, shorthand)
    return result


def _key(key: Any) -> str:
    return str(key).lower() if isinstance(key, bool) else str(key)


def _value(field: FieldDescriptor, value: Any, shorthand: bool) -> Any:
    kind = field.cpp_type
    if kind == FieldDescriptor.CPPTYPE_MESSAGE:
        return write(value, shorthand)
    if field.enum_type is not None:
        known = field.enum_type.values_by_number.get(value)
        return known.name if known is not None else value
    if kind in _WIDE:
        return str(value)
    if kind in (FieldDescriptor.CPPTYPE_DOUBLE, FieldDescriptor.CPPTYPE_FLOAT):
        return _number(value, narrow=kind == FieldDescriptor.CPPTYPE_FLOAT)
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    return value


def _number(value: float, *, narrow: bool) -> float | int | str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < _INTEGRAL_MAX:
        return int(value)
    return _shortest(value) if narrow else value


def _shortest(value: float) -> float:
    """The shortest decimal that is the same number in 32 bits."""
    for digits in range(6, 9):
        candidate = float(f"{value:.{digits}g}")
        if _FLOAT.pack(candidate) == _FLOAT.pack(value):
            return candidate
    return float(f"{value:.9g}")


def _well_known(message: Message) -> Any:
    """Times, spans and their kind. One that is out of its type's range is told field by field."""
    try:
        return json_format.MessageToDict(message)
    except (ValueError, json_format.Error):
        return {field.json_name: str(value) for field, value in message.ListFields()}
