"""Which activities are model calls, of whichever toolkit, and what can be read off their arguments and results.

Known are our own, `temporalio-openai-agents` and Pydantic AI's Temporal integration. All are read by the names of
their fields, so that none of them needs to be installed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outlive.ledger.client import Tokens

OWN = "outlive_ai_request"
_OPENAI_AGENTS = frozenset({"invoke_model_activity", "invoke_model_activity_streaming"})
_PYDANTIC_AI = re.compile(r"agent__.+__model_request(_stream)?")
_SUMMARY = re.compile(r"request model: (\S+)")
_MODEL = "default"


@dataclass(frozen=True, slots=True)
class Asked:
    """What a model call asks: the provider's and the model's names, and the most tokens that it may say."""

    provider: str
    model: str
    max_output: int | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What a result says about its call."""

    usage: Tokens | None = None
    model: str = ""
    request_id: str = ""
    text: str = ""


def is_model_call(activity: str) -> bool:
    """Whether an activity of that name calls a model."""
    return activity == OWN or activity in _OPENAI_AGENTS or _PYDANTIC_AI.fullmatch(activity) is not None


def asked(activity: str, args: Sequence[Any], summary: str | None) -> Asked:
    """What the arguments of a model call say."""
    first = args[0] if args else None
    settings = field(first, "model_settings") or field(first, "settings")
    most = field(settings, "max_tokens")
    if activity == OWN:
        name = str(field(first, "model"))
    elif activity in _OPENAI_AGENTS:
        name = str(field(first, "model_name") or _MODEL)
        if ":" not in name and "/" not in name:
            name = f"openai:{name}"
    else:
        found = _SUMMARY.match(summary or "")
        name = str(field(first, "model_id") or (found.group(1) if found else _MODEL))
    provider, _, model = name.partition(":") if ":" in name else ("", "", name)
    return Asked(provider.removesuffix("-chat").removesuffix("-responses"), model, most)


def answered(result: Any) -> Answered:
    """What a model call's result says. Usage is None where it says nothing of it."""
    if isinstance(result, list):  # a streamed call of OpenAI's Agents SDK: the events
        finals = [field(event, "response") for event in result if field(event, "response") is not None]
        return answered(finals[-1]) if finals else Answered()
    if field(result, "raw") is not None:  # our own
        return answered(field(result, "raw"))
    usage = field(result, "usage")
    request_id = field(result, "request_id") or field(result, "provider_response_id") or field(result, "response_id")
    return Answered(
        None if usage is None else _tokens(usage),
        str(field(result, "model_name") or field(result, "model") or ""),
        str(request_id or field(result, "id") or ""),
        _text(result),
    )


def _tokens(usage: Any) -> Tokens:
    details_in, details_out = field(usage, "input_tokens_details"), field(usage, "output_tokens_details")
    more = field(usage, "details")
    return Tokens(
        input=_number(usage, "input_tokens"),
        output=_number(usage, "output_tokens"),
        cached=_number(usage, "cache_read_tokens") or _number(details_in, "cached_tokens"),
        cache_write=_number(usage, "cache_write_tokens"),
        reasoning=_number(more, "reasoning_tokens") or _number(details_out, "reasoning_tokens"),
    )


def _text(result: Any) -> str:
    parts = field(result, "parts") or field(result, "output") or ()
    texts = []
    for part in parts if isinstance(parts, Sequence) and not isinstance(parts, str) else ():
        content = field(part, "content")
        pieces = content if isinstance(content, list) else [content]
        texts += [piece if isinstance(piece, str) else str(field(piece, "text") or "") for piece in pieces]
        if field(part, "args") or field(part, "arguments"):
            texts.append(str(field(part, "args") or field(part, "arguments")))
    return "\n".join(text for text in texts if text)


def _number(value: Any, name: str) -> int:
    found = field(value, name)
    return found if isinstance(found, int) else 0


def field(value: Any, name: str) -> Any:
    """A field of an object or a mapping; None if it has none of that name."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
