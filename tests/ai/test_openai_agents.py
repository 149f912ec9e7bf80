"""Agents of OpenAI's Agents SDK, with the plug-in and nothing else changed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from agents import Agent, Runner
from temporalio import workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import Worker

from outlive import ai
from outlive.ledger.client import Budget, HttpLedger
from outlive.testing.providers import Behaviour, FakeProvider
from tests.ai.conftest import run
from tests.servers import connected


@workflow.defn
class OpenAIWeather:
    @workflow.run
    async def run(self, prompt: str) -> str:
        agent = Agent(name="weather", model="gpt-5-mini", instructions="Be short.")
        return str((await Runner.run(agent, prompt)).final_output)


async def test_an_agent_of_openai_is_counted(provider: FakeProvider, ledger: HttpLedger, server_address: str) -> None:
    from agents import OpenAIProvider as Models
    from openai import AsyncOpenAI
    from temporalio.contrib.openai_agents import ModelActivityParameters, OpenAIAgentsPlugin

    provider.on(Behaviour(text="Warm."))
    models = Models(openai_client=AsyncOpenAI(base_url=provider.openai_url, api_key="sk-test-only", max_retries=0))
    asking = ModelActivityParameters(
        start_to_close_timeout=timedelta(seconds=30), retry_policy=RetryPolicy(maximum_attempts=2)
    )
    plugins = [OpenAIAgentsPlugin(model_params=asking, model_provider=models), ai.AIPlugin(ledger=ledger.address)]
    client = await connected(server_address, plugins)
    async with Worker(client, task_queue="ai", workflows=[OpenAIWeather]):
        assert await run(client, OpenAIWeather.run, "How warm is Oslo?") == "Warm."
        rows = (await ledger.attempts()).attempts
        assert len(rows) == len(provider.records) == 1
        assert (rows[0].input, rows[0].output) == (provider.records[0].input, provider.records[0].output)
        assert rows[0].cost > 0
        await ledger.put_budget(Budget("tiny", {"workflow_type": "OpenAIWeather"}, hard=1))
        with pytest.raises(WorkflowFailureError):
            await run(client, OpenAIWeather.run, "And Rome?")
    assert len(provider.records) == 1
