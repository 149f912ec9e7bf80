"""What a person types as an input: JSON, one argument a line or one document; as the payloads that SDKs read."""

from __future__ import annotations

import json

from temporalio.api.common.v1 import Payload

from outlive.web.forms import FieldProblems

EXPECTED = 'JSON, such as "text", 42 or {"key": "value"}; several arguments are one JSON value a line'


def parse(text: str, field: str) -> list[Payload]:
    """The arguments: one JSON document, or one JSON value a line. Raises FieldProblems with where it is wrong."""
    text = text.strip()
    if not text:
        return []
    try:
        return [_payload(json.loads(text))]
    except ValueError as error:
        lines = [line for line in text.splitlines() if line.strip()]
        try:
            return [_payload(json.loads(line)) for line in lines] if len(lines) > 1 else _refuse(field, error)
        except ValueError:
            return _refuse(field, error)


def _refuse(field: str, error: ValueError) -> list[Payload]:
    where = f" (line {error.lineno}, column {error.colno})" if isinstance(error, json.JSONDecodeError) else ""
    raise FieldProblems({field: f"Not JSON{where}. Expected: {EXPECTED}."}) from None


def _payload(value: object) -> Payload:
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=data)
