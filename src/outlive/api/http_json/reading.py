"""JSON values as messages, from proto3's JSON form."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload, Payloads

from outlive.api.http_json import payloads
from outlive.errors import InvalidArgument

_F = FieldDescriptor
_RANGES = {
    _F.CPPTYPE_INT32: (-(2**31), 2**31 - 1),
    _F.CPPTYPE_INT64: (-(2**63), 2**63 - 1),
    _F.CPPTYPE_UINT32: (0, 2**32 - 1),
    _F.CPPTYPE_UINT64: (0, 2**64 - 1),
}
_INTEGER = re.compile(r"-?[0-9]{1,20}")
_BOOLEANS = {"true": True, "false": False}
_NOT_A_NUMBER = ("NaN", "Infinity", "-Infinity")
_SHOWN_MAX = 80  # characters of a wrong value that the error repeats
_WELL_KNOWN = "google.protobuf."


class _Object(dict[str, Any]):
    """A JSON object that remembers a key it was given twice."""

    twice: str = ""


def loads(body: bytes) -> Any:
    """A body as a JSON value; an empty one is an empty object. Raises InvalidArgument."""
    if not body.strip():
        return {}
    try:
        return json.loads(body, object_pairs_hook=_object, parse_constant=_refuse, parse_float=_float)
    except UnicodeDecodeError:
        raise InvalidArgument("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InvalidArgument(f"the body is not JSON: {error.msg} at {where}") from None
    except (ValueError, RecursionError) as error:
        raise InvalidArgument(f"the body cannot be read: {error}") from None


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        seen: set[str] = set()
        result.twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return result


def _refuse(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"{text} is too large a number")
    return value


def read(value: Any, message: Message, shorthand: bool, path: str = "") -> None:
    """Fill the message from a JSON value. Raises InvalidArgument with the path of the field at fault."""
    if shorthand and isinstance(message, Payload) and not payloads.spelled_out(value):
        try:
            payloads.into(value, message)
        except payloads.Unreadable as error:
            raise InvalidArgument(f"{_at(path)}: {error}") from None
    elif shorthand and isinstance(message, Payloads) and isinstance(value, list):
        for index, each in enumerate(value):
            read(each, message.payloads.add(), shorthand, f"{path}[{index}]")
    elif message.DESCRIPTOR.full_name.startswith(_WELL_KNOWN):
        _well_known(value, message, path)
    else:
        _fields(value, message, shorthand, path)


def _fields(value: Any, message: Message, shorthand: bool, path: str) -> None:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    if isinstance(value, _Object) and value.twice:
        raise InvalidArgument(f"{_at(path, value.twice)}: given twice")
    seen: dict[str, str] = {}
    known = fields_of(message.DESCRIPTOR)
    for key, each in value.items():
        field = known.get(key)
        where = f"{path}.{key}" if path else key
        if field is None:
            raise InvalidArgument(f'unknown field "{where}"')
        if seen.setdefault(field.name, key) != key:
            raise InvalidArgument(f"{where}: given twice, also as {seen[field.name]}")
        if each is None and not _takes_null(field):
            continue
        if field.containing_oneof is not None:
            other = message.WhichOneof(field.containing_oneof.name)
            if other is not None:
                raise InvalidArgument(f"{where}: only one of this and {other} may be given")
        _field(each, message, field, shorthand, where)


def _takes_null(field: FieldDescriptor) -> bool:
    return field.message_type is not None and field.message_type.full_name == "google.protobuf.Value"


def _field(value: Any, message: Message, field: FieldDescriptor, shorthand: bool, path: str) -> None:
    target = getattr(message, field.name)
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        if not isinstance(value, dict):
            raise _wrong(path, "an object", value)
        _map(value, target, field.message_type, shorthand, path)
    elif field.is_repeated:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        for index, each in enumerate(value):
            where = f"{path}[{index}]"
            if field.message_type is not None:
                read(each, target.add(), shorthand, where)
            else:
                target.append(scalar(field, each, where))
    elif field.message_type is not None:
        target.SetInParent()
        read(value, target, shorthand, path)
    else:
        setattr(message, field.name, scalar(field, value, path))


def _map(value: Mapping[str, Any], target: Any, entry: Descriptor, shorthand: bool, path: str) -> None:
    key_field, value_field = entry.fields_by_name["key"], entry.fields_by_name["value"]
    for text, each in value.items():
        where = f'{path}["{text}"]'
        key = _map_key(key_field, text, where)
        if value_field.message_type is not None:
            read(each, target[key], shorthand, where)
        else:
            target[key] = scalar(value_field, each, where)


def _map_key(field: FieldDescriptor, text: str, path: str) -> Any:
    if field.cpp_type == _F.CPPTYPE_BOOL:
        if text not in _BOOLEANS:
            raise _wrong(path, "true or false", text)
        return _BOOLEANS[text]
    return scalar(field, text, path)


@cache
def fields_of(descriptor: Descriptor) -> Mapping[str, FieldDescriptor]:
    """The fields of a message by both of their names."""
    return {name: field for field in descriptor.fields for name in (field.name, field.json_name)}


def scalar(field: FieldDescriptor, value: Any, path: str) -> Any:
    """A JSON value as the value of a field that is no message. Raises InvalidArgument."""
    kind = field.cpp_type
    if field.enum_type is not None:
        return _enum(field.enum_type, value, path)
    if kind in _RANGES:
        return _integer(value, _RANGES[kind], path)
    if kind in (_F.CPPTYPE_DOUBLE, _F.CPPTYPE_FLOAT):
        return _floating(value, path)
    if kind == _F.CPPTYPE_BOOL:
        if not isinstance(value, bool):
            raise _wrong(path, "true or false", value)
        return value
    if not isinstance(value, str):
        raise _wrong(path, "a string", value)
    if field.type == _F.TYPE_BYTES:
        try:
            return payloads.from_base64(value)
        except ValueError:
            raise _wrong(path, "base 64", value) from None
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidArgument(f"{_at(path)}: not a text that UTF-8 can carry") from None
    return value


def _integer(value: Any, bounds: tuple[int, int], path: str) -> int:
    number = value
    if isinstance(value, str):
        number = int(value) if _INTEGER.fullmatch(value) else None
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    if isinstance(number, bool) or not isinstance(number, int) or not bounds[0] <= number <= bounds[1]:
        raise _wrong(path, f"a whole number from {bounds[0]} to {bounds[1]}", value)
    return number


def _floating(value: Any, path: str) -> float:
    if isinstance(value, str) and value not in _NOT_A_NUMBER and not value[-1:].isdigit():
        raise _wrong(path, "a number", value)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise _wrong(path, "a number", value)
    try:
        return float(value)
    except (ValueError, OverflowError):
        raise _wrong(path, "a number", value) from None


def _enum(kind: EnumDescriptor, value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise _wrong(path, f"a name of {kind.full_name}", value)
    if isinstance(value, int):
        return _integer(value, _RANGES[_F.CPPTYPE_INT32], path)
    number = enum_names(kind).get(value)
    if number is None:
        raise _wrong(path, f"one of {', '.join(kind.values_by_name)}", value)
    return number


@cache
def enum_names(kind: EnumDescriptor) -> Mapping[str, int]:
    """Every name of the enum's values: in full, without the prefix that they share, and that in camel case."""
    prefix = _prefix(list(kind.values_by_name))
    result = {}
    for name, value in kind.values_by_name.items():
        bare = name.removeprefix(prefix)
        result["".join(part.title() for part in bare.split("_"))] = value.number
        result[bare] = value.number
        result[name] = value.number
    return result


def _prefix(names: list[str]) -> str:
    """What all of the names begin with, up to an underscore."""
    first, last = min(names), max(names)
    common = 0
    while common < min(len(first), len(last)) and first[common] == last[common]:
        common += 1
    return first[: first.rfind("_", 0, common) + 1]


def _well_known(value: Any, message: Message, path: str) -> None:
    try:
        json_format.ParseDict(value, message)
    except (json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError):
        raise _wrong(path, f"a {message.DESCRIPTOR.full_name}", value) from None


def _wrong(path: str, expected: str, value: Any) -> InvalidArgument:
    shown = json.dumps(value, default=str)
    if len(shown) > _SHOWN_MAX:
        shown = shown[:_SHOWN_MAX] + "..."
    return InvalidArgument(f"{_at(path)}: expected {expected}, not {shown}")


def _at(path: str, key: str = "") -> str:
    return ".".join(part for part in (path, key) if part) or "the body"
