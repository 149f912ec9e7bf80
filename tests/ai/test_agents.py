"""Agents: a durable loop of turns and tools."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import Worker

from outlive import ai
from outlive.ledger.client import Decision, HttpLedger
from outlive.testing.providers import Behaviour, FakeProvider, ToolUse
from tests.ai.conftest import MODEL, Working, new_id, run
from tests.servers import connected


@activity.defn
async def temperature(city: str, unit: str = "C") -> str:
    """How warm it is in a city."""
    if city == "Atlantis":
        raise ApplicationError("no such city", non_retryable=True)
    return f"21 {unit} in {city}"


@workflow.defn
class Square:
    """The square of a number."""

    @workflow.run
    async def run(self, number: int) -> int:
        return number * number


@workflow.defn
class Answer:
    @workflow.run
    async def run(self, prompt: str, limits: dict[str, Any]) -> dict[str, Any]:
        tools = [ai.activity_tool(temperature), ai.workflow_tool(Square)]
        if limits.pop("approve", False):
            tools = [ai.activity_tool(temperature, approve=True, assignee="ann")]
        if "max_time" in limits:
            limits["max_time"] = timedelta(seconds=limits["max_time"])
        try:
            reply = await ai.agent(prompt, model=MODEL, tools=tools, instructions="Be short.", **limits)
        except ai.LimitReached as error:
            return {"limit": error.info["limit"]}
        said = [each["text"] for each in reply.messages if each["role"] == "tool"]
        return {"text": reply.output, "tools": said, "cost": reply.cost}


BOTH = Behaviour(
    calls=(
        ToolUse("temperature", {"city": "Oslo"}),
        ToolUse("Square", {"number": 7}),
        ToolUse("temperature", {"city": "Atlantis"}),
        ToolUse("Square", {"number": "many"}),
        ToolUse("nothing", {}),
    )
)


async def test_tools_are_called_and_told_and_nothing_is_done_twice(
    provider: FakeProvider, ledger: HttpLedger, server_address: str
) -> None:
    provider.on(Behaviour(text="Warm."))
    provider.on(BOTH, times=1)
    client = await connected(server_address, [ai.AIPlugin(ledger=ledger.address)])
    async with Worker(  # which reads the history anew for each step, as after a crash
        client, task_queue="ai", workflows=[Answer, Square], activities=[temperature], max_cached_workflows=0
    ):
        answer = await run(client, Answer.run, "How warm?", {})
    assert answer["text"] == "Warm."
    assert answer["tools"][:2] == ["21 C in Oslo", "49"]
    assert "no such city" in answer["tools"][2]
    assert answer["tools"][3].startswith("failed")
    assert "there is no tool nothing" in answer["tools"][4]
    assert len(provider.records) == 2
    rows = [row for row in (await ledger.attempts()).attempts if not row.saved_by]
    assert sum(row.cost for row in rows) == round(answer["cost"] * 1e9) > 0


async def test_an_agent_stops_at_its_limits(working: Working, provider: FakeProvider) -> None:
    provider.on(Behaviour(calls=(ToolUse("Square", {"number": 7}),)))
    async with working([Answer, Square], [temperature]) as client:
        assert await run(client, Answer.run, "Go on.", {"max_turns": 3}) == {"limit": "turns"}
        assert len(provider.records) == 3
        assert await run(client, Answer.run, "Go on.", {"max_cost": 1e-9}) == {"limit": "cost"}
        assert len(provider.records) == 4
        provider.on(Behaviour(text="Late.", delay=20.0))
        assert await run(client, Answer.run, "Go on.", {"max_time": 0.5}) == {"limit": "time"}


async def test_a_tool_that_asks_first(working: Working, provider: FakeProvider, ledger: HttpLedger) -> None:
    provider.on(Behaviour(text="Done."), after_tool=True)
    provider.on(Behaviour(calls=(ToolUse("temperature", {"city": "Oslo"}),)), after_tool=False)
    async with working([Answer, Square], [temperature]) as client:
        said = []
        for decision in (Decision("approve", "ann", edits={"city": "Rome"}), Decision("reject", "ann", "not now")):
            handle = await client.start_workflow(
                Answer.run, args=["Hm", {"approve": True}], id=new_id(), task_queue="ai"
            )
            async with asyncio.timeout(20):
                while not (asked := await ledger.approvals(state="open", assignee="ann")):
                    await asyncio.sleep(0.05)
            await ledger.decide(asked[0].id, decision)
            said += (await handle.result())["tools"]
    assert said == ["21 C in Rome", "a person did not allow it: not now"]
