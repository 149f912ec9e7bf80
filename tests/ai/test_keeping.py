"""What is kept of calls: streams, answers whose activity was not recorded, what replays saved, prompts."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.client import WorkflowExecutionStatus
from temporalio.common import RetryPolicy
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor, Worker

from outlive import ai
from outlive.ledger.client import Budget, Filter, HttpLedger
from outlive.testing.providers import Behaviour, FakeProvider
from tests.ai.conftest import MODEL, Working, new_id, run
from tests.servers import connected

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=20), maximum_attempts=3)


@workflow.defn
class Speak:
    @workflow.run
    async def run(self, prompt: str, stream: str) -> str:
        return (await ai.generate(prompt, model=MODEL, stream=stream, retry_policy=QUICK)).output


@workflow.defn
class AskThrice:
    @workflow.run
    async def run(self) -> list[str]:
        return [(await ai.generate(f"Number {number}.", model=MODEL)).output for number in range(3)]


@workflow.defn
class AskPatiently:
    @workflow.run
    async def run(self) -> str:
        return (await ai.generate("Hello.", model=MODEL, on_budget="wait")).output


class DieBeforeRecorded(Interceptor):
    """The first attempt of each activity ends as if its worker had died after the answer came."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        class Dying(ActivityInboundInterceptor):
            async def execute_activity(self, input: ExecuteActivityInput) -> Any:
                result = await self.next.execute_activity(input)
                if activity.info().attempt == 1 and not activity.info().is_local:
                    raise RuntimeError("the worker died")
                return result

        return Dying(next)


async def test_text_is_read_while_it_is_written_and_again_later(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    provider.on(Behaviour(text="one two three four five six", chunk_delay=0.15))
    async with working([Speak]) as client:
        stream = new_id()
        started = await client.start_workflow(Speak.run, args=["Count.", stream], id=stream, task_queue="ai")
        seen = []
        running_at_first = None
        async for chunk in ledger.follow(stream):
            if running_at_first is None:
                running_at_first = (await started.describe()).status == WorkflowExecutionStatus.RUNNING
            seen.append(chunk.data)
        said = await started.result()
        history = await started.fetch_history()
    assert running_at_first
    assert len(seen) > 3
    assert "".join(seen) == said == "one two three four five six"
    late = [chunk.data async for chunk in ledger.follow(stream, offset=2)]
    assert "".join(late) == "".join(seen[2:])
    assert len(history.events) < 20
    row = (await ledger.attempts()).attempts[0]
    assert row.first_token is not None
    assert row.latency is not None
    assert row.first_token < row.latency


async def test_a_cut_stream_is_replaced_by_the_next_attempt(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    provider.on(Behaviour(text="one two three four five six"))
    provider.on(Behaviour(text="un deux trois quatre cinq six", cut_after=3), times=1)
    async with working([Speak]) as client:
        stream = new_id()
        said = await run(client, Speak.run, "Count.", stream)
    chunks = [chunk async for chunk in ledger.follow(stream)]
    last = max(chunk.attempt for chunk in chunks)
    assert "".join(chunk.data for chunk in chunks if chunk.attempt == last) == said == "one two three four five six"


async def test_an_answer_that_was_not_recorded_is_not_asked_for_again(
    provider: FakeProvider, ledger: HttpLedger, server_address: str
) -> None:
    plugin = ai.AIPlugin(ledger=ledger.address, record="full")
    client = await connected(server_address, [plugin])
    async with Worker(client, task_queue="ai", workflows=[AskThrice], interceptors=[DieBeforeRecorded()]):
        assert len(await run(client, AskThrice.run)) == 3
    assert len(provider.records) == 3
    rows = (await ledger.attempts()).attempts
    paid, resumed = [row for row in rows if not row.saved_by], [row for row in rows if row.saved_by == "replay"]
    assert len(paid) == len(resumed) == 3
    assert sum(row.cost for row in paid) == sum(row.saved for row in resumed) > 0


async def test_what_a_replay_saves_is_written_down(
    provider: FakeProvider, ledger: HttpLedger, server_address: str
) -> None:
    client = await connected(server_address, [ai.AIPlugin(ledger=ledger.address)])
    for cached in (1000, 0):  # a worker that remembers, and one that reads the history anew for each step
        async with Worker(client, task_queue="ai", workflows=[AskThrice], max_cached_workflows=cached):
            await run(client, AskThrice.run)
        saved = [row.saved for row in (await ledger.attempts()).attempts if row.saved_by == "replay"]
        assert len(saved) == (0 if cached else 2)
        assert all(saved)
    assert len(provider.records) == 6


@pytest.mark.parametrize("record", ["full", "hash", "none"])
async def test_the_ledger_keeps_no_more_than_it_is_told(
    working: Working, provider: FakeProvider, ledger: HttpLedger, record: str, tmp_path: Any
) -> None:
    provider.on(Behaviour(text="The answer is forty-two."))
    async with working([Speak], record=record) as client:
        await run(client, Speak.run, "What about zebras?", "")
    row = (await ledger.attempts()).attempts[0]
    assert ("zebras" in row.prompt, "forty-two" in row.answer) == (record == "full", record == "full")
    assert (bool(row.prompt), bool(row.answer)) == (record != "none", record != "none")
    if record != "full":
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
        assert kept
        assert b"zebras" not in kept
        assert b"forty-two" not in kept


async def test_a_call_waits_until_its_budget_is_raised(
    working: Working, provider: FakeProvider, ledger: HttpLedger
) -> None:
    await ledger.put_budget(Budget("tight", {"workflow_type": "AskPatiently"}, hard=1_000_000))
    async with working([AskPatiently]) as client:
        for _ in range(20):
            handle = await client.start_workflow(AskPatiently.run, id=new_id(), task_queue="ai")
            ended = asyncio.ensure_future(handle.result())
            waiting = asyncio.ensure_future(_somebody_waits(ledger))
            await asyncio.wait([ended, waiting], return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not ended.done():
                break
        assert not ended.done()
        made = len(provider.records)
        await ledger.raise_budget("tight", to=10**9)
        assert await asyncio.wait_for(ended, 20)
    assert len(provider.records) == made + 1
    assert sum(row.cost for row in (await ledger.attempts(Filter(outcome="ok"))).attempts) > 0


async def _somebody_waits(ledger: HttpLedger) -> None:
    while not await ledger.waiting():
        await asyncio.sleep(0.05)
