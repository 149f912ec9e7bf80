"""Screenshots of every page with real data: dark and light, desktop and phone. `make screenshots`, then look at them.

They land in build/screenshots/. Needs the playwright package and a Chromium.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import async_playwright
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

sys.path.insert(0, str(Path(__file__).parent))
from screenshots_data import ACTIVITIES, QUEUE, WORKFLOWS, fill

from outlive.config import ServerConfig
from outlive.ledger.client import connect
from outlive.server import Server

SIZES = {"desktop": {"width": 1360, "height": 900}, "phone": {"width": 390, "height": 844}}
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


async def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=Path("build/screenshots"))
    parser.add_argument("--only", default="", help="pages whose name has this in it")
    options = parser.parse_args()
    options.to.mkdir(parents=True, exist_ok=True)
    server = Server(ServerConfig(port=0, ui_port=0, ledger=True, ledger_port=0))
    await server.start()
    client = await Client.connect(f"127.0.0.1:{server.port}")
    worker = Worker(
        client,
        task_queue=QUEUE,
        workflows=WORKFLOWS,
        activities=ACTIVITIES,
        workflow_runner=UnsandboxedWorkflowRunner(),
    )
    async with worker, connect(f"http://127.0.0.1:{server.ledger_port}") as ledger:
        pages = named(await fill(client, ledger))
        count = await shoot(f"http://127.0.0.1:{server.ui_port}", pages, options.to, options.only)
    await server.stop(0.5)
    print(f"{count} screenshots in {options.to}")
    return 0


def named(found: dict[str, str]) -> dict[str, str]:
    """Addresses by the name of their pictures; the places of the navigation come by themselves."""
    runs = "/namespaces/default/workflows"
    finished, waiting = found["research/finished"], found["research/waiting"]
    return {
        "runs-failed": f"{runs}?status=Failed",
        "runs-filter-wrong": f"{runs}?query=Colour = 'red'",
        "runs-nothing": f"{runs}?query=WorkflowId = 'never'",
        "runs-columns": f"{runs}?columns=status,workflow,type,events,bytes,duration&sort=-duration",
        "bulk": f"{runs}.bulk?do=terminate",
        "run-finished": finished,
        "run-waiting": waiting,
        "run-agent": found["support/umbrella"],
        "run-failed": found["charge-42"],
        "run-retrying": found["sync-contacts"],
        "run-stuck": found["stuck-without-worker"],
        "run-table": found["weekly-00"],
        "run-image": found["chart-47"],
        "run-ask": f"{waiting}/ask",
        "run-model-calls": f"{found['support/umbrella']}/model-calls",
        "run-relatives": f"{finished}/relatives",
        "run-details": f"{waiting}/details",
        "run-again": f"{finished}/again",
        "compare": "/namespaces/default/compare?a=research/finished&b=research/waiting",
        "problem": f"{runs}/missing",
        "approval": "/namespaces/default/approvals/publish-1",
    }


async def shoot(base: str, pages: dict[str, str], folder: Path, only: str) -> int:
    """Every page in both themes and sizes. Fails where a page complains in its console."""
    count = 0
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        places = await _places(browser, base)
        for size, viewport in SIZES.items():
            for theme in ("light", "dark"):
                scale = 1 if size == "desktop" else 2
                context = await browser.new_context(
                    viewport=viewport, color_scheme=theme, base_url=base, device_scale_factor=scale
                )
                page = await context.new_page()
                page.on("pageerror", lambda error: print(error, file=sys.stderr))
                for name, address in {**places, **pages}.items():
                    if only in name:
                        await page.goto(address)
                        await page.wait_for_timeout(350)
                        path = folder / f"{name}-{size}-{theme}.png"
                        await page.screenshot(path=path, full_page=True)
                        count += 1
                await context.close()
        await browser.close()
    return count


async def _places(browser: Any, base: str) -> dict[str, str]:
    """The pages of the navigation, by their address."""
    page = await browser.new_page(base_url=base)
    await page.goto("/")
    links = await page.eval_on_selector_all("#places a[data-go]", "all => all.map(a => a.getAttribute('href'))")
    await page.close()
    return {_name(link): link for link in links}


def _name(link: str) -> str:
    """`/namespaces/default/schedules` as `schedules`; the namespace itself is `home`."""
    parts = link.strip("/").split("/")
    return "home" if len(parts) == 2 else parts[-1]


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
