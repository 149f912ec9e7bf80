"""The list of runs over HTTP: saved views, order, completion, and batches with their dry run."""

from __future__ import annotations

import re

import httpx
import pytest
from temporalio.client import WorkflowExecutionStatus

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

    async def statuses() -> list[WorkflowExecutionStatus | None]:
        return [(await handle.describe()).status for handle in handles]

    await eventually(statuses, lambda found: set(found) == {WorkflowExecutionStatus.TERMINATED})
