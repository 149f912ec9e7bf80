"""Schedules and task queues over HTTP."""

from __future__ import annotations

import re

import httpx
import pytest
from temporalio.api.schedule.v1 import Range, StructuredCalendarSpec
from temporalio.api.schedule.v1 import ScheduleSpec as ApiSpec
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.client import Schedule, ScheduleActionStartWorkflow, ScheduleSpec, ScheduleState

from outlive.web.views import workers
from outlive.web.views.schedules import timing
from outlive.web.views.times import parsed
from tests.web.conftest import Stage, eventually

pytestmark = pytest.mark.asyncio(loop_scope="session")
AT = "/namespaces/default/schedules"
JSON = {"accept": "application/json"}


async def change(http: httpx.AsyncClient, id: str, **fields: str) -> dict[str, object]:
    token = re.search(r'name="token" value="([0-9a-f]+)"', (await http.get(f"{AT}/{id}")).text)
    assert token is not None
    answer = await http.post(f"{AT}/{id}/change", data={"token": token[1], **fields}, headers={"x-outlive-form": "1"})
    found: dict[str, object] = answer.json()
    return found


async def test_a_schedule_is_listed_paused_started_and_deleted(http: httpx.AsyncClient, stage: Stage) -> None:
    action = ScheduleActionStartWorkflow("AnalyseDocument", "<b>", id="by-schedule", task_queue="web-tests")
    spec = ScheduleSpec(cron_expressions=["30 2 * * MON"])
    schedule = Schedule(action=action, spec=spec, state=ScheduleState(note="from <tests>"))
    await stage.client.create_schedule("web/nightly", schedule)

    async def view() -> dict[str, object]:
        found: dict[str, object] = (await http.get(f"{AT}/web%2Fnightly", headers=JSON)).json()
        return found

    found = await view()
    assert len(str(found["upcoming"]).split(",")) == 10
    page = (await http.get(f"{AT}/web%2Fnightly")).text
    assert "from &lt;tests&gt;" in page
    await eventually(lambda: http.get(AT), lambda answer: "web/nightly" in answer.text)

    assert "note" in str((await change(http, "web%2Fnightly", do="pause"))["problems"])
    await change(http, "web%2Fnightly", do="pause", note="holidays")
    await eventually(view, lambda v: "'paused': True" in str(v["row"]))
    await change(http, "web%2Fnightly", do="unpause")
    await change(http, "web%2Fnightly", do="trigger")
    await eventually(view, lambda v: "by-schedule" in str(v["recent"]))
    wrong = await change(http, "web%2Fnightly", do="backfill", **{"from": "yesterday", "to": "2026-11-23"})
    assert "from" in str(wrong["problems"])
    filled = await change(http, "web%2Fnightly", do="backfill", **{"from": "2026-11-22", "to": "2026-11-24T00:00Z"})
    assert "started now" in str(filled["words"])
    assert "deleted" in str((await change(http, "web%2Fnightly", do="delete"))["words"])
    await eventually(lambda: http.get(f"{AT}/web%2Fnightly"), lambda answer: answer.status_code == 404)


async def test_a_queue_without_a_worker_is_on_top(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("HoldOn", 1.0, id="queues-lonely", queue="queues/lonely")

    async def rows() -> dict[str, dict[str, object]]:
        found = (await http.get("/namespaces/default/task-queues", headers=JSON)).json()["rows"]
        return {row["name"]: row for row in found}

    found = await eventually(rows, lambda r: "queues/lonely" in r and "web-tests" in r)
    assert found["queues/lonely"]["lonely"]
    assert found["web-tests"]["workers"] == 1
    page = (await http.get("/namespaces/default/task-queues/queues%2Flonely")).text
    assert "No worker polls it now" in page
    assert "workflow tasks" in (await http.get("/namespaces/default/task-queues/web-tests")).text
    assert "No worker" in (await http.get("/namespaces/default/task-queues")).text
    await handle.terminate()


def ranges(text: str) -> list[Range]:
    return [Range(start=int(one.split("-")[0]), end=int(one.split("-")[-1])) for one in text.split(",") if one]


@pytest.mark.parametrize(
    ("minute", "hour", "dates", "month", "days", "words"),
    [
        ("30", "2", "1-31", "1-12", "1", "Mon 02:30"),
        ("0", "6", "1-31", "1-12", "0-6", "06:00"),
        ("0", "0", "1", "1-12", "0-6", "1. 00:00"),
        ("0", "0", "1", "1", "0-6", "1 Jan 00:00"),
        ("0,30", "8-18", "1-31", "1-12", "1-5", "0,30 8-18 * * 1-5"),
    ],
)
async def test_a_calendar_in_words(minute: str, hour: str, dates: str, month: str, days: str, words: str) -> None:
    calendar = StructuredCalendarSpec(
        minute=ranges(minute), hour=ranges(hour), day_of_month=ranges(dates), month=ranges(month),
        day_of_week=ranges(days),
    )  # fmt: skip
    assert timing(ApiSpec(structured_calendar=[calendar])) == words


async def test_moments_are_read_as_people_write_them() -> None:
    assert parsed("2026-11-23") == parsed("2026-11-23T00:00Z")
    assert parsed("soon") is None


async def test_workers_and_health(http: httpx.AsyncClient, stage: Stage) -> None:
    assert (await http.get("/namespaces/default/workers")).status_code == 200
    beat = WorkerHeartbeat(worker_identity="<w>", task_queue="q", sdk_name="temporal-python", sdk_version="1.35")
    beat.activity_task_slots_info.current_used_slots = 2
    beat.activity_task_slots_info.current_available_slots = 8
    found = workers.row(beat)
    assert (found.identity, found.activity_slots, found.sdk) == ("<w>", "2 of 10", "temporal-python 1.35")
    view = (await http.get("/settings", headers=JSON)).json()
    assert [(one["name"], one["problem"]) for one in view["services"]] == [("Server", ""), ("Ledger", "")]
    assert stage.address in (await http.get("/settings")).text
