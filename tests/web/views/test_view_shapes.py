from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from outlive.ledger.types import Attempt
from outlive.web import bounds
from outlive.web.markdown import markdown
from outlive.web.views import compare, model_calls, shapes
from outlive.web.views.groups import Group
from outlive.web.views.payloads import PayloadView
from outlive.web.views.shapes import of_value
from outlive.web.views.status import Status

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 20
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("plain\ntext", None),
        ("# Title\n\nwith **words**", "markdown"),
        (f"data:image/png;base64,{base64.b64encode(PNG).decode()}", "image"),
        ({"mime_type": "image/png", "data": base64.b64encode(PNG).decode()}, "image"),
        ({"mime_type": "image/png", "data": base64.b64encode(b"<svg onload=x>").decode()}, None),
        ("data:image/svg+xml;base64,PHN2Zz4=", None),
        ([{"a": 1, "b": "x"}, {"a": 2, "b": None}], "table"),
        ([{"a": [1]}, {"a": [2]}], None),
        ([{"role": "user", "content": "hello"}], "chat"),
        ({"messages": [{"role": "user", "content": "hello"}]}, "chat"),
        (list(range(100)), "tree"),
        ({"a": 1}, None),
        (None, None),
    ],
)
def test_what_a_value_is_to_a_person(value: Any, kind: str | None) -> None:
    found = of_value(value)
    assert (found.kind if found else None) == kind


OPENAI = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": [{"type": "text", "text": "Weather?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"at":"Ulm"}'}}],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "rain"},
    {"role": "assistant", "content": "It rains."},
]
ANTHROPIC = [
    {"role": "user", "content": "Weather?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "look it up"},
            {"type": "tool_use", "id": "c1", "name": "weather", "input": {"at": "Ulm"}},
        ],
    },
    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "rain"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "It rains."}]},
]
PYDANTIC_AI = [
    {
        "kind": "request",
        "parts": [
            {"part_kind": "system-prompt", "content": "Be brief."},
            {"part_kind": "user-prompt", "content": "Weather?"},
        ],
    },
    {
        "kind": "response",
        "parts": [
            {"part_kind": "thinking", "content": "look it up"},
            {"part_kind": "tool-call", "tool_name": "weather", "args": {"at": "Ulm"}, "tool_call_id": "c1"},
        ],
    },
    {"kind": "request", "parts": [{"part_kind": "tool-return", "tool_call_id": "c1", "content": "rain"}]},
    {"kind": "response", "parts": [{"part_kind": "text", "content": "It rains."}]},
]


@pytest.mark.parametrize("messages", [OPENAI, ANTHROPIC, PYDANTIC_AI], ids=["openai", "anthropic", "pydantic-ai"])
def test_conversations_of_every_provider_read_alike(messages: list[dict[str, Any]]) -> None:
    found = shapes.conversation(messages)
    assert found is not None
    assert [one.text for one in found if one.role == "user"] == ["Weather?"]
    asking, saying = [one for one in found if one.role == "assistant"]
    (call,) = asking.calls
    assert (call.name, json.loads(call.arguments), call.result) == ("weather", {"at": "Ulm"}, "rain")
    assert saying.text == "It rains."
    if messages is not OPENAI:
        assert asking.thinking == "look it up"


def test_a_tree_and_a_table_are_bounded() -> None:
    found = of_value({f"k{n}": {"a": [n] * 50} for n in range(5_000)})
    assert found is not None
    assert found.tree is not None
    assert len(json.dumps(found.tree, default=lambda node: (node.key, node.children))) < 200_000
    table = of_value([{"a": n, "b": n} for n in range(500)])
    assert table is not None
    assert (len(table.rows), table.more) == (bounds.TABLE_ROWS, 400)
    deep: Any = 1
    for _ in range(500):
        deep = [deep, 1]
    assert of_value(deep) is not None


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        "[x](javascript:alert(1))",
        "[x](data:text/html,x)",
        "![x](https://evil.example/x.png)",
        "<img src=x onerror=alert(1)>",
        "[x](//evil.example)",
        '[x](https://a"onclick="alert(1))',
        "\u202ereversed",
    ],
)
def test_hostile_markdown_does_nothing(source: str) -> None:
    found = str(markdown(f"# t\n\n{source}"))
    for bad in ("<script", "<img", 'href="javascript', 'href="data', 'href="//', 'onclick="', "\u202e"):
        assert bad not in found


def test_a_model_call_has_its_conversation_and_waits() -> None:
    one = Attempt(
        key="k", model="m", outcome="ok", record="full", prompt=json.dumps(OPENAI[:2]), answer="It **rains**.",
        asked_at=1_000, started_at=3_500, latency=1.5, input=10, output=5, cost=2_000_000, cache_hit=True,
    )  # fmt: skip
    found = model_calls.call(one)
    assert [m.role for m in found.messages] == ["system", "user", "assistant"]
    assert (found.waited, found.cost, found.saved_by) == (2.5, 0.002, "cache")
    assert model_calls.sums([found, found]).input == 20
    longer = model_calls.call(replace(one, prompt=json.dumps([*OPENAI[:2], OPENAI[4]]), answer="Take a coat."))
    assert [c.known for c in model_calls.unrepeated([found, longer, longer])] == [0, 2, 3]


def text(value: str) -> list[PayloadView]:
    return [PayloadView("", "json", "json/plain", "", value, 1, False)]


def test_two_runs_are_set_side_by_side() -> None:
    assert [(x.side, x.text) for x in compare.lines(text("a\nb"), text("a\nc"))] == [
        ("both", "a"),
        ("left", "b"),
        ("right", "c"),
    ]
    one = [Group(1, "activity", "fetch", Status.COMPLETED, NOW), Group(2, "activity", "only", Status.COMPLETED, NOW)]
    other = [Group(1, "activity", "fetch", Status.FAILED, NOW)]
    first, second = compare.pairs(one, other)
    assert first.differs
    assert (second.left, second.right) == (one[1], None)
