"""Anthropic's Messages."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from outlive.testing.providers.asks import Answer, Ask, Json, Problem, Tool, Turn, Usage
from outlive.testing.providers.making import pieces
from outlive.testing.providers.protocol import Frame, event, needed, text_of
from outlive.testing.providers.windows import Standings

_STOP = {"stop": "end_turn", "length": "max_tokens", "tool": "tool_use", "refusal": "refusal"}
_ERRORS = {
    "bad_request": "invalid_request_error",
    "context_too_long": "invalid_request_error",
    "policy": "invalid_request_error",
    "auth": "authentication_error",
    "not_found": "not_found_error",
    "rate_limit": "rate_limit_error",
    "no_credit": "billing_error",
    "server": "api_error",
    "overloaded": "overloaded_error",
}


class Messages:
    """`POST /v1/messages`."""

    def read(self, body: Mapping[str, Json]) -> Ask:
        model, messages = needed(body, "model", str), needed(body, "messages", list)
        most = needed(body, "max_tokens", int)
        choice = body.get("tool_choice") or {}
        must = {"any": "*", "tool": choice.get("name", "*")}.get(choice.get("type", ""), "")
        turns = [Turn("system", text_of(body["system"]))] if body.get("system") else []
        form = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
        for message in messages:
            turns += _turns(message)
        tools = [tool for tool in body.get("tools") or () if "input_schema" in tool]
        return Ask(
            "messages",
            model,
            tuple(turns),
            tuple(Tool(tool["name"], tool["input_schema"]) for tool in tools),
            must,
            form.get("schema") if form.get("type") == "json_schema" else None,
            most,
            bool(body.get("stream")),
            body=body,
        )

    def whole(self, ask: Ask, answer: Answer, ident: str, now: float) -> Json:
        return _message(ask, ident, _blocks(answer, ident), _STOP[answer.stop], answer.usage)

    def frames(self, ask: Ask, answer: Answer, ident: str, now: float) -> Iterator[Frame]:
        def named(kind: str, spoken: bool = False, **fields: Json) -> Frame:
            return event({"type": kind, **fields}, kind, spoken=spoken)

        used = answer.usage
        begun = Usage(used.input, 1, used.cached)
        yield named("message_start", message=_message(ask, ident, [], None, begun))
        yield named("ping")
        for index, block in enumerate(_blocks(answer, ident)):
            if block["type"] == "text":
                text, empty, kind, name = block["text"], block | {"text": ""}, "text_delta", "text"
            else:
                text, empty, kind, name = (
                    json.dumps(block["input"]),
                    block | {"input": {}},
                    "input_json_delta",
                    "partial_json",
                )
            yield named("content_block_start", index=index, content_block=empty)
            for piece in pieces(text):
                yield named("content_block_delta", spoken=True, index=index, delta={"type": kind, name: piece})
            yield named("content_block_stop", index=index)
        delta = {"stop_reason": _STOP[answer.stop], "stop_sequence": None}
        yield named("message_delta", delta=delta, usage={"output_tokens": used.output})
        yield named("message_stop")

    def error(self, problem: Problem, request_id: str) -> Json:
        message = problem.message
        if problem.kind == "context_too_long":
            message = f"prompt is too long: {message} maximum"
        if problem.kind == "policy":
            message = message or "Output blocked by content filtering policy"
        return {
            "type": "error",
            "error": {"type": _ERRORS[problem.kind], "message": message},
            "request_id": request_id,
        }

    def headers(self, request_id: str, standings: Standings, scale: float, now: float) -> dict[str, str]:
        headers = {"request-id": request_id, "anthropic-organization-id": "00000000-0000-4000-8000-000000000000"}
        for name, standing in (("requests", standings.requests), ("tokens", standings.tokens)):
            if standing is not None:
                reset = datetime.fromtimestamp(now + standing.reset / scale, UTC)
                headers |= {
                    f"anthropic-ratelimit-{name}-limit": str(standing.limit),
                    f"anthropic-ratelimit-{name}-remaining": str(standing.remaining),
                    f"anthropic-ratelimit-{name}-reset": reset.isoformat(timespec="milliseconds").replace(
                        "+00:00", "Z"
                    ),
                }
        return headers


def _message(ask: Ask, ident: str, blocks: list[dict[str, Json]], stop: str | None, used: Usage) -> Json:
    return {
        "id": f"msg_{ident}",
        "type": "message",
        "role": "assistant",
        "model": ask.model,
        "content": blocks,
        "stop_reason": stop,
        "stop_sequence": None,
        "usage": {
            "input_tokens": used.input - used.cached,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": used.cached,
            "output_tokens": used.output,
            "service_tier": "standard",
        },
    }


def _blocks(answer: Answer, ident: str) -> list[dict[str, Json]]:
    blocks: list[dict[str, Json]] = [{"type": "text", "text": answer.text}] if answer.text else []
    for number, call in enumerate(answer.calls):
        blocks.append(
            {"type": "tool_use", "id": call.id or f"toolu_{ident}{number}", "name": call.name, "input": call.arguments}
        )
    return blocks


def _turns(message: Mapping[str, Json]) -> list[Turn]:
    """A message as turns: results of tools are parts of a person's message here."""
    role, content = str(message.get("role", "user")), message.get("content")
    if not isinstance(content, list):
        return [Turn(role, text_of(content))]
    results = [part for part in content if isinstance(part, dict) and part.get("type") == "tool_result"]
    others = [part for part in content if part not in results]
    turns = [Turn(role, text_of(others))] if others else []
    return turns + [Turn("tool", text_of(part.get("content"))) for part in results]
