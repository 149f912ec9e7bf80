"""Approvals and costs over HTTP."""

from __future__ import annotations

import re
from datetime import date

import httpx
import pytest

from outlive.ledger.client import Approval, Call, Quota, Result, Tokens, connect
from outlive.web.views import costs
from outlive.web.views.costs import Cost
from tests.web.conftest import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
AT = "/namespaces/default/approvals"
JSON = {"accept": "application/json"}
SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string", "title": "Headline"},
        "copies": {"type": "integer"},
        "public": {"type": "boolean"},
        "tone": {"enum": ["calm", "loud"]},
        "tags": {"type": "array"},
    },
}


async def decide(http: httpx.AsyncClient, id: str, **fields: str) -> dict[str, dict[str, str]]:
    page = (await http.get(f"{AT}/{id}")).text
    token = re.search(r'name="token" value="([0-9a-f]+)"', page)
    assert token is not None
    answer = await http.post(f"{AT}/{id}/decide", data={"token": token[1], **fields}, headers={"x-outlive-form": "1"})
    found: dict[str, dict[str, str]] = answer.json()
    return found


async def test_a_question_is_answered_with_changes_or_rejected_with_a_reason(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    form = {"title": "Old", "copies": 1, "public": True, "tone": "calm", "tags": ["a"]}
    asked = Approval(
        id="ask/1", title="Publish?", details="# Why\n\n<script>x</script>", schema=SCHEMA, form=form, workflow_id="w"
    )
    async with connect(stage.ledger) as ledger:
        await ledger.ask_approval(asked)
        await ledger.ask_approval(Approval(id="ask-2", title="Delete?"))
        page = (await http.get(f"{AT}/ask%2F1")).text
        assert "Headline" in page
        assert "<h1>Why</h1>" in page
        assert "&lt;script&gt;" in page
        filled = {"edit.title": "New", "edit.copies": "2", "edit.tone": "loud", "edit.tags": '["a"]', "by": "maria"}
        wrong = await decide(http, "ask%2F1", **{**filled, "edit.copies": "two"}, choice="approve")
        assert "edit.copies" in wrong["problems"]
        await decide(http, "ask%2F1", **filled, choice="approve")
        found = await ledger.approval("ask/1")
        assert (found.state, found.decided_by) == ("approved", "maria")
        assert found.edits == {"title": "New", "copies": 2, "public": False, "tone": "loud", "tags": ["a"]}
        assert "reason" in (await decide(http, "ask-2", choice="reject", by="max"))["problems"]
        await decide(http, "ask-2", choice="reject", by="max", reason="no")
        assert (await ledger.approval("ask-2")).state == "rejected"
    view = (await http.get(AT, headers=JSON)).json()
    assert {"ask/1", "ask-2"} <= {one["id"] for one in view["closed"]}
    assert "Decided lately" in (await http.get(AT)).text
    assert (await http.get(f"{AT}/nothing")).status_code == 404


async def test_costs_are_summed_by_day_and_group(http: httpx.AsyncClient, stage: Stage) -> None:
    async with connect(stage.ledger) as ledger:
        await ledger.put_quota(Quota("costs-quota", tokens=1000))
        for n, model in enumerate(("dear", "cheap")):
            result = Result(usage=Tokens(100, 10), cost=3_000_000_000 // (n + 1))
            await ledger.record(Call(key=f"costs-{n}", model=model, team="costs-team"), result)
    view = (await http.get("/namespaces/default/costs", params={"by": "team", "days": "7"}, headers=JSON)).json()
    assert {"group": "costs-team", "cost": 4.5, "calls": 2}.items() <= next(
        row for row in view["rows"] if row["group"] == "costs-team"
    ).items()
    assert len(view["bars"]) == 7
    page = (await http.get("/namespaces/default/costs", params={"by": "model", "days": "x"})).text
    assert "dear" in page
    assert "costs-quota" in page


def test_days_without_calls_have_a_bar_too() -> None:
    found = costs.bars([Cost("2026-11-22", 1, 0, 0, 1, 1, 2.0, 0.0)], date(2026, 11, 21), 3)
    assert [(bar.day.day, bar.height) for bar in found] == [(21, 0.0), (22, 100.0), (23, 0.0)]
