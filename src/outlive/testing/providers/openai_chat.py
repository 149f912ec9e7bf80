"""OpenAI's Chat Completions, which most other providers speak too."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from outlive.testing.providers.asks import Answer, Ask, Json, Tool, Turn, Usage
from outlive.testing.providers.making import pieces
from outlive.testing.providers.openai_common import OpenAIWords
from outlive.testing.providers.protocol import Frame, event, needed, text_of

_FINISH = {"stop": "stop", "length": "length", "tool": "tool_calls", "refusal": "content_filter"}
_ROLES = {"developer": "system", "function": "tool"}


class Chat(OpenAIWords):
    """`POST /v1/chat/completions`."""

    def read(self, body: Mapping[str, Json]) -> Ask:
        model, messages = needed(body, "model", str), needed(body, "messages", list)
        choice = body.get("tool_choice")
        must = {"required": "*"}.get(choice, "") if isinstance(choice, str) else ""
        if isinstance(choice, dict):
            must = choice.get("function", {}).get("name", "*")
        form = body.get("response_format") or {}
        schema = form.get("json_schema", {}).get("schema") if form.get("type") == "json_schema" else None
        if form.get("type") == "json_object":
            schema = {"type": "object", "properties": {"answer": {"type": "string"}}, "required": ["answer"]}
        options = body.get("stream_options") or {}
        return Ask(
            "chat",
            model,
            tuple(_turn(message) for message in messages),
            tuple(
                Tool(tool["function"]["name"], tool["function"].get("parameters"))
                for tool in body.get("tools") or ()
                if tool.get("type") == "function"
            ),
            must,
            schema,
            body.get("max_completion_tokens") or body.get("max_tokens"),
            bool(body.get("stream")),
            bool(options.get("include_usage")),
            body=body,
        )

    def whole(self, ask: Ask, answer: Answer, ident: str, now: float) -> Json:
        message: dict[str, Json] = {"role": "assistant", "content": answer.text or None, "refusal": None}
        if answer.stop == "refusal":
            message |= {"content": None, "refusal": answer.text}
        if answer.calls:
            message["tool_calls"] = _calls(answer, ident)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _FINISH[answer.stop]}
        return {
            "id": f"chatcmpl-{ident}",
            "object": "chat.completion",
            "created": int(now),
            "model": ask.model,
            "choices": [choice],
            "usage": usage(answer.usage),
            "service_tier": "default",
            "system_fingerprint": "fp_outlive",
        }

    def frames(self, ask: Ask, answer: Answer, ident: str, now: float) -> Iterator[Frame]:
        def chunk(delta: Json, finish: str | None = None, *, spoken: bool = False) -> Frame:
            choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
            return event(base | {"choices": [choice]}, spoken=spoken)

        base: dict[str, Json] = {
            "id": f"chatcmpl-{ident}",
            "object": "chat.completion.chunk",
            "created": int(now),
            "model": ask.model,
            "service_tier": "default",
            "system_fingerprint": "fp_outlive",
        }
        if ask.stream_usage:
            base["usage"] = None
        yield chunk({"role": "assistant", "content": "" if not answer.calls else None, "refusal": None})
        said = "refusal" if answer.stop == "refusal" else "content"
        for piece in pieces(answer.text):
            yield chunk({said: piece}, spoken=True)
        for index, call in enumerate(_calls(answer, ident)):
            arguments = call["function"]["arguments"]
            head = call | {"index": index, "function": {"name": call["function"]["name"], "arguments": ""}}
            yield chunk({"tool_calls": [head]})
            for piece in pieces(arguments):
                yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]}, spoken=True)
        yield chunk({}, _FINISH[answer.stop])
        if ask.stream_usage:
            yield event(base | {"choices": [], "usage": usage(answer.usage)})
        yield Frame(b"data: [DONE]\n\n")


def usage(used: Usage) -> Json:
    """Usage as Chat Completions report it."""
    return {
        "prompt_tokens": used.input,
        "completion_tokens": used.output,
        "total_tokens": used.input + used.output,
        "prompt_tokens_details": {"cached_tokens": used.cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def _calls(answer: Answer, ident: str) -> list[dict[str, Json]]:
    return [
        {
            "id": call.id or f"call_{ident}{number}",
            "type": "function",
            "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
        }
        for number, call in enumerate(answer.calls)
    ]


def _turn(message: Mapping[str, Json]) -> Turn:
    role = str(message.get("role", "user"))
    called = json.dumps(message["tool_calls"]) if message.get("tool_calls") else ""
    return Turn(_ROLES.get(role, role), text_of(message.get("content")) + called)
