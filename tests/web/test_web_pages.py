"""The pages over HTTP, of a real server with real runs."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from urllib.parse import urljoin

import httpx
import pytest
import pytest_asyncio
from temporalio.client import WorkflowFailureError, WorkflowHandle

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.app import create_app
from tests.web.conftest import Stage, eventually, free_port
from tests.web.web_workflows import HOSTILE_TEXT

pytestmark = pytest.mark.asyncio(loop_scope="session")
JSON = {"accept": "application/json"}


class Page(HTMLParser):
    """What a test asks of markup: its text, tags and addresses."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.feed(markup)
        self.text = re.sub(r"\s+", " ", self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        self.addresses += [
            value for name, value in attrs if name in ("href", "src", "action", "hx-sse:connect") and value
        ]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def pipeline(stage: Stage) -> WorkflowHandle:
    """A run that has done everything and completed."""
    handle = await stage.start("ResearchPipeline", "https://docs.example.org", id="pages/pipeline")
    await handle.signal("approve", "maria")
    await handle.result()
    return handle


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def failed(stage: Stage) -> WorkflowHandle:
    handle = await stage.start("ChargeCustomer", 42, id="pages-charge")
    with pytest.raises(WorkflowFailureError):
        await handle.result()
    return handle


@pytest_asyncio.fixture(loop_scope="session")
async def lonely() -> AsyncIterator[httpx.AsyncClient]:
    """The pages of a server that is not there."""
    app = create_app(WorkflowServiceClient(f"127.0.0.1:{free_port()}"))
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://pages") as client:
        yield client


async def listed(http: httpx.AsyncClient, query: str, **params: str) -> dict[str, list[dict[str, object]]]:
    answer = await http.get("/", params={"query": query, **params}, headers=JSON)
    found: dict[str, list[dict[str, object]]] = answer.json()
    return found


# The list -----------------------------------------------------------------------------------------


async def test_the_list_shows_runs_with_status_and_counts(
    http: httpx.AsyncClient, pipeline: WorkflowHandle, failed: WorkflowHandle
) -> None:
    view = await eventually(
        lambda: listed(http, "WorkflowId IN ('pages/pipeline', 'pages-charge')"),
        lambda v: sorted(str(r["status"]) for r in v["rows"]) == ["Completed", "Failed"],
    )
    row = next(r for r in view["rows"] if r["workflow_id"] == "pages-charge")
    assert row["run_id"] == failed.result_run_id
    assert (row["type"], row["task_queue"]) == ("ChargeCustomer", "web-tests")
    assert isinstance(row["seconds"], float)
    counts = {one["status"]: one["count"] for one in view["counts"]}
    assert (counts[None], counts["Completed"], counts["Failed"], counts["Running"]) == (2, 1, 1, 0)

    page = Page((await http.get("/", params={"query": "WorkflowId = 'pages/pipeline'"})).text)
    assert "pages/pipeline" in page.text
    assert "Completed" in page.text


async def test_a_status_narrows_the_list(http: httpx.AsyncClient, failed: WorkflowHandle) -> None:
    view = await eventually(
        lambda: listed(http, "WorkflowId = 'pages-charge'", status="Failed"), lambda v: len(v["rows"]) == 1
    )
    assert [one["status"] for one in view["counts"] if one["chosen"]] == ["Failed"]
    assert not (await listed(http, "WorkflowId = 'pages-charge'", status="Completed"))["rows"]


async def test_a_bad_filter_is_answered_beside_the_field(http: httpx.AsyncClient) -> None:
    answer = await http.get("/", params={"query": "Colour = 'red'"})
    assert answer.status_code == 400
    page = Page(answer.text)
    assert "The server does not take this filter" in page.text
    assert "Colour" in page.text
    assert ("aria-invalid", "true") in page.attributes
    assert ("value", "Colour = 'red'") in page.attributes
    told = await http.get("/", params={"query": "Colour = 'red'"}, headers=JSON)
    assert told.status_code == 400
    assert told.json()["problem"]


async def test_pages_of_the_list_follow_each_other(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "RUNS_PAGE", 2)
    for n in range(5):
        await stage.start("AnalyseDocument", f"d{n}", id=f"paged-{n}", queue="nobody-polls")
    query = "TaskQueue = 'nobody-polls' AND WorkflowType = 'AnalyseDocument'"
    await eventually(lambda: listed(http, query), lambda v: v["counts"][0]["count"] == 5)
    seen: list[str] = []
    address = str(httpx.URL("/", params={"query": query}))
    for _ in range(10):
        markup = (await http.get(address)).text
        seen += re.findall(r'<a class="row"[^>]*><bdi>([^<]+)', markup)
        following = re.search(r'<a rel="next" href="([^"]+)"', markup)
        if following is None:
            break
        address = following.group(1).replace("&amp;", "&")
    assert sorted(seen) == [f"paged-{n}" for n in range(5)]


async def test_an_empty_list_says_what_to_do(http: httpx.AsyncClient) -> None:
    page = Page((await http.get("/", params={"query": "WorkflowId = 'never'"})).text)
    assert "No run matches" in page.text
    assert "/namespaces/default/workflows" in page.addresses


async def test_the_namespaces_are_listed(http: httpx.AsyncClient) -> None:
    view = (await http.get("/namespaces", headers=JSON)).json()
    assert "default" in [row["name"] for row in view["rows"]]
    assert "/namespaces/default/workflows" in Page((await http.get("/namespaces")).text).addresses


# One run ------------------------------------------------------------------------------------------


async def test_a_run_shows_its_timeline(http: httpx.AsyncClient, stage: Stage, pipeline: WorkflowHandle) -> None:
    view = (await http.get(stage.run_path(pipeline), headers=JSON)).json()
    groups = [row["group"] for row in view["timeline"]["rows"]]
    assert {(g["kind"], g["name"], g["status"]) for g in groups} == {
        ("signal", "approve", "Recorded"),
        ("activity", "fetch", "Completed"),
        ("local activity", "count_words", "Completed"),
        ("activity", "embed", "Completed"),
        ("child", "AnalyseDocument", "Completed"),
        ("timer", "Timer 300 ms", "Completed"),
    }
    embed = next(g for g in groups if g["name"] == "embed")
    assert embed["attempt"] == 3
    assert embed["failure"] == "RateLimited: 429 Too Many Requests while embedding intro.md"
    children = [g["link"]["workflow_id"] for g in groups if g["kind"] == "child"]
    assert sorted(children) == [f"pages/pipeline/{name}.md" for name in ("api", "faq", "intro")]
    for row in view["timeline"]["rows"]:
        for segment in row["segments"]:
            assert 0 <= segment["x"] <= segment["x"] + segment["width"] <= 100.001
    page = Page((await http.get(stage.run_path(pipeline))).text)
    assert "attempt 3" in page.text
    assert page.tags.count("rect") >= 9


async def test_a_run_shows_what_went_in_and_came_out(
    http: httpx.AsyncClient, stage: Stage, pipeline: WorkflowHandle
) -> None:
    view = (await http.get(stage.run_path(pipeline), headers=JSON)).json()
    assert [json.loads(p["text"]) for p in view["input"]] == ["https://docs.example.org"]
    assert json.loads(view["result"][0]["text"])["approved_by"] == "maria"
    raw = await http.get(view["result"][0]["raw"])
    assert raw.json()["approved_by"] == "maria"
    assert raw.headers["content-type"] == "application/json"
    assert "sandbox" in raw.headers["content-security-policy"]


async def test_the_history_is_listed_and_each_event_has_its_json(
    http: httpx.AsyncClient, stage: Stage, pipeline: WorkflowHandle
) -> None:
    view = (await http.get(stage.run_path(pipeline), headers=JSON)).json()
    events = view["history"]["events"]
    assert [e["id"] for e in events] == list(range(1, view["header"]["events"] + 1))
    scheduled = next(e for e in events if e["type"] == "ActivityTaskScheduled")
    whole = (await http.get(scheduled["raw"])).json()
    assert whole["eventId"] == str(scheduled["id"])
    history = (await http.get(f"{stage.run_path(pipeline)}/history.json")).json()
    assert len(history["events"]) == len(events)
    assert history["events"][0]["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_STARTED"


async def test_why_a_run_failed_is_at_its_top(http: httpx.AsyncClient, stage: Stage, failed: WorkflowHandle) -> None:
    text = Page((await http.get(stage.run_path(failed))).text).text
    assert text.index("CardDeclined Card declined: cannot charge 42 EUR") < text.index("Timeline")


async def test_a_long_history_is_shown_in_pages(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("ManySteps", 25, id="pages-many")
    await handle.result()
    path = stage.run_path(handle)
    first = (await http.get(path, headers=JSON)).json()["history"]
    assert (first["first"], first["last"], first["previous"]) == (1, bounds.HISTORY_WINDOW, None)
    following = (await http.get(path, params={"from": first["next"]}, headers=JSON)).json()["history"]
    assert following["first"] == bounds.HISTORY_WINDOW + 1
    assert (following["last"], following["next"]) == (first["total"], None)
    beyond = await http.get(path, params={"from": "99999"})
    assert "there are" in Page(beyond.text).text


async def test_pending_work_shows_attempt_failure_and_heartbeat(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("SyncForever", "maintenance", id="pages-sync")
    path = stage.run_path(handle)

    async def page() -> dict[str, list[dict[str, object]]]:
        found: dict[str, list[dict[str, object]]] = (await http.get(path, headers=JSON)).json()
        return found

    view = await eventually(page, lambda v: bool(v["activities"]) and v["activities"][0]["failure"] is not None)
    (activity,) = view["activities"]
    assert activity["status"] == "Retrying"
    assert activity["attempt"] in (2, 3)
    assert activity["max_attempts"] == 50
    assert activity["next_attempt"] is not None
    shown = Page((await http.get(path)).text).text
    assert "UpstreamError Upstream answered 503: maintenance" in shown
    assert '"step": "connect"' in shown
    await handle.terminate("by hand", reason="seen enough")
    ended = Page((await http.get(path)).text).text
    assert "Reason seen enough" in ended
    assert '"by hand"' in ended


async def test_runs_that_continue_as_new_are_linked(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("Rollover", 1, id="pages-rollover")
    await handle.result()
    first = (await http.get(stage.run_path(handle), headers=JSON)).json()["header"]
    assert first["status"] == "ContinuedAsNew"
    assert first["related"][0]["role"] == "Continued as"
    latest = await http.get("/namespaces/default/workflows/pages-rollover", headers=JSON)
    header = latest.json()["header"]
    assert header["link"] == first["related"][0]["link"]
    assert [r["role"] for r in header["related"]] == ["Continued from"]


async def test_why_a_run_waits_is_told(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("HoldOn", 1.0, id="pages-nobody", queue="nobody-polls")
    text = Page((await http.get(stage.run_path(handle))).text).text
    assert "No worker polls queue nobody-polls for workflow tasks now." in text
    assert "Start a worker with task_queue='nobody-polls'" in text


# Hostile content ----------------------------------------------------------------------------------


async def test_hostile_text_is_shown_and_never_markup(http: httpx.AsyncClient, stage: Stage) -> None:
    hostile_id = "evil/../" + HOSTILE_TEXT.replace("\x1b", "")
    handle = await stage.start("Hostile", HOSTILE_TEXT, 1_500_000, id=hostile_id)
    await handle.result()
    answer = await http.get(stage.run_path(handle))
    assert answer.status_code == 200
    assert len(answer.text) < 400_000
    page = Page(answer.text)
    assert page.tags.count("script") == 5
    assert "img" not in page.tags
    assert not any(name.startswith("on") for name, _ in page.attributes)
    assert "\x1b" not in answer.text
    assert "\u202e" not in page.text
    assert "U+202E" in page.text
    view = (await http.get(stage.run_path(handle), headers=JSON)).json()
    result = view["result"][0]
    assert result["truncated"]
    assert len(result["text"]) == bounds.PREVIEW_RUN
    whole = await http.get(result["raw"])
    assert len(whole.content) == result["size"] > 1_000_000
    assert whole.headers["x-content-type-options"] == "nosniff"
    found = await eventually(
        lambda: http.get("/", params={"query": "WorkflowType = 'Hostile'"}), lambda a: "evil/" in a.text
    )
    assert Page(found.text).tags.count("script") == 5


# Errors -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("/namespaces/nope/workflows", 404, "There is no namespace “nope”"),
        ("/namespaces/default/workflows/missing", 404, "There is no workflow “missing”"),
        (
            "/namespaces/default/workflows/missing/0f8fad5b-d9cb-469f-a165-70867728950e",
            404,
            "There is no run 0f8fad5b-d9cb-469f-a165-70867728950e",
        ),
        ("/no/such/page", 404, "There is no such page"),
    ],
)
async def test_an_error_is_a_page_that_says_what_to_do(
    http: httpx.AsyncClient, path: str, status: int, words: str
) -> None:
    answer = await http.get(path)
    assert answer.status_code == status
    assert words in Page(answer.text).text
    told = await http.get(path, headers=JSON)
    assert told.status_code == told.json()["status"] == status


async def test_missing_events_and_payloads_are_404(
    http: httpx.AsyncClient, stage: Stage, pipeline: WorkflowHandle
) -> None:
    for tail in ("/events/9999", "/events/1/payloads/77", "/events/9999/payloads/0"):
        assert (await http.get(stage.run_path(pipeline) + tail)).status_code == 404


async def test_only_get_is_answered(http: httpx.AsyncClient) -> None:
    assert (await http.post("/")).status_code == 405


async def test_a_server_that_is_not_there(lonely: httpx.AsyncClient) -> None:
    answer = await lonely.get("/namespaces/default/workflows")
    assert answer.status_code == 503
    page = Page(answer.text)
    assert "No server answers at 127.0.0.1:" in page.text
    assert "outlive server start" in page.text
    assert ("http-equiv", "refresh") in page.attributes
    assert (await lonely.get("/healthz")).json() == {"status": "ok"}


# Every answer -------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/", "/namespaces", "/healthz", "/no/such/page", "/?format=json"])
async def test_every_answer_carries_a_strict_policy(http: httpx.AsyncClient, path: str) -> None:
    headers = (await http.get(path)).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


async def test_files_are_cached_for_good_at_an_address_of_their_content(http: httpx.AsyncClient) -> None:
    page = Page((await http.get("/")).text)
    files = [address for address in page.addresses if "/static/" in address]
    assert len(files) >= 6
    for address in files:
        answer = await http.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
    old = re.sub(r"/static/\w+/", "/static/000000000000/", files[0])
    assert (await http.get(old)).status_code == 404


@pytest.mark.parametrize("stripped", [False, True])
async def test_pages_work_below_a_base_path(stage: Stage, pipeline: WorkflowHandle, stripped: bool) -> None:
    app = create_app(WorkflowServiceClient(stage.address), base_path="/tools/outlive/")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://proxy", follow_redirects=True) as client:

        async def get(path: str) -> httpx.Response:
            return await client.get(path.removeprefix("/tools/outlive") if stripped else path)

        for path in ("/", "/namespaces", stage.run_path(pipeline), "/nowhere"):
            page = Page((await get(f"/tools/outlive{path}")).text)
            assert page.addresses
            for address in page.addresses:
                resolved = urljoin(f"/tools/outlive{path}", address)
                assert resolved.startswith("/tools/outlive/"), address
        answer = await get("/tools/outlive/namespaces/default/workflows/pages%2Fpipeline")
        assert answer.status_code == 200
        assert "pages/pipeline" in answer.text


async def test_json_is_for_programs_and_html_for_browsers(http: httpx.AsyncClient) -> None:
    browser = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8"
    kinds = {
        browser: "text/html",
        "*/*": "text/html",
        "application/json": "application/json",
        "": "text/html",
    }
    for accept, kind in kinds.items():
        answer = await http.get("/namespaces", headers={"accept": accept})
        assert answer.headers["content-type"].startswith(kind)
    asked = await http.get("/namespaces", params={"format": "json"}, headers={"accept": browser})
    assert asked.headers["content-type"] == "application/json"
