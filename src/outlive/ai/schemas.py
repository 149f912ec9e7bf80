"""Types as JSON schemas, and answers as types: with pydantic, which is loaded when a type is first used."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@lru_cache(maxsize=256)
def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON schema of a type; what is no object is wrapped in one."""
    schema = _adapter(kind).json_schema()
    if schema.get("type") == "object" or "properties" in schema or "$ref" in schema:
        return schema
    definitions = schema.pop("$defs", None)
    wrapped: dict[str, Any] = {"type": "object", "properties": {"value": schema}, "required": ["value"]}
    return {**wrapped, "$defs": definitions} if definitions else wrapped


def read_as(kind: Any, given: Any) -> Any:
    """An answer (JSON, or as text) as the type. Raises ValueError with what is wrong."""
    value = json.loads(given) if isinstance(given, str) else given
    schema = _adapter(kind).json_schema()
    wrapped = not (schema.get("type") == "object" or "properties" in schema or "$ref" in schema)
    if wrapped and isinstance(value, dict) and set(value) == {"value"}:
        value = value["value"]
    return _adapter(kind).validate_python(value)
