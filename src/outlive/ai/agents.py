"""`agent`: a model that calls tools until it has an answer. Every turn and tool call is a step of the workflow."""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, get_type_hints

from temporalio import workflow
from temporalio.exceptions import ApplicationError, FailureError, is_cancelled_exception

from outlive.ai.approvals import approval
from outlive.ai.errors import LimitReached
from outlive.ai.generating import Message, Reply, ToolCall, generate

TURNS: Final = 20  # requests to the model, unless told otherwise
TOOL_TIMEOUT: Final = timedelta(minutes=5)


@dataclass(frozen=True)
class Tool:
    """Something that a model may call. `run` takes the arguments by name; `approve`: a person is asked first."""

    name: str
    description: str
    schema: dict[str, Any]
    run: Callable[[dict[str, Any]], Awaitable[Any]]
    approve: bool = False
    assignee: str = ""


def activity_tool(function: Callable[..., Any], *, approve: bool = False, assignee: str = "", **more: Any) -> Tool:
    """An activity as a tool: its name, first words and parameters are those of the function.

    More keywords are those of `workflow.execute_activity`; without a time-out an attempt may take five minutes.
    """
    more.setdefault("start_to_close_timeout", TOOL_TIMEOUT)

    async def run(given: dict[str, Any]) -> Any:
        return await workflow.execute_activity(function, args=_arguments(function, given), **more)

    return _tool(function, function.__name__, run, approve, assignee)


def workflow_tool(kind: type, *, approve: bool = False, assignee: str = "", **more: Any) -> Tool:
    """A child workflow as a tool. More keywords are those of `workflow.execute_child_workflow`."""
    method = next(each for _, each in inspect.getmembers(kind) if hasattr(each, "__temporal_workflow_run"))

    async def run(given: dict[str, Any]) -> Any:
        return await workflow.execute_child_workflow(method, args=_arguments(method, given), **more)

    return _tool(method, kind.__name__, run, approve, assignee, inspect.getdoc(kind))


async def agent(
    prompt: str | Sequence[Message],
    *,
    model: str | Sequence[str],
    tools: Sequence[Tool] = (),
    output: type[Any] | None = None,
    max_turns: int = TURNS,
    max_cost: float | None = None,
    max_time: timedelta | None = None,
    **more: Any,
) -> Reply[Any]:
    """Ask a model, carry out the tools that it calls (those of one turn at the same time), until it answers.

    `max_cost` is in US dollars; no turn begins above it. More keywords are those of `generate`. A tool that fails is
    told to the model. Raises LimitReached, and what `generate` raises.
    """
    work = _loop(prompt, model, {tool.name: tool for tool in tools}, output, max_turns, max_cost, more)
    if max_time is None:
        return await work
    end = workflow.now() + max_time
    try:
        return await asyncio.wait_for(work, max_time.total_seconds())
    except (TimeoutError, FailureError) as error:  # what is cancelled by it may say so in its own way
        late = isinstance(error, TimeoutError) or (is_cancelled_exception(error) and workflow.now() >= end)
        if not late:
            raise
        raise LimitReached(f"the agent has had no answer after {max_time}", limit="time") from None


async def _loop(
    prompt: str | Sequence[Message],
    model: str | Sequence[str],
    tools: dict[str, Tool],
    output: type[Any] | None,
    max_turns: int,
    max_cost: float | None,
    more: dict[str, Any],
) -> Reply[Any]:
    described = [{"name": tool.name, "description": tool.description, "schema": tool.schema} for tool in tools.values()]
    asked: str | Sequence[Message] = prompt
    cost = 0.0
    for turn in range(1, max_turns + 1):
        reply: Reply[Any] = await generate(asked, model=model, tools=described, output=output, **more)
        cost += reply.cost
        if not reply.calls:
            return Reply(**{**reply.__dict__, "cost": cost})
        if max_cost is not None and cost >= max_cost:
            raise LimitReached(
                f"the agent has cost ${cost:.4f} of ${max_cost:.4f}", limit="cost", turns=turn, cost=cost
            )
        answers = await asyncio.gather(*(_called(tools, call) for call in reply.calls))
        more.pop("instructions", None)  # they are in the messages from now on
        asked = [*reply.messages, *answers]
    raise LimitReached(
        f"the agent has had no answer after {max_turns} turns", limit="turns", turns=max_turns, cost=cost
    )


async def _called(tools: dict[str, Tool], call: ToolCall) -> Message:
    try:
        text = await _result(tools, call)
    except (FailureError, ValueError) as error:
        if is_cancelled_exception(error):
            raise
        cause = error.__cause__ if isinstance(error.__cause__, ApplicationError) else error
        text = f"failed: {cause}"
    return {"role": "tool", "id": call.id, "name": call.name, "text": text}


async def _result(tools: dict[str, Tool], call: ToolCall) -> str:
    tool = tools.get(call.name)
    if tool is None:
        return f"there is no tool {call.name}; there are {', '.join(tools)}"
    given = json.loads(call.arguments or "{}") if isinstance(call.arguments, str | None) else call.arguments
    if tool.approve:
        decided = await approval(f"{tool.name}?", given, form=given, assignee=tool.assignee)
        if not decided.approved:
            return f"a person did not allow it: {decided.reason or decided.state}"
        given = given if decided.edits is None else decided.edits
    result = await tool.run(given)
    return result if isinstance(result, str) else json.dumps(result, default=str)


def _tool(
    function: Callable[..., Any],
    name: str,
    run: Callable[[dict[str, Any]], Awaitable[Any]],
    approve: bool,
    assignee: str,
    doc: str | None = None,
) -> Tool:
    description = (doc or inspect.getdoc(function) or "").strip()
    return Tool(name, description, _model(function).model_json_schema(), run, approve, assignee)


def _model(function: Callable[..., Any]) -> Any:
    """The parameters of a function as a model of Pydantic's."""
    from pydantic import create_model

    hints = get_type_hints(function)
    fields: dict[str, Any] = {
        name: (hints.get(name, Any), ... if parameter.default is parameter.empty else parameter.default)
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    }
    with workflow.unsafe.sandbox_unrestricted():  # Pydantic looks for plug-ins of its own, on the disk
        return create_model(function.__name__, **fields)


def _arguments(function: Callable[..., Any], given: dict[str, Any]) -> list[Any]:
    """What the model gives, in the order of the parameters. Raises ValueError where it does not fit."""
    read = _model(function).model_validate(given)
    return [getattr(read, name) for name in type(read).model_fields]
