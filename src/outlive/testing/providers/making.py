"""Answers made up: text of the wanted length, JSON that fits a schema, vectors that are near where words are shared."""

from __future__ import annotations

import json
import math
import re
from hashlib import blake2b
from typing import Any

from outlive.testing.providers.asks import Answer, Ask, Json, Problem, Tool, ToolUse, Usage
from outlive.testing.providers.script import Behaviour

_WORDS = ("the", "model", "says", "that", "this", "is", "so", "and", "gives", "an", "answer", "of", "some", "length")
_DEFAULT_WORDS = 12
_DEPTH_MAX = 12
_WORD = re.compile(r"\w+")


def count(text: str) -> int:
    """Tokens of a text: one for every four characters, about what tokenizers make of English."""
    return (len(text) + 3) // 4


def input_tokens(ask: Ask) -> int:
    """What the request takes: every message with its frame, and the tools."""
    tools = sum(count(tool.name + json.dumps(tool.schema)) for tool in ask.tools)
    return sum(count(turn.text) + 4 for turn in ask.turns) + tools + sum(count(text) for text in ask.inputs)


def answer(ask: Ask, behaviour: Behaviour, context: int) -> Answer:
    """What the model says. Raises Problem if the conversation is longer than the model's context."""
    taken = input_tokens(ask)
    if taken > context:
        raise Problem("context_too_long", f"{taken} > {context}")
    if ask.api == "embeddings":
        return Answer(usage=Usage(taken))
    made = _made(ask, behaviour)
    output = count(made.text) + sum(count(call.name + json.dumps(call.arguments)) for call in made.calls) or 1
    stop = made.stop
    text = made.text
    if ask.max_tokens is not None and output > ask.max_tokens:
        output, stop, text = ask.max_tokens, "length", text[: ask.max_tokens * 4]
    usage = Usage(
        taken if behaviour.input_tokens is None else behaviour.input_tokens,
        (output if behaviour.output_tokens is None else behaviour.output_tokens) + behaviour.reasoning_tokens,
        behaviour.cached_tokens,
        behaviour.reasoning_tokens,
    )
    return Answer(text, made.calls, usage, stop)


def _made(ask: Ask, behaviour: Behaviour) -> Answer:
    if behaviour.refuse:
        return Answer(behaviour.refuse, stop="refusal")
    if behaviour.calls:
        return Answer(behaviour.text or "", behaviour.calls, stop="tool")
    if ask.must_call and behaviour.text is None:
        tool = _tool(ask)
        arguments = behaviour.json if behaviour.json is not None else fit(tool.schema, ask.prompt)
        return Answer(calls=(ToolUse(tool.name, arguments),), stop="tool")
    if behaviour.text is not None:
        return Answer(behaviour.text)
    if behaviour.json is not None or ask.schema is not None:
        value = behaviour.json if behaviour.json is not None else fit(ask.schema, ask.prompt)
        return Answer(json.dumps(value))
    return Answer(prose(behaviour.words or _DEFAULT_WORDS, ask.prompt))


def _tool(ask: Ask) -> Tool:
    """The tool that must be called; of several the one that ends a run, as agents name it."""
    named = [tool for tool in ask.tools if ask.must_call in ("*", tool.name)]
    if not named:
        raise Problem("bad_request", f"the tool {ask.must_call} is not among the tools.")
    return next((tool for tool in named if tool.name.startswith("final_result")), named[0])


def prose(words: int, about: str = "") -> str:
    """A text of so many words, the same for the same prompt."""
    start = blake2b(about.encode(), digest_size=2).digest()[0]
    text = " ".join(_WORDS[(start + number) % len(_WORDS)] for number in range(words))
    return text.capitalize() + "."


def fit(schema: Any, about: str = "") -> Json:
    """A value that a JSON schema accepts."""
    return _fit(schema, schema if isinstance(schema, dict) else {}, about, 0)


def _fit(schema: Any, root: dict[str, Any], about: str, depth: int) -> Json:
    if not isinstance(schema, dict) or depth > _DEPTH_MAX:
        return None
    if "$ref" in schema:
        return _fit(_referred(schema["$ref"], root), root, about, depth + 1)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return schema["enum"][0]
    for choice in ("anyOf", "oneOf", "allOf"):
        if schema.get(choice):
            return _fit(schema[choice][0], root, about, depth + 1)
    kind = schema.get("type", "object" if "properties" in schema else "string")
    if isinstance(kind, list):
        kind = kind[0]
    if kind == "object":
        properties = schema.get("properties", {})
        wanted = schema.get("required", list(properties))
        return {name: _fit(properties.get(name, {}), root, about, depth + 1) for name in wanted}
    if kind == "array":
        least = max(schema.get("minItems", 1), 0)
        return [_fit(schema.get("items", {}), root, about, depth + 1) for _ in range(least)]
    return _scalar(kind, schema, about)


def _scalar(kind: str, schema: dict[str, Any], about: str) -> Json:
    if kind == "boolean":
        return True
    if kind in ("integer", "number"):
        least = schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1 if "exclusiveMinimum" in schema else 1)
        return min(least, schema.get("maximum", least))
    if kind == "null":
        return None
    formats = {
        "date": "2026-01-01",
        "date-time": "2026-01-01T00:00:00Z",
        "uuid": "00000000-0000-4000-8000-000000000000",
        "email": "a@example.org",
        "uri": "https://example.org/",
    }
    text = formats.get(schema.get("format", "")) or prose(4, about)
    return text.ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", len(text) + 4096)]


def _referred(reference: str, root: dict[str, Any]) -> Any:
    found: Any = root
    for part in reference.removeprefix("#/").split("/"):
        found = found.get(part, {}) if isinstance(found, dict) else {}
    return found


def vector(text: str, dimensions: int) -> list[float]:
    """A unit vector of the text's words: texts that share words are near each other."""
    values = [0.0] * dimensions
    for word in _WORD.findall(text.lower()) or [""]:
        hashed = int.from_bytes(blake2b(word.encode(), digest_size=8).digest(), "big")
        values[(hashed >> 1) % dimensions] += 1.0 if hashed & 1 else -1.0
    length = math.sqrt(sum(value * value for value in values))
    return [value / length for value in values] if length else [1.0, *values[1:]]


def pieces(text: str) -> list[str]:
    """A text as a stream brings it: about a token at a time."""
    return re.findall(r"\s*\S+\s*$|\s*\S{1,6}", text) if text else []
