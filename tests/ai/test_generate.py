"""Model calls from workflows, over real HTTP."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import RetryPolicy

from outlive import ai
from outlive.ledger.client import Budget, Filter, HttpLedger, Quota
from outlive.testing.providers import Behaviour, FakeProvider
from tests.ai.conftest import MODEL, Working, new_id, run

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=3)


class City(BaseModel):
    name: str
    inhabitants: int


@workflow.defn
class Ask:
    @workflow.run
    async def run(self, prompt: str, model: str | list[str]) -> dict[str, Any]:
        reply = await ai.generate(prompt, model=model, retry_policy=QUICK)
        return {"text": reply.output, "model": reply.model, "id": reply.request_id, "cost": reply.cost}


@workflow.defn
class AskCity:
    @workflow.run
    async def run(self, prompt: str) -> City:
        return (await ai.generate(prompt, model=MODEL, output=City)).output


@workflow.defn
class AskCached:
    @workflow.run
    async def run(self, prompt: str) -> list[bool]:
        replies = [await ai.generate(prompt, model=MODEL, cache=timedelta(hours=1)) for _ in range(2)]
        assert replies[0].output == replies[1].output
        return [reply.cached for reply in replies]


@dataclass
class Caught:
    kind: str
    request_id: str


@workflow.defn
class AskCatching:
    @workflow.run
    async def run(self, prompt: str) -> Caught:
        try:
            await ai.generate(prompt, model=MODEL, retry_policy=QUICK, settings={"max_tokens": 100})
        except ai.AIError as error:
            return Caught(type(error).__name__, error.request_id)
        return Caught("", "")


@pytest.mark.both_servers
async def test_an_answer_and_its_row(working: Working, provider: FakeProvider, ledger: HttpLedger) -> None:
    provider.on(Behaviour(text="Hello there.", cached_tokens=3))
    async with working([Ask]) as client:
        answer = await run(client, Ask.run, "Say hello.", MODEL)
    assert answer["text"] == "Hello there."
    row = (await ledger.attempts()).attempts[0]
    record = provider.records[0]
    assert (row.input, row.output, row.cached) == (record.input, record.output, 3)
    assert answer["id"] == row.request_id == record.id
    assert row.outcome == "ok"
    assert row.cost > 0
    assert answer["cost"] == pytest.approx(row.cost / 1e9)
    assert record.idempotency_key


async def test_anthropic_and_responses_answer_too(working: Working, ledger: HttpLedger) -> None:
    async with working([Ask]) as client:
        for model in ("anthropic:claude-haiku-4-5", "openai:gpt-5-mini"):
            assert (await run(client, Ask.run, "Say hello.", model))["text"]
    assert {row.provider for row in (await ledger.attempts()).attempts} == {"anthropic", "openai"}


async def test_an_answer_of_a_type_is_asked_for_again_until_it_fits(working: Working, provider: FakeProvider) -> None:
    provider.on(Behaviour(json={"name": "Oslo", "inhabitants": "many"}), times=1)
    async with working([AskCity]) as client:
        city = await run(client, AskCity.run, "A city?")
    assert isinstance(city, City)
    assert len(provider.records) == 2


@pytest.mark.parametrize(
    ("behaviour", "kind", "calls"),
    [
        (Behaviour(problem="policy"), "ContentPolicy", 1),
        (Behaviour(refuse="I will not."), "ContentPolicy", 1),
        (Behaviour(problem="context_too_long"), "ContextTooLong", 1),
        (Behaviour(problem="bad_request"), "BadRequest", 1),
        (Behaviour(problem="auth"), "NotAuthorized", 1),
        (Behaviour(problem="no_credit"), "OutOfCredit", 1),
        (Behaviour(problem="server"), "ProviderFailed", 3),
        (Behaviour(cut_after=1), "ProviderFailed", 3),
        (Behaviour(malformed=True), None, 3),
    ],
)
async def test_failures_are_typed_and_retried_where_that_can_help(
    working: Working, provider: FakeProvider, ledger: HttpLedger, behaviour: Behaviour, kind: str | None, calls: int
) -> None:
    provider.on(behaviour)
    async with working([AskCatching]) as client:
        caught = await client.execute_workflow(AskCatching.run, "Hm.", id=new_id(), task_queue="ai", result_type=Caught)
    if kind is not None:
        assert caught.kind == kind
    assert caught.kind
    assert len(provider.records) == calls
    if behaviour.problem is not None:
        assert caught.request_id == provider.records[-1].id
    rows = (await ledger.attempts()).attempts
    assert len(rows) == calls
    assert all("sk-secret" not in str(row) for row in rows)


async def test_it_waits_as_long_as_the_provider_says(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    provider.on(Behaviour(problem="rate_limit", retry_after=0.6), times=1)
    async with working([Ask]) as client:
        await run(client, Ask.run, "Hello.", MODEL)
    first, second = provider.records
    assert second.began - first.ended >= 0.6
    assert {row.outcome for row in (await ledger.attempts()).attempts} == {"ok", "error"}


async def test_the_next_model_is_asked_where_one_fails(working: Working, provider: FakeProvider) -> None:
    provider.on(Behaviour(problem="server"), model="gpt-5-mini")
    async with working([Ask]) as client:
        answer = await run(client, Ask.run, "Hello.", [MODEL, "anthropic:claude-haiku-4-5"])
    assert answer["model"].startswith("claude")


async def test_an_equal_call_is_answered_from_the_cache_across_runs(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    async with working([AskCached]) as client:
        assert await run(client, AskCached.run, "Same.") == [False, True]
        assert await run(client, AskCached.run, "Same.") == [True, True]
        assert await run(client, AskCached.run, "Other.") == [False, True]
    assert len(provider.records) == 2
    hits = [row for row in (await ledger.attempts()).attempts if row.cache_hit]
    assert len(hits) == 4
    assert all(row.saved > 0 and row.cost == 0 for row in hits)


async def test_waiting_for_quota_is_durable_and_seen(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    await ledger.put_quota(Quota("slow", {"model": "gpt-5-mini"}, requests=1, per=1.5))
    async with working([Ask]) as client:
        ids = [new_id() for _ in range(3)]
        handles = [await client.start_workflow(Ask.run, args=["Hi.", MODEL], id=each, task_queue="ai") for each in ids]
        await asyncio.gather(*(handle.result() for handle in handles))
        summaries = [await _timer_summaries(client, each) for each in ids]
    assert len(provider.records) == 3
    began = sorted(record.began for record in provider.records)
    assert began[1] - began[0] >= 1.4
    assert began[2] - began[1] >= 1.4
    waited = [said for each in summaries for said in each]
    assert waited
    assert all("waiting for quota since" in said for said in waited)
    assert any("slow" in said for said in waited)
    assert {record.status for record in provider.records} == {200}


async def _timer_summaries(client: Client, workflow_id: str) -> list[str]:
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    return [
        event.user_metadata.summary.data.decode()
        for event in history.events
        if event.HasField("timer_started_event_attributes")
    ]


async def test_a_budget_stops_the_next_call_and_can_be_raised(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    await ledger.put_budget(Budget("tiny", {"workflow_type": "AskCatching"}, hard=1))
    async with working([AskCatching]) as client:
        caught = await client.execute_workflow(AskCatching.run, "Hm.", id=new_id(), task_queue="ai", result_type=Caught)
        assert caught.kind in ("BudgetExceeded", "CallImpossible")
        assert provider.records == []
        await ledger.raise_budget("tiny", to=10**9)
        caught = await client.execute_workflow(AskCatching.run, "Hm.", id=new_id(), task_queue="ai", result_type=Caught)
    assert caught.kind == ""


async def test_an_unknown_price_is_an_error_unless_it_is_said_what_it_is(working: Working, ledger: HttpLedger) -> None:
    async with working([Ask], on_unknown_price="error") as client:
        with pytest.raises(WorkflowFailureError) as failed:
            await run(client, Ask.run, "Hello.", "openai-chat:nobody-knows-1")
        assert getattr(failed.value.cause, "type", "") == "outlive.ai.UnknownPrice"
    async with working([Ask], on_unknown_price=lambda model: 7) as client:
        assert (await run(client, Ask.run, "Hello.", "openai-chat:nobody-knows-1"))["cost"] == pytest.approx(7e-9)


async def test_keys_reach_no_history_and_prompts_only_what_is_chosen(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    provider.on(Behaviour(problem="auth", message="Incorrect API key provided: sk-secret-0123456789"), prompt="bad")
    async with working([Ask], record="full", redact=lambda text: text.replace("Ann", "A.")) as client:
        failing = new_id()
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(Ask.run, args=["bad", MODEL], id=failing, task_queue="ai")
        await run(client, Ask.run, "Ann asks.", MODEL)
        history = await client.get_workflow_handle(failing).fetch_history()
    assert "sk-secret" not in history.to_json()
    rows = (await ledger.attempts(Filter(outcome="ok"))).attempts
    assert "A. asks." in rows[0].prompt
    assert "Ann" not in rows[0].prompt
    assert rows[0].answer
