"""Anthropic's own client against the provider."""

from __future__ import annotations

import asyncio
from typing import Any

import anthropic as sdk
import pytest
from anthropic import AsyncAnthropic

from outlive.testing.providers import Behaviour, FakeProvider, RateLimits, ToolUse

ASKED: Any = [{"role": "user", "content": "What is the weather?"}]
TOOL: Any = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


async def test_messages_are_answered_and_logged(anthropic: AsyncAnthropic, provider: FakeProvider) -> None:
    provider.on(Behaviour(text="Rain.", cached_tokens=3))
    answer = await anthropic.messages.create(model="claude-haiku-4-5", max_tokens=100, messages=ASKED)
    assert answer.content[0].type == "text"
    assert answer.content[0].text == "Rain."
    assert answer._request_id == provider.records[-1].id
    assert answer.usage.cache_read_input_tokens == 3
    assert answer.usage.input_tokens + 3 == provider.records[-1].input


async def test_streams_bring_text_and_tools(anthropic: AsyncAnthropic, provider: FakeProvider) -> None:
    provider.on(Behaviour(text="Let me look.", calls=(ToolUse("weather", {"city": "Oslo"}),)), after_tool=False)
    async with anthropic.messages.stream(
        model="claude-haiku-4-5", max_tokens=100, messages=ASKED, tools=[TOOL]
    ) as stream:
        text = "".join([piece async for piece in stream.text_stream])
        message = await stream.get_final_message()
    assert text == "Let me look."
    assert message.stop_reason == "tool_use"
    used = message.content[1]
    assert used.type == "tool_use"
    assert used.input == {"city": "Oslo"}
    result: Any = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": used.id, "content": "4 degrees"}]}
    said: Any = [*ASKED, {"role": "assistant", "content": message.content}, result]
    answer = await anthropic.messages.create(model="c", max_tokens=100, messages=said, tools=[TOOL])
    assert answer.stop_reason == "end_turn"


async def test_a_tool_that_must_be_called_is(anthropic: AsyncAnthropic) -> None:
    answer = await anthropic.messages.create(
        model="c", max_tokens=100, messages=ASKED, tools=[TOOL], tool_choice={"type": "any"}
    )
    assert answer.content[0].type == "tool_use"


@pytest.mark.parametrize(
    ("behaviour", "error", "said"),
    [
        (Behaviour(problem="rate_limit", retry_after=3), sdk.RateLimitError, "rate_limit_error"),
        (Behaviour(problem="overloaded"), sdk.APIStatusError, "overloaded_error"),
        (Behaviour(problem="server"), sdk.InternalServerError, "api_error"),
        (Behaviour(problem="context_too_long"), sdk.BadRequestError, "prompt is too long"),
        (Behaviour(problem="auth"), sdk.AuthenticationError, "authentication_error"),
    ],
)
async def test_problems(
    anthropic: AsyncAnthropic, provider: FakeProvider, behaviour: Behaviour, error: type[sdk.APIStatusError], said: str
) -> None:
    provider.on(behaviour)
    with pytest.raises(error, match=said) as caught:
        await anthropic.messages.create(model="c", max_tokens=10, messages=ASKED)
    assert caught.value.request_id == provider.records[-1].id


async def test_limits_in_headers() -> None:
    async with (
        FakeProvider(limits=RateLimits(requests=1), scale=100) as provider,
        AsyncAnthropic(base_url=provider.anthropic_url, api_key="k", max_retries=0) as client,
    ):
        raw = await client.messages.with_raw_response.create(model="c", max_tokens=9, messages=ASKED)
        assert raw.headers["anthropic-ratelimit-requests-remaining"] == "0"
        assert raw.headers["anthropic-ratelimit-requests-reset"].endswith("Z")
        with pytest.raises(sdk.RateLimitError) as caught:
            await client.messages.create(model="c", max_tokens=9, messages=ASKED)
        assert 0 < float(caught.value.response.headers["retry-after"]) <= 0.6


async def test_message_batches(anthropic: AsyncAnthropic, provider: FakeProvider) -> None:
    provider.on(Behaviour(problem="server"), prompt="bad")
    requests: Any = [
        {"custom_id": said, "params": {"model": "c", "max_tokens": 9, "messages": [{"role": "user", "content": said}]}}
        for said in ("good", "bad")
    ]
    batch = await anthropic.messages.batches.create(requests=requests)
    while (batch := await anthropic.messages.batches.retrieve(batch.id)).processing_status != "ended":
        await asyncio.sleep(0.01)
    results = {item.custom_id: item.result.type async for item in await anthropic.messages.batches.results(batch.id)}
    assert results == {"good": "succeeded", "bad": "errored"}
    assert [found.id async for found in anthropic.messages.batches.list()] == [batch.id]
