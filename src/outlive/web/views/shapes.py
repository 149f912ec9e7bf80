"""What a JSON value is to a person: a conversation, a table, an image, a text in Markdown, or a tree.

Nothing here makes markup: it says what there is, in bounded pieces, and templates draw it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from outlive.web import bounds

_MARKDOWN: Final = re.compile(
    r"^(#{1,6} |[-*] |\d+\. |> |```|\|.*\|)|\*\*[^*\n]+\*\*|\[[^\]\n]+\]\(https?://", re.MULTILINE
)
_IMAGE_STARTS: Final = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "ai": "assistant",
    "model": "assistant",
    "tool": "tool",
    "function": "tool",
}
_DATA_URL: Final = re.compile(r"^data:image/[a-z]+;base64,")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool that a model asked for, with what came back where the conversation has it."""

    id: str
    name: str
    arguments: str
    result: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message. ``thinking`` is folded away by the page."""

    role: str
    text: str = ""
    thinking: str = ""
    calls: list[ToolCall] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Node:
    """One line of a JSON tree. ``kind`` is object, array, string, number, word or more; ``size`` of what it holds."""

    key: str
    kind: str
    text: str = ""
    size: int = 0
    children: list[Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Shape:
    """A value as it is best seen. The one field that ``kind`` names is filled."""

    kind: Literal["chat", "table", "image", "markdown", "tree"]
    chat: list[Message] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    more: int = 0
    markdown: str = ""
    tree: Node | None = None


def of_value(value: Any) -> Shape | None:
    """The value's shape; None where its JSON text shows it best."""
    if isinstance(value, str):
        if image_bytes(value) is not None:
            return Shape("image")
        plain = len(value) <= bounds.MARKDOWN_CHARS and "\n" in value and _MARKDOWN.search(value)
        return Shape("markdown", markdown=value) if plain else None
    if image_bytes(value) is not None:
        return Shape("image")
    messages = conversation(value)
    if messages:
        return Shape("chat", chat=messages)
    return _table(value) or _tree_shape(value)


# -- images


def image_type(data: bytes) -> str | None:
    """The media type of an image that browsers draw and cannot be made to run; None for anything else."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for start, kind in _IMAGE_STARTS.items() if data.startswith(start)), None)


def image_bytes(value: Any) -> bytes | None:
    """The image that a value holds: a data URL, or an object with a media type and Base64."""
    text: Any = None
    if isinstance(value, str) and _DATA_URL.match(value):
        text = value.partition(",")[2]
    elif isinstance(value, Mapping):
        named = str(value.get("media_type") or value.get("mime_type") or value.get("mimeType") or "")
        text = value.get("data") or value.get("base64") if named.startswith("image/") else None
    if not isinstance(text, str):
        return None
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if image_type(data) else None


# -- conversations: OpenAI's, Anthropic's, Gemini's and Pydantic AI's forms, as one


def conversation(value: Any) -> list[Message] | None:
    """The messages of a conversation, results joined to the calls that asked for them; None where it is none."""
    if isinstance(value, Mapping):
        inner = value.get("messages") or value.get("contents")
        return conversation(inner) if isinstance(inner, list) else None
    if not isinstance(value, list) or not value or not all(isinstance(one, Mapping) for one in value):
        return None
    if not all(_role(one) for one in value):
        return None
    found: list[Message] = []
    results: dict[str, str] = {}
    for one in value[: bounds.CHAT_MESSAGES]:
        for message in _messages(one, results):
            found.append(message)
    return [_joined(message, results) for message in found if message.role != "result"]


def _role(one: Mapping[str, Any]) -> str:
    role = one.get("role")
    if isinstance(role, str) and ("content" in one or "parts" in one or "tool_calls" in one):
        return _ROLES.get(role, role)
    if one.get("kind") in ("request", "response") and isinstance(one.get("parts"), list):
        return "assistant" if one["kind"] == "response" else "user"
    return ""


def _messages(one: Mapping[str, Any], results: dict[str, str]) -> list[Message]:
    role = _role(one)
    if role == "tool" and isinstance(one.get("tool_call_id"), str):
        results[one["tool_call_id"]] = _words(one.get("content"))
        return [Message("result", _words(one.get("content")))]
    parts = one.get("content") if "content" in one else one.get("parts")
    calls = [_openai_call(call) for call in one.get("tool_calls") or () if isinstance(call, Mapping)]
    if not isinstance(parts, list):
        thinking = _words(one.get("reasoning_content") or one.get("thinking") or "")
        return [Message(role, _words(parts), thinking, calls)]
    return _of_parts(role, parts, calls, results)


def _of_parts(role: str, parts: Sequence[Any], calls: list[ToolCall], results: dict[str, str]) -> list[Message]:
    found: list[Message] = []
    texts: list[str] = []
    thoughts: list[str] = []
    for part in parts:
        if not isinstance(part, Mapping):
            texts.append(_words(part))
            continue
        kind = str(part.get("part_kind") or part.get("type") or "")
        if kind in ("thinking", "reasoning"):
            thoughts.append(_words(part.get("thinking") or part.get("content") or part.get("text")))
        elif kind in ("tool_use", "tool-call", "function_call") or "functionCall" in part:
            calls.append(_part_call(part))
        elif kind in ("tool_result", "tool-return", "retry-prompt", "function_call_output"):
            key = str(part.get("tool_use_id") or part.get("tool_call_id") or part.get("call_id") or "")
            results[key] = _words(part.get("content") or part.get("output"))
        elif kind == "system-prompt":
            found.append(Message("system", _words(part.get("content"))))
        else:
            texts.append(_words(part.get("text") or part.get("content") or part))
    if texts or thoughts or calls:
        found.append(Message(role, "\n\n".join(texts), "\n\n".join(thoughts), calls))
    return found


def _openai_call(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function")
    named = function if isinstance(function, Mapping) else call
    return ToolCall(str(call.get("id") or ""), str(named.get("name") or ""), _words(named.get("arguments")))


def _part_call(part: Mapping[str, Any]) -> ToolCall:
    inner = part.get("functionCall")
    call = inner if isinstance(inner, Mapping) else part
    key = str(call.get("id") or call.get("tool_call_id") or call.get("call_id") or "")
    arguments = call.get("input") if "input" in call else call.get("args", call.get("arguments"))
    return ToolCall(key, str(call.get("name") or call.get("tool_name") or ""), _words(arguments))


def _joined(message: Message, results: Mapping[str, str]) -> Message:
    calls = [ToolCall(c.id, c.name, c.arguments, results.get(c.id, "")) for c in message.calls]
    return Message(message.role, message.text, message.thinking, calls)


def _words(value: Any) -> str:
    """A part's text, cut; what is no text as its JSON."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1, default=str)
    return text if len(text) <= bounds.CHAT_CHARS else text[: bounds.CHAT_CHARS] + "…"


# -- tables and trees


def _table(value: Any) -> Shape | None:
    """Two or more objects with the same few plain fields."""
    if not isinstance(value, list) or len(value) < 2 or not all(isinstance(one, Mapping) for one in value):
        return None
    head = list(dict.fromkeys(str(key) for one in value[: bounds.TABLE_ROWS] for key in one))
    if not 1 < len(head) <= bounds.TABLE_COLUMNS:
        return None
    rows = []
    for one in value[: bounds.TABLE_ROWS]:
        if len(one) * 2 < len(head) or not all(isinstance(cell, str | int | float | None) for cell in one.values()):
            return None
        rows.append([_cell(one.get(key)) for key in head])
    return Shape("table", head=head, rows=rows, more=len(value) - len(rows))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= bounds.PREVIEW_LINE else text[: bounds.PREVIEW_LINE] + "…"


def _tree_shape(value: Any) -> Shape | None:
    """A tree to open and close, for what would be a long text."""
    if not isinstance(value, dict | list) or len(json.dumps(value, indent=2).splitlines()) <= bounds.TREE_LINES:
        return None
    left = [bounds.TREE_NODES]
    return Shape("tree", tree=_node("", value, left, 0))


def _node(key: str, value: Any, left: list[int], depth: int) -> Node:
    left[0] -= 1
    if isinstance(value, dict | list) and depth < bounds.TREE_DEPTH:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        children: list[Node] = []
        for name, one in entries:
            if left[0] <= 0:
                children.append(Node("", "more", size=len(value) - len(children)))
                break
            children.append(_node(str(name), one, left, depth + 1))
        return Node(key, "object" if isinstance(value, dict) else "array", size=len(value), children=children)
    text = json.dumps(value, ensure_ascii=False)
    kind = "string" if isinstance(value, str) else "word" if isinstance(value, bool | None) else "number"
    return Node(key, kind, text if len(text) <= bounds.PREVIEW_EVENT else text[: bounds.PREVIEW_EVENT] + "…")
