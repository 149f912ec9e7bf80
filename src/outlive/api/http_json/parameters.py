"""Query parameters, and a path's variables, as fields of a message."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from outlive.api.http_json.reading import enum_names, fields_of, scalar
from outlive.errors import InvalidArgument

_TRUE = frozenset(("1", "t", "T", "TRUE", "true", "True"))
_NUMBER = re.compile(r"-?[0-9]{1,11}")  # of an enum's value
_FALSE = frozenset(("0", "f", "F", "FALSE", "false", "False"))


def fill(message: Message, parameters: Mapping[str, Sequence[str]]) -> None:
    """Set what the parameters name; those that name nothing are passed over. Raises InvalidArgument."""
    for name, values in parameters.items():
        path, bracket, key = name.partition("[")
        found = _find(message, path)
        if found is None:
            continue
        owner, field = found
        is_map = field.message_type is not None and field.message_type.GetOptions().map_entry
        if is_map and bracket:
            _set_entry(owner, field, key.removesuffix("]"), values, name)
        elif is_map or bracket:
            raise InvalidArgument(f"{name}: a map is given entry by entry, as {path}[key]=value")
        elif field.is_repeated:
            for value in values:
                _append(owner, field, value, name)
        elif len(values) > 1:
            raise InvalidArgument(f"{name}: given {len(values)} times")
        else:
            _set(owner, field, values[0], name)


def put(message: Message, path: str, value: str) -> None:
    """Set the field that a path's variable names, in the place of whatever it held. Raises InvalidArgument."""
    found = _find(message, path)
    assert found is not None, f"an annotation names {path}, which is not there"
    owner, field = found
    owner.ClearField(field.name)
    _set(owner, field, value, path)


def _find(message: Message, path: str) -> tuple[Message, FieldDescriptor] | None:
    """The message that holds the named field, and the field."""
    *outer, last = path.split(".")
    for name in outer:
        field = fields_of(message.DESCRIPTOR).get(name)
        if field is None or field.is_repeated or field.message_type is None:
            return None
        message = getattr(message, field.name)
    field = fields_of(message.DESCRIPTOR).get(last)
    return (message, field) if field is not None else None


def _set(owner: Message, field: FieldDescriptor, text: str, name: str) -> None:
    if field.message_type is not None:
        target = getattr(owner, field.name)
        target.SetInParent()
        _well_known(target, text, name)
    else:
        setattr(owner, field.name, _scalar(field, text, name))


def _append(owner: Message, field: FieldDescriptor, text: str, name: str) -> None:
    target = getattr(owner, field.name)
    if field.message_type is not None:
        _well_known(target.add(), text, name)
    else:
        target.append(_scalar(field, text, name))


def _set_entry(owner: Message, field: FieldDescriptor, key: str, values: Sequence[str], name: str) -> None:
    entry = field.message_type
    assert entry is not None
    value_field = entry.fields_by_name["value"]
    if value_field.message_type is not None or len(values) > 1:
        raise InvalidArgument(f"{name}: give it in a body, or leave it out")
    target = getattr(owner, field.name)
    target[_scalar(entry.fields_by_name["key"], key, name)] = _scalar(value_field, values[0], name)


def _scalar(field: FieldDescriptor, text: str, name: str) -> Any:
    value: Any = text
    if field.cpp_type == FieldDescriptor.CPPTYPE_BOOL:
        if text in _TRUE or text in _FALSE:
            value = text in _TRUE
    elif field.enum_type is not None and text not in enum_names(field.enum_type):
        value = int(text) if _NUMBER.fullmatch(text) else text
    return scalar(field, value, name)


def _well_known(target: Message, text: str, name: str) -> None:
    """A time, a span and their like; other messages are given field by field."""
    kind = target.DESCRIPTOR.full_name
    if not kind.startswith("google.protobuf."):
        raise InvalidArgument(f"{name}: give the fields of this {kind} one by one, as {name}.field=value")
    try:
        json_format.ParseDict(_wrapped(target, text), target)
    except (json_format.ParseError, ValueError, TypeError):
        raise InvalidArgument(f"{name}: expected a {kind}, not {text[:80]!r}") from None


def _wrapped(target: Message, text: str) -> Any:
    """What a wrapper of a boolean takes; the others take their text."""
    if target.DESCRIPTOR.full_name == "google.protobuf.BoolValue" and text in _TRUE | _FALSE:
        return text in _TRUE
    return text
