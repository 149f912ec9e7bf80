"""What people type, as the protocol's values: payloads, spans, moments, NAME=VALUE pairs."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Memo, Payload, Payloads, SearchAttributes

_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}


class Span(click.ParamType[Duration]):
    """A span of time such as 90s, 1h30m or 7d, as Duration."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Duration:
        if isinstance(value, Duration):
            return value
        parts = _SPAN.findall(value)
        if not parts or "".join(number + unit for number, unit in parts) != value:
            self.fail(f"{value!r} is no span of time: write 90s, 1h30m or 7d", param, ctx)
        result = Duration()
        result.FromNanoseconds(round(sum(float(number) * _SECONDS[unit] for number, unit in parts) * 1e9))
        return result


class Moment(click.ParamType[Timestamp]):
    """A moment in ISO 8601, as Timestamp; without a zone it is UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Timestamp:
        if isinstance(value, Timestamp):
            return value
        try:
            when = datetime.fromisoformat(value.replace("Z", "+00:00"))
        except ValueError:
            self.fail(f"{value!r} is no time: write 2026-11-23T09:00:00Z", param, ctx)
        result = Timestamp()
        result.FromDatetime((when if when.tzinfo else when.replace(tzinfo=UTC)).astimezone(UTC))
        return result


SPAN, MOMENT = Span(), Moment()


def json_payload(text: str) -> Payload:
    """The text, which must be JSON, as a payload. Raises click.BadParameter."""
    try:
        json.loads(text)
    except ValueError:
        hint = f"'\"{text}\"'" if '"' not in text else "valid JSON"
        raise click.BadParameter(f"{text!r} is not JSON: for a text write {hint}") from None
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


def payloads(texts: Sequence[str], files: Sequence[Path]) -> Payloads | None:
    """Inputs as they were given, those of files last; None for none."""
    everything = [*texts, *(file.read_text() for file in files)]
    return Payloads(payloads=[json_payload(text) for text in everything]) if everything else None


def pairs(values: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE texts by name. Raises click.BadParameter."""
    result = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not name or not equals:
            raise click.BadParameter(f"{value!r} is not NAME=JSON")
        result[name] = rest
    return result


def memo(values: Sequence[str]) -> Memo | None:
    """NAME=JSON texts as a memo."""
    fields = {name: json_payload(text) for name, text in pairs(values).items()}
    return Memo(fields=fields) if fields else None


def search_attributes(values: Sequence[str]) -> SearchAttributes | None:
    """NAME=JSON texts as search attributes."""
    fields = {name: json_payload(text) for name, text in pairs(values).items()}
    return SearchAttributes(indexed_fields=fields) if fields else None


def shown(payload: Payload) -> Any:
    """A payload as JSON has it: its value, or what it is where it cannot be read here."""
    encoding = payload.metadata.get("encoding", b"").decode(errors="replace")
    if encoding == "binary/null":
        return None
    if encoding.startswith("json/"):
        try:
            return json.loads(payload.data)
        except ValueError:
            return {"encoding": encoding, "text": payload.data.decode(errors="replace")}
    return {"encoding": encoding, "bytes": len(payload.data)}


def shown_all(values: Payloads) -> Any:
    """One value alone, several as a list, nothing as None."""
    found = [shown(payload) for payload in values.payloads]
    return found[0] if len(found) == 1 else found or None
