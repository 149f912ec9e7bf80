"""OpenAI's own client against the provider: it parses everything, and raises what it raises against the real one."""

from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import openai as sdk
import pytest
from openai import AsyncOpenAI
from pydantic import BaseModel

from outlive.testing.providers import Behaviour, FakeProvider, RateLimits, ToolUse

ASKED: Any = [{"role": "user", "content": "What is the weather?"}]
TOOL: Any = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


class Weather(BaseModel):
    city: str
    degrees: int
    notes: list[str]


async def test_chat_is_answered_logged_and_has_a_request_id(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    provider.on(Behaviour(text="Rain.", cached_tokens=2, reasoning_tokens=3), prompt="weather")
    raw = await openai.chat.completions.with_raw_response.create(model="gpt-5-mini", messages=ASKED)
    answer = raw.parse()
    assert answer.choices[0].message.content == "Rain."
    assert answer.usage is not None
    record = provider.records[-1]
    assert raw.headers["x-request-id"] == record.id
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (record.input, record.output)
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens == 3
    assert record.prompt == "What is the weather?"


async def test_chat_streams_text_tools_and_usage(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    provider.on(Behaviour(text="It will rain.", calls=(ToolUse("weather", {"city": "Oslo"}),)), model="gpt-*")
    stream = await openai.chat.completions.create(
        model="gpt-5", messages=ASKED, tools=[TOOL], stream=True, stream_options={"include_usage": True}
    )
    text, arguments, usage = "", "", None
    async for chunk in stream:
        for choice in chunk.choices:
            text += choice.delta.content or ""
            for call in choice.delta.tool_calls or ():
                assert call.function is not None
                arguments += call.function.arguments or ""
        usage = chunk.usage or usage
    assert text == "It will rain."
    assert json.loads(arguments) == {"city": "Oslo"}
    assert usage is not None
    assert usage.completion_tokens == provider.records[-1].output


async def test_structured_answers_fit_their_schema(openai: AsyncOpenAI) -> None:
    parsed = await openai.chat.completions.parse(model="gpt-5", messages=ASKED, response_format=Weather)
    assert isinstance(parsed.choices[0].message.parsed, Weather)
    response = await openai.responses.parse(model="gpt-5", input="Weather?", text_format=Weather)
    assert isinstance(response.output_parsed, Weather)


async def test_responses_stream_and_go_on_from_one_another(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    provider.on(Behaviour(text="Well, hello there."), api="responses", turn=0)
    provider.on(Behaviour(calls=(ToolUse("weather", {"city": "Oslo"}),)), api="responses", turn=1)
    async with openai.responses.stream(model="gpt-5", input="Hello") as stream:
        deltas = [event.delta async for event in stream if event.type == "response.output_text.delta"]
        first = await stream.get_final_response()
    assert "".join(deltas) == first.output_text == "Well, hello there."
    second = await openai.responses.create(model="gpt-5", input="Weather?", previous_response_id=first.id)
    assert second.output[0].type == "function_call"
    assert (await openai.responses.retrieve(second.id)).id == second.id
    assert second.usage is not None
    assert second.usage.total_tokens == provider.records[-1].input + provider.records[-1].output


@pytest.mark.parametrize(
    ("behaviour", "error", "code"),
    [
        (Behaviour(problem="rate_limit", retry_after=7), sdk.RateLimitError, "rate_limit_exceeded"),
        (Behaviour(problem="no_credit"), sdk.RateLimitError, "insufficient_quota"),
        (Behaviour(problem="server"), sdk.InternalServerError, None),
        (Behaviour(problem="policy"), sdk.BadRequestError, "content_policy_violation"),
        (Behaviour(problem="auth"), sdk.AuthenticationError, "invalid_api_key"),
        (Behaviour(problem="not_found"), sdk.NotFoundError, "model_not_found"),
    ],
)
async def test_problems(
    openai: AsyncOpenAI, provider: FakeProvider, behaviour: Behaviour, error: type[sdk.APIStatusError], code: str | None
) -> None:
    provider.on(behaviour)
    with pytest.raises(error) as caught:
        await openai.chat.completions.create(model="gpt-5", messages=ASKED)
    assert caught.value.code == code
    assert caught.value.request_id == provider.records[-1].id
    if behaviour.retry_after:
        assert caught.value.response.headers["retry-after"] == "7"


async def test_too_long_a_prompt(openai: AsyncOpenAI) -> None:
    with pytest.raises(sdk.BadRequestError) as caught:
        await openai.responses.create(model="gpt-5", input="word " * 200_000)
    assert caught.value.code == "context_length_exceeded"


async def test_refusals_and_lengths_are_answers(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    provider.on(Behaviour(refuse="I will not."), prompt="weather")
    refused = await openai.chat.completions.create(model="gpt-5", messages=ASKED)
    assert (refused.choices[0].finish_reason, refused.choices[0].message.refusal) == ("content_filter", "I will not.")
    provider.on(Behaviour(words=100), prompt="long")
    short = await openai.responses.create(model="gpt-5", input="long", max_output_tokens=10)
    assert short.status == "incomplete"


async def test_cut_connections_and_malformed_bodies(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    provider.on(Behaviour(cut_after=2, words=50))
    with pytest.raises(sdk.APIConnectionError):
        await openai.chat.completions.create(model="gpt-5", messages=ASKED)
    stream = await openai.chat.completions.create(model="gpt-5", messages=ASKED, stream=True)
    got = []
    with pytest.raises(Exception, match=r"[Cc]onnection|incomplete|closed"):
        async for chunk in stream:
            got += [choice.delta.content for choice in chunk.choices if choice.delta.content]
    assert len(got) == 2
    assert [record.cut for record in provider.records] == [True, True]
    provider.on(Behaviour(malformed=True))
    with pytest.raises(Exception, match=r"JSON|Expecting|expected"):
        await openai.chat.completions.create(model="gpt-5", messages=ASKED)


async def test_limits_are_minutes_of_the_scaled_clock() -> None:
    async with (
        FakeProvider(limits=RateLimits(requests=2, tokens=10_000), scale=200) as provider,
        AsyncOpenAI(base_url=provider.openai_url, api_key="k", max_retries=0) as client,
    ):
        for left in ("1", "0"):
            raw = await client.chat.completions.with_raw_response.create(model="m", messages=ASKED)
            assert raw.headers["x-ratelimit-remaining-requests"] == left
            assert int(raw.headers["x-ratelimit-remaining-tokens"]) < 10_000
        with pytest.raises(sdk.RateLimitError) as caught:
            await client.chat.completions.create(model="m", messages=ASKED)
        wait = float(caught.value.response.headers["retry-after"])
        assert 0 < wait <= 0.3  # 60 s at 200 times the speed
        await client.chat.completions.create(model="another", messages=ASKED)
        await asyncio.sleep(wait + 0.02)
        await client.chat.completions.create(model="m", messages=ASKED)
    assert [record.status for record in provider.records] == [200, 200, 429, 200, 200]


async def test_embeddings(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    made = await openai.embeddings.create(model="text-embedding-3-small", input=["a red dog", "a red cat", "zzz"])
    first, near, far = (item.embedding for item in made.data)
    assert sum(a * b for a, b in zip(first, near, strict=True)) > sum(a * b for a, b in zip(first, far, strict=True))
    assert made.usage.prompt_tokens == provider.records[-1].input
    plain = await openai.embeddings.create(model="e", input="x", dimensions=8, encoding_format="float")
    assert len(plain.data[0].embedding) == 8


async def test_batches(openai: AsyncOpenAI, provider: FakeProvider) -> None:
    provider.on(Behaviour(problem="policy"), prompt="bad")
    lines = [
        {"custom_id": str(n), "method": "POST", "url": "/v1/chat/completions",
         "body": {"model": "gpt-5", "messages": [{"role": "user", "content": said}]}}
        for n, said in enumerate(["good", "bad"])
    ]  # fmt: skip
    data = "\n".join(json.dumps(line) for line in lines).encode()
    file = await openai.files.create(file=("in.jsonl", io.BytesIO(data)), purpose="batch")
    batch = await openai.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"key": "k1"}
    )
    assert batch.status == "in_progress"
    while (batch := await openai.batches.retrieve(batch.id)).status != "completed":
        await asyncio.sleep(0.01)
    assert batch.request_counts is not None
    assert (batch.request_counts.completed, batch.request_counts.failed) == (1, 1)
    assert batch.output_file_id is not None
    assert batch.error_file_id is not None
    good = json.loads((await openai.files.content(batch.output_file_id)).text)
    assert good["response"]["status_code"] == 200
    bad = json.loads((await openai.files.content(batch.error_file_id)).text)
    assert bad["response"]["body"]["error"]["code"] == "content_policy_violation"
    assert [found.metadata async for found in openai.batches.list()] == [{"key": "k1"}]
    assert {record.batch for record in provider.records} == {batch.id}
