"""Agents of Pydantic AI, with the plug-in and nothing else changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic_ai import Agent
from pydantic_ai.durable_exec.temporal import PydanticAIPlugin, TemporalAgent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import Worker
from temporalio.workflow import ActivityConfig

from outlive import ai
from outlive.ledger.client import Budget, HttpLedger
from outlive.testing.providers import FakeProvider, ToolUse
from outlive.testing.providers.script import Behaviour
from tests.ai.conftest import run
from tests.servers import connected

_CONFIG = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(maximum_attempts=2, initial_interval=timedelta(milliseconds=50)),
)


def _pydantic_agent() -> TemporalAgent[None, str]:
    # the address is set by the test before a worker makes a request
    model = OpenAIChatModel("gpt-5-mini", provider=OpenAIProvider(base_url="http://unset", api_key="sk-test-only"))
    agent = Agent(model, name="weather", instructions="Be short.")

    @agent.tool_plain
    async def temperature(city: str) -> str:
        """How warm it is in a city."""
        return f"21 degrees in {city}"

    return TemporalAgent(agent, activity_config=_CONFIG)


PYDANTIC = _pydantic_agent()


@workflow.defn
class PydanticWeather:
    @workflow.run
    async def run(self, prompt: str) -> str:
        return (await PYDANTIC.run(prompt)).output


@pytest.fixture
async def at_provider(provider: FakeProvider) -> FakeProvider:
    model = PYDANTIC.wrapped.model
    assert isinstance(model, OpenAIChatModel)
    model.client.base_url = provider.openai_url  # type: ignore[assignment]
    model.client.max_retries = 0
    return provider


async def test_an_agent_of_pydantic_ai_is_counted(
    at_provider: FakeProvider, ledger: HttpLedger, server_address: str
) -> None:
    at_provider.on(Behaviour(text="Warm."))
    at_provider.on(Behaviour(calls=(ToolUse("temperature", {"city": "Oslo"}),)), times=1)
    plugins = [PydanticAIPlugin(), ai.AIPlugin(ledger=ledger.address)]
    client = await connected(server_address, plugins)
    async with Worker(client, task_queue="ai", workflows=[PydanticWeather], activities=[*PYDANTIC.temporal_activities]):
        assert await run(client, PydanticWeather.run, "How warm is Oslo?") == "Warm."
        rows = (await ledger.attempts()).attempts
        assert len(rows) == len(at_provider.records) == 2
        assert {row.model for row in rows} == {"gpt-5-mini"}
        assert [row.input for row in reversed(rows)] == [record.input for record in at_provider.records]
        assert all(row.cost > 0 and row.outcome == "ok" for row in rows)
        await ledger.put_budget(Budget("tiny", {"workflow_type": "PydanticWeather"}, hard=1))
        with pytest.raises(WorkflowFailureError):
            await run(client, PydanticWeather.run, "And Rome?")
    assert len(at_provider.records) == 2
