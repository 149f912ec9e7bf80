"""A run's tabs and everything that its page can do, over HTTP."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from outlive.ledger.client import Call, Result, Tokens, connect
from tests.web.conftest import Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")
JSON = {"accept": "application/json"}


class Desk:
    """One run's page, and what is done on it."""

    def __init__(self, http: httpx.AsyncClient, path: str) -> None:
        self.http, self.path = http, path

    async def do(self, what: str, **fields: str) -> dict[str, Any]:
        page = (await self.http.get(self.path)).text
        found = re.search(r'name="token" value="([0-9a-f]+)"', page)
        assert found is not None
        answer = await self.http.post(
            f"{self.path}/{what}", data={"token": found.group(1), **fields}, headers={"x-outlive-form": "1"}
        )
        told: dict[str, Any] = answer.json()
        return told

    async def view(self, tail: str = "") -> dict[str, Any]:
        found: dict[str, Any] = (await self.http.get(self.path + tail, headers=JSON)).json()
        return found


def desk(http: httpx.AsyncClient, stage: Stage, handle: WorkflowHandle[Any, Any]) -> Desk:
    return Desk(http, stage.run_path(handle))


async def test_a_run_is_asked_told_and_ended(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("ResearchPipeline", "x", id="acts-ask")
    page = desk(http, stage, handle)
    handlers = await eventually(lambda: page.view("/ask"), lambda view: view["known"])
    assert [one["name"] for one in handlers["signals"]] == ["approve"]
    assert [one["name"] for one in handlers["updates"]] == ["add_note"]

    noted = await page.do("update", update="add_note", input='"read twice"')
    assert ">1<" in noted["html"]
    wrong = await page.do("update", update="add_note", input="read twice")
    assert "Expected: JSON" in wrong["problems"]["input"]
    unknown = await page.do("query", query="nothing")
    assert "nothing" in unknown["problems"][""]
    stack = (await page.do("stack"))["html"]
    assert "run (workflow: ResearchPipeline" in stack
    assert "__stack_trace" not in stack

    assert "needed" in str((await page.do("terminate"))["problems"]).lower()
    assert (await page.do("signal", signal="approve", input='"maria"'))["words"] == "Signal “approve” is sent."
    assert (await handle.result())["notes"] == ["read twice"]
    assert "already completed" in str((await page.do("terminate", reason="late"))["problems"])


async def test_a_run_is_reset_from_a_point_and_compared(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("AnalyseDocument", "a.md", id="acts-reset")
    await handle.result()
    page = desk(http, stage, handle)
    (row,) = (await page.view())["timeline"]["rows"]
    done = await page.do("reset", event=str(row["group"]["reset_at"]), reason="again", signals="1", updates="1")
    new = await eventually(lambda: Desk(http, done["location"]).view(), lambda v: v["header"]["status"] == "Completed")
    assert new["header"]["link"]["run_id"] != handle.result_run_id

    async def chain() -> list[str]:
        return [one["run_id"] for one in (await page.view("/relatives"))["chain"]]

    await eventually(chain, lambda ids: len(ids) == 2)
    compared = await http.get(
        "/namespaces/default/compare",
        params={"a": "acts-reset", "a_run": handle.result_run_id, "b": "acts-reset"},
        headers=JSON,
    )
    view = compared.json()
    assert view["same_input"]
    assert view["same_result"]
    assert [pair["differs"] for pair in view["steps"]] == [True, False]
    assert view["steps"][0]["right"]["name"] == "Workflow task failed", "which is how a reset begins"
    again = await page.do("again", workflow_id="acts-again", type="AnalyseDocument", task_queue="web-tests",
                          edited="1", input='"b.md"')  # fmt: skip
    second = await eventually(
        lambda: Desk(http, again["location"]).view(), lambda v: v["header"]["status"] == "Completed"
    )
    assert "b.md" in second["result"][0]["text"]


async def test_an_activity_is_paused_reset_and_completed_by_hand(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("SyncForever", "x", id="acts-activity")
    page = desk(http, stage, handle)

    async def activity() -> dict[str, Any]:
        found: list[dict[str, Any]] = (await page.view())["activities"]
        return found[0] if found else {}

    await eventually(activity, lambda one: one.get("attempt", 0) > 1)
    await page.do("activities", do="pause", activity="1")
    await eventually(activity, lambda one: one["status"] == "Paused")
    assert "Unpause" in (await http.get(page.path)).text
    assert "is paused" in (await page.view())["reasons"][0]["words"]
    await page.do("activities", do="unpause", activity="1")
    await page.do("activities", do="reset", activity="1")
    done = await page.do("activities", do="complete", activity="1", result="null")
    assert done["words"] == "The activity is completed."
    assert await handle.result() is None
    other = await stage.start("HoldOn", 30.0, id="acts-fail")
    failing = desk(http, stage, other)
    await eventually(failing.view, lambda view: [one["status"] for one in view["activities"]] == ["Running"])
    assert "message" in (await failing.do("activities", do="fail", activity="1"))["problems"]
    await failing.do("activities", do="fail", activity="1", message="by hand")
    ended = await eventually(failing.view, lambda view: view["header"]["status"] == "Failed")
    assert "by hand" in str(ended["header"]["failure"])


async def test_a_run_is_paused_cancelled_and_deleted(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("HoldOn", 30.0, id="acts-pause")
    page = desk(http, stage, handle)
    await page.do("pause", reason="lunch")
    assert (await page.view())["header"]["status"] == "Paused"
    await page.do("unpause")
    await page.do("cancel", reason="enough")

    async def status() -> WorkflowExecutionStatus | None:
        return (await handle.describe()).status

    await eventually(status, lambda found: found == WorkflowExecutionStatus.CANCELED)
    assert "deleted" in (await page.do("delete"))["words"]
    await eventually(lambda: http.get(page.path), lambda answer: answer.status_code == 404)


async def test_everything_else_of_a_run_is_on_its_details(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.client.start_workflow(
        "AnalyseDocument", "x", id="acts-details", task_queue="web-tests", memo={"why": ["a", "b"]},
        static_summary="A **summary**", static_details="# More\n\n<script>x</script>",
        run_timeout=timedelta(minutes=5),
    )  # fmt: skip
    await handle.result()
    answer = await http.get(f"{stage.run_path(handle)}/details")
    assert "<h1>More</h1>" in answer.text
    assert "&lt;script&gt;" in answer.text
    assert "5 min" in answer.text
    assert "why" in answer.text
    listed = await http.get(f"{stage.run_path(handle)}/json", params={"from": "5"})
    assert "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED" in listed.text
    timeline = await http.get(f"{stage.run_path(handle)}/timeline")
    assert "count_words" in timeline.text
    assert "<html" not in timeline.text


async def test_what_a_run_asked_of_models_is_shown_with_its_words_and_money(
    http: httpx.AsyncClient, stage: Stage
) -> None:
    handle = await stage.start("AnalyseDocument", "x", id="acts-calls")
    await handle.result()
    page = desk(http, stage, handle)
    assert "No model call" in (await http.get(f"{page.path}/model-calls")).text
    async with connect(stage.ledger) as ledger:
        call = Call(key="k", model="gpt-5-mini", provider="openai", run=handle.result_run_id or "", step="turn 1")
        words = json.dumps([{"role": "user", "content": "Is it **wet**? <script>x</script>"}])
        result = Result(usage=Tokens(100, 20), cost=5_000_000, record="full", prompt=words, answer="Yes.")
        await ledger.record(call, result)
    shown = (await http.get(f"{page.path}/model-calls")).text
    assert "<strong>wet</strong>? &lt;script&gt;" in shown
    assert "$0.0050" in shown
    view = await page.view("/model-calls")
    assert (view["sums"]["calls"], view["sums"]["output"], view["calls"][0]["messages"][1]["text"]) == (1, 20, "Yes.")
