"""A chat by `ai.generate` whose payloads are stored apart: both plug-ins of one client, the store in the ledger."""

from __future__ import annotations

import pytest
from temporalio import workflow

from outlive import ai
from outlive.ai.contents import ContentsPlugin, store_at
from outlive.ledger.client import HttpLedger
from tests.ai.conftest import MODEL, Working, new_id

TURNS = 12


@workflow.defn
class Talk:
    @workflow.run
    async def run(self, said: list[str]) -> int:
        messages: list[dict[str, str]] = []
        for words in said:
            messages.append({"role": "user", "text": words})
            reply = await ai.generate(messages, model=MODEL)
            messages = reply.messages
        return len(messages)


@pytest.mark.parametrize("apart", [False, True])
async def test_a_long_chat(working: Working, ledger: HttpLedger, apart: bool) -> None:
    plugins = [ContentsPlugin(store_at(f"ledger:{ledger.address}"))] if apart else []
    said = [f"{number}: " + "words that are said in a chat, and repeated by no one. " * 20 for number in range(TURNS)]
    async with working([Talk], plugins=plugins) as client:
        handle = await client.start_workflow(Talk.run, said, id=new_id(), task_queue="ai")
        assert await handle.result() == 2 * TURNS
        described = await handle.describe()
        size = described.raw_description.workflow_execution_info.history_size_bytes
    owners = [owner.owner for owner in await ledger.content_owners()]
    if apart:
        assert owners == [f"workflow/{handle.id}"]
        assert size < 4 * sum(map(len, said))
    else:
        assert owners == []
        assert size > 12 * sum(map(len, said))
