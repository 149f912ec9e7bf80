"""The pages in a real browser: live, by keyboard, on a phone, with hostile content, and nothing in the console."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from tests.web.conftest import Stage
from tests.web.web_workflows import HOSTILE_TEXT

playwright = pytest.importorskip("playwright.async_api", reason="the playwright package is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed (Debian: apt-get install chromium)"),
]
DESKTOP = {"width": 1360, "height": 860}
PHONE = {"width": 390, "height": 844}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Any]:
    async with playwright.async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@asynccontextmanager
async def opened(chromium: Any, stage: Stage, path: str, viewport: dict[str, int] = DESKTOP) -> AsyncIterator[Any]:
    """A page, which must end with nothing in its console and no dialog ever opened."""
    context = await chromium.new_context(viewport=viewport, base_url=stage.url)
    page = await context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
    await page.goto(path)
    yield page
    assert complaints == []
    await context.close()


async def focused(page: Any) -> str:
    found: str = await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")
    return found


async def test_the_list_updates_itself_and_keeps_the_focus(chromium: Any, stage: Stage) -> None:
    first = await stage.start("HoldOn", 60.0, id="browser-first")
    async with opened(chromium, stage, "/?query=WorkflowId STARTS_WITH 'browser-'") as page:
        await page.get_by_role("link", name="browser-first").wait_for()
        await page.wait_for_selector("#live .live.on")
        await page.keyboard.press("j")
        assert await focused(page) == "browser-first"
        second = await stage.start("HoldOn", 60.0, id="browser-second")
        await page.get_by_role("link", name="browser-second").wait_for()
        assert await focused(page) == "browser-first"
        await first.terminate()
        await page.wait_for_selector("#rows .s-terminated")
        await second.terminate()


async def test_the_keyboard_goes_everywhere(chromium: Any, stage: Stage) -> None:
    for n in range(3):
        await stage.start("HoldOn", 60.0, id=f"keys-{n}", queue="nobody-polls")
    async with opened(chromium, stage, "/?query=WorkflowId STARTS_WITH 'keys-'") as page:
        await page.get_by_role("link", name="keys-2").wait_for()
        rows = await page.locator("a.row").all_inner_texts()
        await page.keyboard.press("j")
        await page.keyboard.press("j")
        assert await focused(page) == rows[1]
        await page.keyboard.press("k")
        assert await focused(page) == rows[0]
        await page.keyboard.press("/")
        assert await focused(page) == "query"
        await page.keyboard.press("j")
        assert (await page.input_value("#query")) == "j"
        await page.keyboard.press("Escape")
        assert await focused(page) != "query"
        await page.keyboard.press("?")
        await page.get_by_role("dialog").wait_for()
        await page.keyboard.press("Escape")
        await page.get_by_role("dialog").wait_for(state="hidden")
        before = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        await page.keyboard.press("t")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") != before
        await page.keyboard.press("g")
        await page.keyboard.press("n")
        await page.wait_for_url("**/namespaces")
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"
        await page.keyboard.press("g")
        await page.keyboard.press("w")
        await page.get_by_role("heading", name="Runs").wait_for()
        await page.keyboard.press("j")
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Timeline").wait_for()


async def test_a_run_goes_on_without_reload_until_it_is_closed(chromium: Any, stage: Stage) -> None:
    handle = await stage.start("ResearchPipeline", "x", id="browser-pipeline")
    async with opened(chromium, stage, stage.run_path(handle)) as page:
        await page.evaluate("window.sameDocument = true")
        await page.locator("#event-1 summary").click()
        await page.get_by_text("Timer 300 ms", exact=True).first.wait_for()
        await page.locator("#timeline summary").first.click()
        opened_row = page.locator("#timeline details[open]")
        assert await opened_row.count() == 1
        await handle.signal("approve", "maria")
        await page.wait_for_selector("#header .chip.s-completed")
        await page.get_by_text("Up to date").wait_for()
        assert await page.evaluate("window.sameDocument")
        assert await opened_row.count() == 1
        assert await page.locator("#event-1").get_attribute("open") is not None
        assert (await page.title()).startswith("Completed: browser-pipeline")
        assert '"maria"' in await page.inner_text("#values")
        ids = await page.evaluate("[...document.querySelectorAll('#events .eid')].map(e => Number(e.textContent))")
        assert ids == list(range(1, len(ids) + 1))
        assert f"Events 1 to {len(ids)} of {len(ids)}" in await page.inner_text("#pages")


async def test_an_address_opens_its_event(chromium: Any, stage: Stage) -> None:
    handle = await stage.start("AnalyseDocument", "a.md", id="browser-event")
    await handle.result()
    async with opened(chromium, stage, f"{stage.run_path(handle)}#event-2") as page:
        await page.locator("#event-2[open]").wait_for()
        assert await page.locator("#event-2 .emore").is_visible()
        await page.locator("#compact").uncheck()
        assert await page.locator("#event-3").is_visible()


async def test_hostile_content_does_nothing(chromium: Any, stage: Stage) -> None:
    handle = await stage.start("Hostile", HOSTILE_TEXT, 100_000, id=f"browser-evil {HOSTILE_TEXT[:29]}")
    await handle.result()
    async with opened(chromium, stage, stage.run_path(handle)) as page:
        await page.get_by_role("heading", name="Result").wait_for()
        assert await page.locator("img").count() == 0
        assert HOSTILE_TEXT[:29] in await page.inner_text("h1")


@pytest.mark.parametrize("path", ["/", "/namespaces", "run", "failed"])
async def test_a_phone_needs_no_scrolling_sideways(chromium: Any, stage: Stage, path: str) -> None:
    if path in ("run", "failed"):
        workflow, argument = ("AnalyseDocument", "a.md") if path == "run" else ("ChargeCustomer", 3)
        handle = await stage.start(workflow, argument, id=f"browser-phone-{path}-" + "long" * 30)
        async for event in handle.fetch_history_events(wait_new_event=True):
            assert event
        path = stage.run_path(handle)
    async with opened(chromium, stage, path, PHONE) as page:
        await page.locator("main h1").wait_for()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
