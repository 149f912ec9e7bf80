"""Plain data as JSON and back, by the types of its fields.

Fields that hold their default are left out; fields that are not known are passed over, so that an older client and a
newer ledger understand each other. One of several dataclasses carries its name in lower case as `type`.
"""

from __future__ import annotations

import base64
import binascii
import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from outlive.ledger.errors import BadRequest

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any, str], Any]


def dump(value: Any) -> Any:
    """`value` as what `json.dumps` takes."""
    if is_dataclass(value) and not isinstance(value, type):
        return _dump_fields(value)
    if isinstance(value, (list, tuple)):
        return [dump(item) for item in value]
    if isinstance(value, Mapping):
        return {key: dump(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value


def dump_one_of(value: Any) -> Any:
    """One of several dataclasses, with its name."""
    return {"type": type(value).__name__.lower(), **_dump_fields(value)}


def is_tagged(kind: Any) -> bool:
    """Whether a value of this type carries its name: one of several dataclasses."""
    kinds = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else ()
    return len(kinds) > 1 and all(is_dataclass(kind) for kind in kinds)


def _dump_fields(value: Any) -> dict[str, Any]:
    result = {}
    names, defaults, read = _defaults(value.__class__)
    for name, default, item in zip(names, defaults, read(value), strict=True):
        if item is default or (default is not MISSING and item == default):
            continue
        result[name] = item if isinstance(item, (str, int, float)) or item is None else dump(item)
    return result


@cache
def _defaults(kind: Any) -> tuple[tuple[str, ...], tuple[Any, ...], Callable[[Any], tuple[Any, ...]]]:
    """Names and defaults of the fields, and what reads them all at once."""
    defaults = []
    for field in fields(kind):
        default = field.default
        if default is MISSING and field.default_factory is not MISSING:
            default = field.default_factory()
        defaults.append(default)
    names = tuple(field.name for field in fields(kind))
    read = attrgetter(*names) if len(names) > 1 else lambda value: (getattr(value, names[0]),)
    return names, tuple(defaults), read


def changed(value: Any, **values: Any) -> Any:
    """`dataclasses.replace`, for dataclasses of many fields of which many change: in a third of the time."""
    names, _, read = _defaults(value.__class__)
    return value.__class__(**{**dict(zip(names, read(value), strict=True)), **values})


to_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":")).encode
"""Plain data as compact JSON text."""


def load(kind: Any, data: Any, at: str = "the body") -> Any:
    """`data`, parsed from JSON, as a `kind`. Raises BadRequest with the place that is wrong."""
    return _decoder(kind)(data, at)


@cache
def _decoder(kind: Any) -> Decoder:
    origin = get_origin(kind)
    if kind is Any:
        return lambda data, at: data
    if is_dataclass(kind):
        return _dataclass(kind)
    if kind is str:
        return _text
    if kind is int:
        return _whole
    if kind in (float, bool):
        return _plain(kind)
    if kind is bytes:
        return _bytes
    if origin is Literal:
        return _literal(get_args(kind))
    if origin in (Union, types.UnionType):
        return _union(get_args(kind))
    if origin is tuple or origin is list:
        return _sequence(_decoder(get_args(kind)[0]), origin)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(_decoder(get_args(kind)[1]))
    raise TypeError(f"{kind} does not travel")


def _text(data: Any, at: str) -> str:
    """Text that every database takes: NUL and half characters become the replacement sign."""
    if type(data) is not str:
        raise BadRequest(f"{at} must be text, and is {_shown(data)}.")
    if data.isascii():
        return data.replace("\0", "\ufffd") if "\0" in data else data
    return data.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\0", "\ufffd")


def _whole(data: Any, at: str) -> int:
    if type(data) is not int:
        raise BadRequest(f"{at} must be a whole number, and is {_shown(data)}.")
    if not -_WHOLE_MAX <= data <= _WHOLE_MAX:
        raise BadRequest(f"{at} is out of range: {_shown(data)}.")
    return data


def _plain(kind: type) -> Decoder:
    def decode(data: Any, at: str) -> Any:
        if type(data) is kind:
            return data
        if kind is float and type(data) is int and abs(data) <= _WHOLE_MAX:
            return float(data)
        raise BadRequest(f"{at} must be {_WORDS[kind]}, and is {_shown(data)}.")

    return decode


_WORDS: dict[Any, str] = {float: "a number", bool: "true or false"}
_WHOLE_MAX = 1 << 60  # what databases hold, with room to add


def _shown(data: Any) -> str:
    text = repr(data)
    return text if len(text) <= 40 else text[:37] + "..."


def _bytes(data: Any, at: str) -> bytes:
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, ValueError, binascii.Error):
        raise BadRequest(f"{at} must be base64.") from None


def _literal(values: tuple[Any, ...]) -> Decoder:
    def decode(data: Any, at: str) -> Any:
        if isinstance(data, str) and data in values:
            return data
        raise BadRequest(f"{at} must be one of {', '.join(map(repr, values))}, and is {_shown(data)}.")

    return decode


def _union(kinds: tuple[Any, ...]) -> Decoder:
    if len(kinds) > 1 and all(is_dataclass(kind) for kind in kinds):
        by_name = {kind.__name__.lower(): _decoder(kind) for kind in kinds}

        def tagged(data: Any, at: str) -> Any:
            decode = by_name.get(data.get("type", "")) if isinstance(data, dict) else None
            if decode is None:
                raise BadRequest(f"{at} must have a type of {', '.join(by_name)}.")
            return decode(data, at)

        return tagged
    decoders = [_decoder(kind) for kind in kinds if kind is not type(None)]
    optional = type(None) in kinds

    def first(data: Any, at: str) -> Any:
        if data is None and optional:
            return None
        for decode in decoders[:-1]:
            try:
                return decode(data, at)
            except BadRequest:
                continue
        return decoders[-1](data, at)

    return first


def _sequence(item: Decoder, kind: type) -> Decoder:
    def decode(data: Any, at: str) -> Any:
        if not isinstance(data, list):
            raise BadRequest(f"{at} must be a list.")
        return kind(item(value, f"{at}[{place}]") for place, value in enumerate(data))

    return decode


def _mapping(item: Decoder) -> Decoder:
    def decode(data: Any, at: str) -> Any:
        if not isinstance(data, dict):
            raise BadRequest(f"{at} must be an object.")
        return {key: item(value, f"{at}.{key}") for key, value in data.items()}

    return decode


def _dataclass(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in fields(kind)}
    required = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}

    def decode(data: Any, at: str) -> Any:
        if not isinstance(data, dict):
            raise BadRequest(f"{at} must be an object.")
        missing = required - data.keys()
        if missing:
            raise BadRequest(f"{at} lacks {', '.join(sorted(missing))}.")
        values = {}
        for name, value in data.items():
            decoder = decoders.get(name)
            if decoder is not None:
                values[name] = decoder(value, f"{at}.{name}")
        return kind(**values)

    return decode
