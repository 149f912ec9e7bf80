"""How long the web pages take with 100,000 runs stored, and with a history of 50,000 events.

Pages are asked for one after the other over HTTP, as a browser does, HTML and all; their server runs `outlive ui` in a
process of its own, so that what is measured is the page and the calls it makes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import httpx
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from benchmarks.large.harness import Figures, serving, spread
from benchmarks.large.rows import multiply, seed
from benchmarks.measure import latencies

RUNS = "/namespaces/default/workflows"
CALLS = 40


@activity.defn
async def step(number: int) -> int:
    return number


@workflow.defn
class Steps:
    """One activity after another, in parallel tens."""

    @workflow.run
    async def run(self, tens: int) -> int:
        for ten in range(tens):
            await asyncio.gather(
                *(
                    workflow.execute_activity(step, ten * 10 + n, start_to_close_timeout=timedelta(seconds=30))
                    for n in range(10)
                )
            )
        return tens


@asynccontextmanager
async def pages(address: str) -> AsyncIterator[httpx.AsyncClient]:
    """`outlive ui` of the server, and a client of it."""
    command = [sys.executable, "-m", "outlive", "ui", "--address", address, "--port", "0"]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        found = re.match(r"UI: (\S+)", (await process.stdout.readline()).decode())
        assert found is not None, "the pages did not start"
        async with httpx.AsyncClient(base_url=found[1], timeout=60, headers={"accept": "text/html"}) as http:
            yield http
    finally:
        process.terminate()
        await process.wait()


async def measure(folder: Path, rows: int, events: int) -> Figures:
    """Milliseconds by page."""
    async with serving(folder) as (server, client):
        await seed(client)
    stored = multiply(folder / "server.db", rows)
    figures: Figures = {"runs stored": float(stored)}
    async with serving(folder, "frontend.namespaceRPS.visibility=100000") as (server, client):
        small, large = await _histories(client, events)
        addresses = {
            "list": RUNS,
            "list by type": f"{RUNS}?query=WorkflowType = 'Type7'",
            "list by status": f"{RUNS}?status=Terminated",
            "bulk, dry run": f"{RUNS}.bulk?do=terminate&query=WorkflowType = 'Type7'",
            "completion": f"{RUNS}.complete?text=WorkflowType = 'T",
            "run": small,
            "run, details": f"{small}/details",
            "run, relatives": f"{small}/relatives",
        }
        async with pages(server.address) as http:
            for name, address in addresses.items():
                figures |= spread(name, await latencies(lambda _, at=address: _get(http, at), CALLS))  # type: ignore[misc]
            slow = await latencies(lambda _: _get(http, large), 3)
            figures[f"run of {events:,} events, ms"] = slow[len(slow) // 2]
            sorted_runs = await latencies(lambda _: _get(http, f"{RUNS}?sort=-duration"), 3)
            figures["list in another order (2,000 read), ms"] = sorted_runs[len(sorted_runs) // 2]
    return figures


async def _get(http: httpx.AsyncClient, address: str) -> None:
    (await http.get(address)).raise_for_status()


async def _histories(client: Client, events: int) -> tuple[str, str]:
    """The pages of a run of about a hundred events, and of one of about ``events``."""
    found = []
    worker = Worker(
        client,
        task_queue="ui",
        workflows=[Steps],
        activities=[step],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=10,
    )
    async with worker:
        for tens in (3, max(1, events // 33)):
            handle = await client.start_workflow("Steps", tens, id=f"steps-{tens}", task_queue="ui")
            await handle.result()
            found.append(f"{RUNS}/{handle.id}/{handle.result_run_id}")
    return found[0], found[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=50_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measure(Path(folder), options.rows, options.events))
    print(json.dumps({name: round(value, 1) for name, value in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
