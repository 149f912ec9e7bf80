"""The activity that sends one request to a model, through Pydantic AI. It neither retries nor falls back by itself."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from temporalio import activity

from outlive.ai.desk import Desk, report
from outlive.ai.errors import ContentPolicy
from outlive.ai.recognised import OWN, answered
from outlive.ai.writing import StreamWriter

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models import Model, ModelRequestParameters

OUTPUT_TOOL = "final_result"


@dataclass(frozen=True, slots=True)
class ModelAsk:
    """One request. `model` is Pydantic AI's name for it (`openai:gpt-5-mini`), `settings` its ModelSettings.

    `messages` are {"role": "system" | "user", "text"}, {"role": "tool", "id", "name", "text"}, and
    {"role": "assistant", "raw"}, an answer as it came. `output` is a JSON schema that the answer fits.
    """

    model: str
    messages: list[dict[str, Any]]
    settings: dict[str, Any] = field(default_factory=dict)
    tools: list[dict[str, Any]] = field(default_factory=list)  # name, description, schema
    output: dict[str, Any] | None = None
    stream: str = ""


class Requests:
    """The activity and what it needs."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    @activity.defn(name=OWN)
    async def request(self, ask: ModelAsk) -> dict[str, Any]:
        """Send one request: {"raw": the answer, "request_id"}. Raises what Pydantic AI raises."""
        from pydantic_ai.direct import model_request
        from pydantic_ai.messages import ModelMessagesTypeAdapter

        model, messages = _model(ask.model, _environment()), _messages(ask.messages)
        settings, parameters = _settings(ask), _parameters(ask)
        if ask.stream:
            response = await self._streamed(ask, model, messages, settings, parameters)
        else:
            response = await model_request(
                model, messages, model_settings=settings, model_request_parameters=parameters
            )
        raw = ModelMessagesTypeAdapter.dump_python([response], mode="json", exclude_none=True)[0]
        learned = report.get()
        request_id = ""
        if learned is not None:
            learned.answered = answered(raw)
            request_id = learned.headers.get("x-request-id") or learned.headers.get("request-id") or ""
        if response.finish_reason == "content_filter":
            said = response.text or "the model declines to answer this"
            raise ContentPolicy(said, request_id=request_id)
        return {"raw": raw, "request_id": request_id}

    async def _streamed(
        self, ask: ModelAsk, model: Model, messages: list[ModelMessage], settings: Any, parameters: Any
    ) -> ModelResponse:
        from pydantic_ai.direct import model_request_stream
        from pydantic_ai.messages import PartDeltaEvent, PartStartEvent, TextPart, TextPartDelta

        learned = report.get()
        async with (
            StreamWriter(self._desk.ledger, ask.stream, activity.info().attempt) as writer,
            model_request_stream(
                model, messages, model_settings=settings, model_request_parameters=parameters
            ) as stream,
        ):
            async for event in stream:
                text = ""
                if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
                    text = event.part.content
                elif isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
                    text = event.delta.content_delta
                if learned is not None:
                    learned.first_token = learned.first_token or time.monotonic()
                    learned.said += len(text)
                if text:
                    writer.write(text)
            return stream.get()


async def prepare(model: str) -> None:
    """Load a model's client in the background. What is wrong with it is found by the call that uses it."""
    if (model, _environment()) not in _prepared:
        with suppress(Exception):
            await asyncio.to_thread(_model, model, _environment())
            _prepared.add((model, _environment()))


_prepared: set[tuple[str, tuple[str, ...]]] = set()


def _environment() -> tuple[str, ...]:
    """Where providers are, as far as it can change while a worker runs."""
    return tuple(os.environ.get(name, "") for name in ("OPENAI_BASE_URL", "ANTHROPIC_BASE_URL"))


@lru_cache(maxsize=64)
def _model(name: str, environment: tuple[str, ...]) -> Model:
    """The model of that name, with keys from the environment and without retries of its client."""
    from pydantic_ai.models import infer_model
    from pydantic_ai.providers import Provider, infer_provider

    def provider(provider_name: str) -> Provider[Any]:
        made = infer_provider(provider_name)
        client = made.client
        if hasattr(client, "max_retries"):
            client.max_retries = 0
        hooks = getattr(getattr(client, "_client", None), "event_hooks", None)
        if isinstance(hooks, Mapping) and _note_headers not in hooks.get("response", []):
            inner = client._client
            inner.event_hooks = {**hooks, "response": [*hooks.get("response", []), _note_headers]}
        return made

    return infer_model(name, provider_factory=provider)


async def _note_headers(response: Any) -> None:
    learned = report.get()
    if learned is not None:
        learned.headers = {str(name).lower(): str(value) for name, value in response.headers.items()}


def _settings(ask: ModelAsk) -> Any:
    """Settings with the key that makes the request the same one, however often it is sent."""
    info = activity.info()
    key = f"{info.workflow_id}/{info.workflow_run_id}/{info.activity_id}"
    given = dict(ask.settings)
    headers = {"Idempotency-Key": key, **given.pop("extra_headers", {})}
    return {**given, "extra_headers": headers}


def _parameters(ask: ModelAsk) -> ModelRequestParameters:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.tools import ToolDefinition

    def tool(given: Mapping[str, Any], kind: Any = "function") -> ToolDefinition:
        return ToolDefinition(
            name=given["name"],
            description=given.get("description"),
            parameters_json_schema=given["schema"],
            kind=kind,
        )

    tools = [tool(each) for each in ask.tools]
    if ask.output is None:
        return ModelRequestParameters(function_tools=tools)
    wanted = {"name": OUTPUT_TOOL, "description": "The final answer.", "schema": ask.output}
    return ModelRequestParameters(
        function_tools=tools, output_mode="tool", output_tools=[tool(wanted, "output")], allow_text_output=False
    )


def _messages(given: list[dict[str, Any]]) -> list[ModelMessage]:
    from pydantic_ai.messages import (
        ModelMessagesTypeAdapter,
        ModelRequest,
        SystemPromptPart,
        ToolReturnPart,
        UserPromptPart,
    )

    made: list[ModelMessage] = []
    for message in given:
        role = message["role"]
        if role == "assistant":
            made += ModelMessagesTypeAdapter.validate_python([message["raw"]])
            continue
        part: Any
        if role == "system":
            part = SystemPromptPart(message["text"])
        elif role == "tool":
            part = ToolReturnPart(tool_name=message["name"], content=message["text"], tool_call_id=message["id"])
        else:
            part = UserPromptPart(message["text"])
        if made and isinstance(made[-1], ModelRequest):
            made[-1] = ModelRequest(parts=[*made[-1].parts, part])
        else:
            made.append(ModelRequest(parts=[part]))
    return made
