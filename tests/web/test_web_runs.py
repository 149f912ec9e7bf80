"""The list of runs over HTTP: saved views, order, completion, and batches with their dry run."""

from __future__ import annotations

import re

import httpx
import pytest
from temporalio.client import WorkflowExecutionStatus

from outlive.ledger.client import Approval, Budget, Call, Result, Tokens, connect
from tests.web.conftest import Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")
LIST = "/namespaces/default/workflows"
JSON = {"accept": "application/json"}
SCRIPT = {"x-outlive-form": "1"}


async def token(http: httpx.AsyncClient) -> str:
    found = re.search(r'name="token" value="([0-9a-f]+)"', (await http.get(LIST)).text)
    assert found is not None
    return found.group(1)


async def test_a_view_is_saved_shown_and_removed(http: httpx.AsyncClient, stage: Stage) -> None:
    data = {"token": await token(http), "name": "Evil <b>", "query": "WorkflowType = 'x'", "sort": "-start"}
    answer = (await http.post(f"{LIST}.views", data=data, headers=SCRIPT)).json()
    assert "query=WorkflowType" in answer["location"]
    page = (await http.get(answer["location"])).text
    assert "Evil &lt;b&gt;" in page
    view = (await http.get(answer["location"], headers=JSON)).json()
    assert [v["params"] for v in view["views"] if v["own"]] == [{"query": "WorkflowType = 'x'", "sort": "-start"}]
    await http.post(f"{LIST}.views", data={**data, "remove": "1"}, headers=SCRIPT)
    view = (await http.get(LIST, headers=JSON)).json()
    assert [v for v in view["views"] if v["own"]] == []


async def test_rows_are_sorted_and_paged_with_the_columns_asked_for(http: httpx.AsyncClient, stage: Stage) -> None:
    for name in ("b", "c", "a"):
        await stage.start("HoldOn", 1.0, id=f"sorted-{name}", queue="nobody-polls")
    params = {"query": "WorkflowId STARTS_WITH 'sorted-'", "sort": "workflow", "columns": "type,events"}

    async def listed() -> list[str]:
        view = (await http.get(LIST, params=params, headers=JSON)).json()
        assert [c["key"] for c in view["columns"]] == ["workflow", "type", "events"]
        return [row["workflow_id"] for row in view["rows"]]

    await eventually(listed, lambda ids: ids == ["sorted-a", "sorted-b", "sorted-c"])


async def test_completion_knows_what_runs_have(http: httpx.AsyncClient, stage: Stage) -> None:
    await stage.start("HoldOn", 1.0, id="complete-me", queue="complete-queue")

    async def offered() -> list[str]:
        answer = await http.get(f"{LIST}.complete", params={"text": "TaskQueue = 'complete-q"})
        return [one["text"] for one in answer.json()["items"]]

    await eventually(offered, lambda found: found == ["'complete-queue' "])


async def test_a_batch_says_what_it_would_do_then_does_it(http: httpx.AsyncClient, stage: Stage) -> None:
    handles = [await stage.start("HoldOn", 1.0, id=f"bulk-{n}", queue="nobody-polls") for n in range(3)]
    await handles[0].terminate()
    query = {"query": "WorkflowId STARTS_WITH 'bulk-'", "do": "terminate"}

    async def dry() -> dict[str, object]:
        found: dict[str, object] = (await http.get(f"{LIST}.bulk", params=query, headers=JSON)).json()
        return found

    view = await eventually(dry, lambda v: (v["count"], v["left_out"]) == (2, 1))
    page = (await http.get(f"{LIST}.bulk", params=query)).text
    assert "Terminate 2 runs" in page
    data = {"token": await token(http), "do": "terminate", "batch_query": str(view["query"]), "seen": "2"}
    refused = await http.post(f"{LIST}.bulk", data=data, headers=SCRIPT)
    assert "reason" in refused.json()["problems"]
    many = await http.post(f"{LIST}.bulk", data={**data, "reason": "x", "seen": "0"}, headers=SCRIPT)
    assert "Look again first" in many.json()["problems"][""]
    done = await http.post(f"{LIST}.bulk", data={**data, "reason": "tidy up"}, headers=SCRIPT)
    assert done.json()["words"] == "Terminate: a batch over 2 runs has started."
    batch = done.json()["location"]

    async def state() -> dict[str, object]:
        found: dict[str, object] = (await http.get(batch, headers=JSON)).json()
        return found

    ended = await eventually(state, lambda found: "Completed" in str(found["row"]))
    assert (ended["total"], ended["done"], ended["reason"]) == (2, 2, "tidy up")
    assert "Terminate 2 runs" in (await http.get(batch)).text
    assert "Terminate" in (await http.get("/namespaces/default/batches")).text
    stopped = await http.post(f"{batch}/stop", data={"token": data["token"], "reason": "late"}, headers=SCRIPT)
    assert set(stopped.json()) & {"problems", "location"}

    async def statuses() -> list[WorkflowExecutionStatus | None]:
        return [(await handle.describe()).status for handle in handles]

    await eventually(statuses, lambda found: set(found) == {WorkflowExecutionStatus.TERMINATED})


async def test_the_first_page_says_what_needs_somebody(http: httpx.AsyncClient, stage: Stage) -> None:
    lonely = await stage.start("HoldOn", 1.0, id="home-lonely", queue="home's queue")
    failing = await stage.start("ChargeCustomer", 1, id="home-failed")
    async with connect(stage.ledger) as ledger:
        asked = Approval(id="home-1", title="Publish <it>?", workflow_id="home-lonely", assignee="maria")
        await ledger.ask_approval(asked)
        await ledger.put_budget(Budget("home", hard=2_000_000_000))
        await ledger.record(Call(key="home", model="m"), Result(usage=Tokens(1, 1), cost=500_000_000))

    async def home() -> dict[str, object]:
        found: dict[str, object] = (await http.get("/", headers=JSON)).json()
        return found

    view = await eventually(
        home, lambda v: "home's queue" in str(v["lonely"]) and "home-failed" in str(v["failed"]), seconds=20
    )
    assert "Publish <it>?" in str(view["approvals"])
    page = (await http.get("/namespaces/default")).text
    for words in ("Publish &lt;it&gt;?", "No worker polls task queue", "home-failed", "$0.50"):
        assert words in page
    async with http.stream("GET", "/namespaces/default/home.live") as answer:
        async for line in answer.aiter_lines():
            if "home-failed" in line:
                break
    await lonely.terminate()
    assert failing.id == "home-failed"
