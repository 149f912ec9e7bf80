"""The streams that keep pages fresh, read as a browser reads them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from outlive.web import bounds
from outlive.web.live import message
from outlive.web.serve import WebServer
from tests.web.conftest import Stage, free_port

pytestmark = pytest.mark.asyncio(loop_scope="session")


@dataclass
class Sent:
    """One message of a stream."""

    event: str
    id: str
    data: str


@asynccontextmanager
async def stream(http: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[AsyncIterator[Sent]]:
    async with http.stream("GET", path, headers={**headers}) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        yield messages(answer.aiter_lines())


async def messages(lines: AsyncIterator[str]) -> AsyncIterator[Sent]:
    found: dict[str, list[str]] = {}
    async for line in lines:
        if line:
            name, _, value = line.partition(": ")
            found.setdefault(name, []).append(value)
            continue
        if "data" in found:
            yield Sent("".join(found.get("event", [])), "".join(found.get("id", [])), "\n".join(found["data"]))
        found = {}


async def until(sent: AsyncIterator[Sent], words: str) -> Sent:
    """The first message with these words."""
    async with asyncio.timeout(20):
        async for one in sent:
            if words in one.data:
                return one
    raise AssertionError(f"the stream ended without {words!r}")


def listed(data: str) -> list[int]:
    return [int(number) for number in re.findall(r'id="event-(\d+)"', data)]


async def test_a_run_is_followed_to_its_end(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("ResearchPipeline", "x", id="live-pipeline")
    path = f"{stage.run_path(handle)}/live?first=1&last=2&follow=1"
    events: list[int] = []
    async with stream(http, path) as sent:
        first = await anext(sent)
        for target in ("header", "timeline", "pending", "values", "pages", "live"):
            assert f'hx-target="#{target}"' in first.data
        assert '<span class="live on"' in first.data
        events += listed(first.data)
        signalled = False
        closing = Sent("", "", "")
        async with asyncio.timeout(30):
            async for one in sent:
                events += listed(one.data)
                if "Timer 300 ms" in one.data and not signalled:
                    signalled = True
                    await handle.signal("approve", "maria")
                if one.event:
                    closing = one
                    break
                last = one
    assert closing.event == "closed"
    assert "s-completed" in last.data
    assert "Up to date" in last.data
    assert "maria" in last.data
    assert events == list(range(3, events[-1] + 1))
    assert last.id == str(events[-1])


async def test_a_browser_that_comes_back_gets_only_what_it_has_not(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("AnalyseDocument", "a.md", id="live-back")
    await handle.result()
    path = f"{stage.run_path(handle)}/live?first=1&last=1&follow=1"
    async with stream(http, path, **{"last-event-id": "6"}) as sent:
        first = await anext(sent)
        assert listed(first.data)[0] == 7
        assert (await anext(sent)).event == "closed"


async def test_a_page_of_older_events_gets_no_new_lines(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("AnalyseDocument", "a.md", id="live-older")
    await handle.result()
    async with stream(http, f"{stage.run_path(handle)}/live?first=1&last=3&follow=0") as sent:
        first = await anext(sent)
        assert listed(first.data) == []
        assert "Events 1 to 3 of" in first.data


async def test_an_attempt_shows_though_no_event_is_written(http: httpx.AsyncClient, stage: Stage) -> None:
    handle = await stage.start("SyncForever", "down", id="live-retries")
    async with stream(http, f"{stage.run_path(handle)}/live?first=1&last=1&follow=1") as sent:
        attempts: set[str] = set()
        async with asyncio.timeout(20):
            while len(attempts) < 2:
                attempts |= set(re.findall(r"attempt (\d+) of 50", (await anext(sent)).data))
    await handle.terminate()


async def test_the_list_changes_when_a_run_does(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "LIST_TICK", (0.05, 0.1))
    async with stream(http, "/namespaces/default/workflows.live?query=WorkflowId+%3D+'live-listed'") as sent:
        first = await anext(sent)
        assert "No run matches" in first.data
        handle = await stage.start("HoldOn", 30.0, id="live-listed")
        shown = await until(sent, "live-listed")
        assert "s-running" in shown.data
        await handle.terminate()
        await until(sent, "s-terminated")


async def test_a_list_that_does_not_change_sends_nothing_but_signs_of_life(
    http: httpx.AsyncClient, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    await stage.start("HoldOn", 30.0, id="live-quiet", queue="nobody-polls")
    monkeypatch.setattr(bounds, "LIST_TICK", (0.01, 0.02))
    monkeypatch.setattr(bounds, "KEEP_ALIVE", 0.05)
    async with http.stream("GET", "/namespaces/default/workflows.live?query=WorkflowId+%3D+'live-none'") as answer:
        lines = answer.aiter_lines()
        async for line in lines:
            if not line:
                break
        async with asyncio.timeout(10):
            assert [await anext(lines) for _ in range(4)] == [": still here", "", ": still here", ""]


async def test_a_run_that_is_gone_ends_its_stream(http: httpx.AsyncClient) -> None:
    path = "/namespaces/default/workflows/gone/0f8fad5b-d9cb-469f-a165-70867728950e/live"
    async with stream(http, path) as sent:
        assert (await anext(sent)).event == "closed"


async def test_a_server_that_goes_away_is_told_and_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LIST_TICK", (0.02, 0.02))
    web = WebServer(f"127.0.0.1:{free_port()}", "127.0.0.1", 0)
    await web.start()
    run = "/namespaces/default/workflows/w/0f8fad5b-d9cb-469f-a165-70867728950e/live?follow=1"
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}", timeout=10) as http:
        async with stream(http, "/namespaces/default/workflows.live") as sent:
            assert "Server unreachable, trying again" in (await anext(sent)).data
        async with stream(http, run) as sent:
            for _ in range(2):
                assert "Server unreachable, trying again" in (await anext(sent)).data
    await web.stop()


async def test_a_message_keeps_every_line_of_its_content() -> None:
    assert message("<a>\n\n  b\r\nc\rd", 7) == "id: 7\ndata: <a>\ndata: \ndata:   b\ndata: c\ndata: d\n\n"
