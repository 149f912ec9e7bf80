"""What a protocol does: reads requests, and says answers, streams and errors in its own words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from outlive.testing.providers.asks import Answer, Ask, Json, Problem
from outlive.testing.providers.windows import Standings


@dataclass(frozen=True, slots=True)
class Frame:
    """A piece of a stream as it is sent. `spoken` frames carry what the model says."""

    data: bytes
    spoken: bool = False


class WireProtocol(Protocol):
    """One provider's way of speaking."""

    def read(self, body: Mapping[str, Json]) -> Ask:
        """Raises Problem."""
        ...

    def whole(self, ask: Ask, answer: Answer, ident: str, now: float) -> Json: ...

    def frames(self, ask: Ask, answer: Answer, ident: str, now: float) -> Iterator[Frame]: ...

    def error(self, problem: Problem, request_id: str) -> Json: ...

    def headers(self, request_id: str, standings: Standings, scale: float, now: float) -> dict[str, str]:
        """Headers of every answer. `scale`: seconds of the provider's clock in one of the client's."""
        ...


def event(data: Json, name: str = "", *, spoken: bool = False) -> Frame:
    """A server-sent event."""
    head = f"event: {name}\n" if name else ""
    return Frame(f"{head}data: {json.dumps(data)}\n\n".encode(), spoken)


def text_of(content: Any, kinds: Sequence[str] = ("text", "input_text", "output_text", "refusal")) -> str:
    """The text of a message's content, which is a string or a list of parts."""
    if isinstance(content, str):
        return content
    if not isinstance(content, list):
        return "" if content is None else json.dumps(content)
    texts = []
    for part in content:
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, dict):
            texts.append(next((str(part[kind]) for kind in ("text", "refusal") if kind in part), json.dumps(part)))
    return "\n".join(texts)


def needed(body: Mapping[str, Json], name: str, kind: type[Any] | tuple[type[Any], ...]) -> Any:
    """A field that must be there. Raises Problem."""
    value = body.get(name)
    if not isinstance(value, kind):
        raise Problem("bad_request", f"Missing or wrong parameter: '{name}'.")
    return value
