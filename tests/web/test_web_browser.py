"""The pages in a real browser: live, by keyboard, on a phone, with hostile content, and nothing in the console."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from outlive.ledger.client import Approval, connect
from tests.web.conftest import Stage, eventually
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


async def test_a_run_is_acted_on_without_leaving_its_page(chromium: Any, stage: Stage) -> None:
    handle = await stage.start("ResearchPipeline", "x", id="browser-acts")
    async with opened(chromium, stage, stage.run_path(handle)) as page:
        await page.get_by_text("Timer 300 ms", exact=True).first.wait_for()
        await page.evaluate("window.sameDocument = true")
        await page.get_by_role("button", name="Zoom in").click()
        assert await page.locator(".timeline.zoomed .lane").first.evaluate("e => e.clientWidth > 1000")
        await page.locator("#only-open").check()
        await page.get_by_text("Timer 300 ms", exact=True).first.wait_for(state="hidden")
        await page.get_by_role("button", name="Signal…").click()
        await page.get_by_role("dialog").get_by_label("Signal").fill("approve")
        await page.get_by_role("dialog").get_by_label("Input").fill("maria")
        await page.keyboard.press("Tab")
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text("Not JSON (line 1, column 1)").wait_for()
        assert await focused(page) == "f-signal-input"
        await page.keyboard.press("ControlOrMeta+a")
        await page.keyboard.type('"maria"')
        await page.get_by_role("button", name="Send").click()
        await page.get_by_text("Signal “approve” is sent.").wait_for()
        await page.wait_for_selector("#header .chip.s-completed")
        assert await page.evaluate("window.sameDocument")
        await page.locator("#only-open").uncheck()
        await page.locator("#timeline summary", has_text="embed").click()
        await page.get_by_role("button", name="Reset to before it…").click()
        assert int(await page.get_by_label("Event of the workflow task").input_value()) > 4
        await page.keyboard.press("Escape")
        await page.locator("#timeline summary", has_text="intro.md").last.click()
        await page.locator(".child .timeline", has_text="count_words").wait_for()
        await page.get_by_role("link", name="Ask", exact=True).click()
        await page.get_by_role("button", name="add_note").click()
        assert await page.locator("#f-update-update").input_value() == "add_note"


async def test_runs_are_found_chosen_and_ended_together(chromium: Any, stage: Stage) -> None:
    handles = [await stage.start("HoldOn", 1.0, id=f"together-{n}", queue="nobody-polls") for n in range(3)]
    async with opened(chromium, stage, "/namespaces/default/workflows") as page:
        await page.keyboard.press("/")
        await page.keyboard.type("WorkflowId STARTS_WITH 'together-")
        await page.locator("#complete li").first.wait_for()
        await page.keyboard.press("Escape")
        await page.keyboard.type("' AND Execu")
        await page.locator("#complete li", has_text="ExecutionStatus").wait_for()
        await page.keyboard.press("Tab")
        assert (await page.input_value("#query")).endswith("AND ExecutionStatus ")
        await page.keyboard.type("= 'Running'")
        await page.keyboard.press("Escape")
        await page.keyboard.press("Enter")
        await page.get_by_role("link", name="together-2").wait_for()
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await page.keyboard.press("j")
        await page.keyboard.press("x")
        await page.get_by_role("button", name="Bulk: 2 chosen…").click()
        await page.get_by_role("link", name="Terminate").click()
        await page.get_by_role("heading", name="Terminate 2 runs?").wait_for()
        await page.get_by_label("Reason").fill("tidy up")
        await page.get_by_role("button", name="Terminate 2 runs").click()
        await page.get_by_text("a batch over 2 runs has started").wait_for()

    async def ended() -> int:
        return sum([(await handle.describe()).close_time is not None for handle in handles])

    await eventually(ended, lambda count: count == 2)


async def test_scrolling_goes_on_and_stays_light(chromium: Any, stage: Stage) -> None:
    for n in range(260):
        await stage.start("HoldOn", 1.0, id=f"scroll-{n:03}", queue="scroll")
    async with opened(chromium, stage, "/namespaces/default/workflows?query=TaskQueue = 'scroll'") as page:
        await page.get_by_role("link", name="scroll-259").wait_for()
        last = page.get_by_role("link", name="scroll-000")
        async with asyncio.timeout(20):
            while not await last.count():
                await page.mouse.wheel(0, 2000)
                await page.wait_for_timeout(20)
        assert await page.locator("tr[id^=r-]").count() < 260, "rows far above have given way"
        await page.evaluate("scrollTo(0, 3500)")
        await page.get_by_role("link", name="scroll-190").wait_for()


async def test_nothing_serious_for_people_who_cannot_see(chromium: Any, stage: Stage) -> None:
    axe = pytest.importorskip("axe_playwright_python.async_playwright", reason="axe-playwright-python is not installed")
    handle = await stage.start("ResearchPipeline", "x", id="axe-run")
    sync = await stage.start("SyncForever", "x", id="axe-sync")
    run = stage.run_path(handle)
    runs = "/namespaces/default/workflows"
    pages = {
        "light": [f"{runs}?query=WorkflowType = 'SyncForever'", f"{run}/ask"],
        "dark": [stage.run_path(sync)],
    }
    context = await chromium.new_context(viewport=DESKTOP, base_url=stage.url)
    page = await context.new_page()
    checker = axe.Axe()
    found = {}
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
    for scheme, paths in pages.items():
        await page.emulate_media(color_scheme=scheme)
        for path in paths:
            await page.goto(path)
            results = await checker.run(page, options=options)
            bad = [v for v in results.response["violations"] if v["impact"] in ("serious", "critical")]
            if bad:
                found[f"{scheme} {path}"] = [(v["id"], [n["html"][:120] for n in v["nodes"][:3]]) for v in bad]
    await context.close()
    assert found == {}


async def test_enter_in_a_field_decides_nothing(chromium: Any, stage: Stage) -> None:
    """A form's first button takes Enter: here that would approve what somebody only began to read."""
    async with connect(stage.ledger) as ledger:
        await ledger.ask_approval(Approval(id="browser-ask", title="Publish?"))
        async with opened(chromium, stage, "/namespaces/default/approvals/browser-ask") as page:
            name = page.get_by_label("Your name")
            await name.fill("maria")
            await name.press("Enter")
            await page.get_by_role("button", name="Approve").wait_for()
            assert (await ledger.approval("browser-ask")).state == "open"
            await page.get_by_role("button", name="Approve").click()
            await page.wait_for_url("**/approvals")
        assert (await ledger.approval("browser-ask")).state == "approved"
