"""OpenAI's Responses."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from outlive.testing.providers.asks import Answer, Ask, Json, Problem, Tool, Turn, Usage
from outlive.testing.providers.making import pieces
from outlive.testing.providers.openai_common import OpenAIWords
from outlive.testing.providers.protocol import Frame, event, needed, text_of

_KEPT = 10_000  # responses that a later request may go on from
_ROLES = {"developer": "system"}
Numbered: TypeAlias = Callable[..., Frame]


class Responses(OpenAIWords):
    """`POST /v1/responses`. Responses are kept, so that `previous_response_id` works."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[Turn, ...]] = OrderedDict()
        self.wholes: OrderedDict[str, Json] = OrderedDict()

    def read(self, body: Mapping[str, Json]) -> Ask:
        model, given = needed(body, "model", str), needed(body, "input", (str, list))
        turns: list[Turn] = []
        previous = body.get("previous_response_id")
        if previous:
            if previous not in self._kept:
                raise Problem("bad_request", f"Previous response with id '{previous}' not found.")
            turns += self._kept[previous]
        if body.get("instructions"):
            turns.append(Turn("system", text_of(body["instructions"])))
        turns += [Turn("user", given)] if isinstance(given, str) else [_turn(item) for item in given]
        choice = body.get("tool_choice")
        must = {"required": "*"}.get(choice, "") if isinstance(choice, str) else ""
        if isinstance(choice, dict):
            must = choice.get("name") or ("*" if choice.get("mode") == "required" else "")
        form = (body.get("text") or {}).get("format") or {}
        tools = [tool for tool in body.get("tools") or () if tool.get("type") == "function"]
        return Ask(
            "responses",
            model,
            tuple(turns),
            tuple(Tool(tool["name"], tool.get("parameters")) for tool in tools),
            must,
            form.get("schema") if form.get("type") == "json_schema" else None,
            body.get("max_output_tokens"),
            bool(body.get("stream")),
            body=body,
        )

    def whole(self, ask: Ask, answer: Answer, ident: str, now: float) -> Json:
        items = _items(answer, ident)
        response = _response(ask, ident, now, _status(answer), items, answer)
        if ask.body.get("store", True):
            self._keep(ask, answer, response)
        return response

    def _keep(self, ask: Ask, answer: Answer, response: Json) -> None:
        said = answer.text + "".join(json.dumps(call.arguments) for call in answer.calls)
        self._kept[response["id"]] = (*ask.turns, Turn("assistant", said))
        self.wholes[response["id"]] = response
        while len(self._kept) > _KEPT:
            self._kept.popitem(last=False)
            self.wholes.popitem(last=False)

    def frames(self, ask: Ask, answer: Answer, ident: str, now: float) -> Iterator[Frame]:
        number = -1

        def numbered(kind: str, spoken: bool = False, **fields: Json) -> Frame:
            nonlocal number
            number += 1
            return event({"type": kind, "sequence_number": number, **fields}, kind, spoken=spoken)

        started = _response(ask, ident, now, "in_progress", [], None)
        yield numbered("response.created", response=started)
        yield numbered("response.in_progress", response=started)
        items = _items(answer, ident)
        for index, item in enumerate(items):
            empty = item | {"status": "in_progress"}
            empty |= {"content": list[Json]()} if item["type"] == "message" else {"arguments": ""}
            yield numbered("response.output_item.added", output_index=index, item=empty)
            at = {"item_id": item["id"], "output_index": index}
            if item["type"] == "message":
                yield from _message_frames(numbered, item, at)
            else:
                for piece in pieces(item["arguments"]):
                    yield numbered("response.function_call_arguments.delta", spoken=True, delta=piece, **at)
                yield numbered(
                    "response.function_call_arguments.done", arguments=item["arguments"], name=item["name"], **at
                )
            yield numbered("response.output_item.done", output_index=index, item=item)
        kind = "response.incomplete" if answer.stop == "length" else "response.completed"
        yield numbered(kind, response=self.whole(ask, answer, ident, now))


def _message_frames(numbered: Numbered, item: Json, at: Mapping[str, Json]) -> Iterator[Frame]:
    part = item["content"][0]
    refused = part["type"] == "refusal"
    text = part["refusal"] if refused else part["text"]
    kind = "response.refusal" if refused else "response.output_text"
    more: dict[str, Json] = {} if refused else {"logprobs": []}
    empty = part | {"refusal": ""} if refused else part | {"text": ""}
    yield numbered("response.content_part.added", content_index=0, part=empty, **at)
    for piece in pieces(text):
        yield numbered(f"{kind}.delta", spoken=True, content_index=0, delta=piece, **more, **at)
    done = {"refusal": text} if refused else {"text": text, **more}
    yield numbered(f"{kind}.done", content_index=0, **done, **at)
    yield numbered("response.content_part.done", content_index=0, part=part, **at)


def _items(answer: Answer, ident: str) -> list[dict[str, Json]]:
    items: list[dict[str, Json]] = []
    if answer.text or not answer.calls:
        part: Json = {"type": "output_text", "text": answer.text, "annotations": [], "logprobs": []}
        if answer.stop == "refusal":
            part = {"type": "refusal", "refusal": answer.text}
        status = "incomplete" if answer.stop == "length" else "completed"
        items.append(
            {"type": "message", "id": f"msg_{ident}", "status": status, "role": "assistant", "content": [part]}
        )
    for number, call in enumerate(answer.calls):
        items.append(
            {
                "type": "function_call",
                "id": f"fc_{ident}{number}",
                "call_id": call.id or f"call_{ident}{number}",
                "name": call.name,
                "arguments": json.dumps(call.arguments),
                "status": "completed",
            }
        )
    return items


def _status(answer: Answer) -> str:
    return "incomplete" if answer.stop == "length" else "completed"


def _response(
    ask: Ask, ident: str, now: float, status: str, items: list[dict[str, Json]], answer: Answer | None
) -> Json:
    body = ask.body
    return {
        "id": f"resp_{ident}",
        "object": "response",
        "created_at": int(now),
        "status": status,
        "background": False,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": body.get("instructions"),
        "max_output_tokens": body.get("max_output_tokens"),
        "metadata": body.get("metadata") or {},
        "model": ask.model,
        "output": items,
        "parallel_tool_calls": body.get("parallel_tool_calls", True),
        "previous_response_id": body.get("previous_response_id"),
        "reasoning": {"effort": None, "summary": None},
        "service_tier": "default",
        "store": body.get("store", True),
        "temperature": body.get("temperature", 1.0),
        "text": body.get("text") or {"format": {"type": "text"}},
        "tool_choice": body.get("tool_choice") or "auto",
        "tools": body.get("tools") or [],
        "top_p": body.get("top_p", 1.0),
        "truncation": "disabled",
        "usage": None if answer is None else usage(answer.usage),
        "user": None,
    }


def usage(used: Usage) -> Json:
    """Usage as Responses report it."""
    return {
        "input_tokens": used.input,
        "input_tokens_details": {"cached_tokens": used.cached, "cache_write_tokens": 0},
        "output_tokens": used.output,
        "output_tokens_details": {"reasoning_tokens": used.reasoning},
        "total_tokens": used.input + used.output,
    }


def _turn(item: Mapping[str, Json]) -> Turn:
    kind = item.get("type", "message")
    if kind == "function_call_output":
        return Turn("tool", text_of(item.get("output")))
    if kind != "message":
        return Turn("assistant", json.dumps(item))
    role = str(item.get("role", "user"))
    return Turn(_ROLES.get(role, role), text_of(item.get("content")))
