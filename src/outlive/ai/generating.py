"""`generate`: one answer of a model, as text or as a type, from a workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Generic, TypeVar, overload

from temporalio import workflow
from temporalio.common import Priority, RetryPolicy

from outlive.ai.errors import AIError, BadRequest, BudgetExceeded, SchemaFailed
from outlive.ai.recognised import OWN
from outlive.ai.saying import options

Out = TypeVar("Out")
Message = dict[str, Any]
OUTPUT_TOOL = "final_result"
TIMEOUT = timedelta(minutes=10)  # of one attempt
HEARTBEAT = timedelta(seconds=30)
RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1), maximum_attempts=8)


@dataclass(frozen=True)
class ToolCall:
    """A tool that the model wants called."""

    id: str
    name: str
    arguments: Any


@dataclass(frozen=True)
class Reply(Generic[Out]):
    """A model's answer. `messages` is the conversation with it, to go on from. `cost` is in US dollars."""

    output: Out
    text: str
    model: str
    calls: tuple[ToolCall, ...] = ()
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float = 0.0
    cached: bool = False
    request_id: str = ""
    messages: list[Message] = field(default_factory=list, repr=False)


@overload
async def generate(
    prompt: str | Sequence[Message], *, model: str | Sequence[str], output: None = None, **more: Any
) -> Reply[str]: ...
@overload
async def generate(
    prompt: str | Sequence[Message], *, model: str | Sequence[str], output: type[Out], **more: Any
) -> Reply[Out]: ...
async def generate(
    prompt: str | Sequence[Message],
    *,
    model: str | Sequence[str],
    output: type[Any] | None = None,
    instructions: str = "",
    settings: Mapping[str, Any] | None = None,
    tools: Sequence[Mapping[str, Any]] = (),
    cache: timedelta | None = None,
    stream: str = "",
    retries: int = 1,
    timeout: timedelta = TIMEOUT,
    retry_policy: RetryPolicy = RETRY,
    priority: int | None = None,
    task_queue: str | None = None,
    **said: Any,
) -> Reply[Any]:
    """Ask a model. With `output`, the answer is of that type, checked; it is asked again `retries` times if it is not.

    `model` is Pydantic AI's name (`openai:gpt-5-mini`), or several: the next one is asked where one fails. `cache`: an
    equal call's answer that is not older will do. `stream`: the text also goes to this stream of the ledger. More
    keywords are those of `Options`: team, labels, on_budget, price.

    Raises the errors of `outlive.ai.errors`.
    """
    messages: list[Message] = [{"role": "system", "text": instructions}] if instructions else []
    messages += [{"role": "user", "text": prompt}] if isinstance(prompt, str) else prompt
    names = [model] if isinstance(model, str) else list(model)
    sent = _Sending(
        dict(settings or {}), [dict(tool) for tool in tools], output, stream, timeout, retry_policy, task_queue
    )
    if priority is not None:
        said["priority"] = priority
    if cache is not None:
        said["cache"] = cache
    with options(**said):
        for number, name in enumerate(names, 1):
            try:
                return await sent.checked(name, messages, retries)
            except BudgetExceeded:
                raise
            except AIError:
                if number == len(names):
                    raise
                workflow.logger.warning("%s failed; %s is asked instead", name, names[number])
    raise BadRequest("no model is named")


@dataclass(frozen=True)
class _Sending:
    settings: dict[str, Any]
    tools: list[dict[str, Any]]
    output: type[Any] | None
    stream: str
    timeout: timedelta
    retry_policy: RetryPolicy
    task_queue: str | None

    async def checked(self, model: str, messages: list[Message], retries: int) -> Reply[Any]:
        """Ask until the answer fits its type."""
        for left in range(retries, -1, -1):
            reply = await self._send(model, messages)
            if self.output is None or (reply.calls and reply.calls[0].name != OUTPUT_TOOL):
                return reply
            try:
                return _with_output(reply, self.output)
            except ValueError as error:
                why = str(error)
                if not left:
                    raise SchemaFailed(
                        f"{model}'s answer does not fit {self.output.__name__}: {why}", request_id=reply.request_id
                    ) from None
                messages = [*reply.messages, *_complaint(reply, why)]
        raise SchemaFailed(f"{model} was not asked")

    async def _send(self, model: str, messages: list[Message]) -> Reply[Any]:
        from outlive.ai.schemas import schema_of

        ask = {
            "model": model,
            "messages": messages,
            "settings": self.settings,
            "tools": self.tools,
            "output": None if self.output is None else schema_of(self.output),
            "stream": self.stream,
        }
        result: dict[str, Any] = await workflow.execute_activity(
            OWN,
            ask,
            result_type=dict,
            task_queue=self.task_queue,
            start_to_close_timeout=self.timeout,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=self.retry_policy,
            summary=model,
            priority=Priority.default,
        )
        return reply_of(result, messages, model)


def reply_of(result: Mapping[str, Any], messages: Sequence[Message], model: str) -> Reply[Any]:
    """An activity's result as a reply; its output is the text."""
    raw = result["raw"]
    parts = raw.get("parts", [])
    text = "".join(part["content"] for part in parts if part.get("part_kind") == "text")
    calls = tuple(
        ToolCall(part["tool_call_id"], part["tool_name"], part.get("args"))
        for part in parts
        if part.get("part_kind") == "tool-call"
    )
    usage = raw.get("usage", {})
    return Reply(
        output=text,
        text=text,
        model=raw.get("model_name") or model,
        calls=calls,
        input_tokens=usage.get("input_tokens", 0),
        output_tokens=usage.get("output_tokens", 0),
        cost=result.get("cost", 0) / 1_000_000_000,
        cached=bool(result.get("cached")),
        request_id=result.get("request_id", ""),
        messages=[*messages, {"role": "assistant", "raw": raw}],
    )


def _with_output(reply: Reply[Any], kind: type[Any]) -> Reply[Any]:
    from outlive.ai.schemas import read_as

    given = next((call.arguments for call in reply.calls if call.name == OUTPUT_TOOL), reply.text)
    return Reply(**{**reply.__dict__, "output": read_as(kind, given), "calls": ()})


def _complaint(reply: Reply[Any], why: str) -> list[Message]:
    said = f"This does not fit what was asked for: {why}\nAnswer again, and correctly."
    called = [call for call in reply.calls if call.name == OUTPUT_TOOL]
    if called:
        return [{"role": "tool", "id": call.id, "name": call.name, "text": said} for call in called]
    return [{"role": "user", "text": said}]
