"""Workflows that ask a person."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow

from outlive import ai
from outlive.ledger.client import Approval, Decision, HttpLedger
from tests.ai.conftest import Working, new_id, run


@workflow.defn
class AskAPerson:
    @workflow.run
    async def run(self, seconds: float) -> dict[str, Any]:
        decided = await ai.approval(
            "Send the mail?",
            {"to": "everybody"},
            form={"text": "Hello"},
            assignee="ann",
            timeout=timedelta(seconds=seconds),
            escalate_to="bob",
            escalate_after=timedelta(seconds=0.5),
        )
        at = decided.at.isoformat() if decided.at else ""
        return {"state": decided.state, "by": decided.by, "reason": decided.reason, "edits": decided.edits, "at": at}


async def _asked(ledger: HttpLedger, assignee: str) -> Approval:
    async with asyncio.timeout(20):
        while not (found := await ledger.approvals(state="open", assignee=assignee)):
            await asyncio.sleep(0.05)
    return found[0]


@pytest.mark.both_servers
async def test_a_person_answers_after_it_was_passed_on(working: Working, ledger: HttpLedger) -> None:
    async with working([AskAPerson]) as client:
        handle = await client.start_workflow(AskAPerson.run, 600.0, id=new_id(), task_queue="ai")
        asked = await _asked(ledger, "bob")
        assert (asked.title, asked.details, asked.workflow_id) == ("Send the mail?", {"to": "everybody"}, handle.id)
        async with asyncio.timeout(5):  # well before the workflow would look by itself
            await ledger.decide(asked.id, Decision("approve", "bob", "fine", {"text": "Hi"}))
            answer = await handle.result()
    assert answer["at"]
    assert answer == {"state": "approved", "by": "bob", "reason": "fine", "edits": {"text": "Hi"}, "at": answer["at"]}


async def test_nobody_answers_in_time(working: Working) -> None:
    async with working([AskAPerson]) as client:
        assert (await run(client, AskAPerson.run, 0.6))["state"] == "expired"


async def test_a_cancelled_workflow_takes_its_question_back(working: Working, ledger: HttpLedger) -> None:
    async with working([AskAPerson]) as client:
        handle = await client.start_workflow(AskAPerson.run, 600.0, id=new_id(), task_queue="ai")
        asked = await _asked(ledger, "ann")
        await handle.cancel()
        async with asyncio.timeout(20):
            assert (await ledger.approval(asked.id, wait=20.0)).state == "cancelled"
