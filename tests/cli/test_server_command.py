"""`outlive server`, as people and SDKs start it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

OUTLIVE = [sys.executable, "-m", "outlive"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*OUTLIVE, *arguments], capture_output=True, text=True, timeout=20, check=False)


@contextmanager
def started(*arguments: str, environment: dict[str, str] | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A running server, and its address."""
    child = subprocess.Popen(
        [*OUTLIVE, "server", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **(environment or {})},
    )
    try:
        assert child.stdout is not None
        address = re.match(r"Server: (\S+)", child.stdout.readline())
        assert address is not None
        yield child, address[1]
    finally:
        child.kill()
        child.communicate()


def test_help_and_version() -> None:
    assert "server" in run("--help").stdout
    assert run("--version").stdout.startswith("outlive, version ")
    assert "--db-filename" in run("server", "start-dev", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "many"], "--port"),
        (["--db-filename", "/no/such/folder/x.db"], "does not exist"),
        (["--db-filename", "."], "cannot be opened"),
        (["--search-attribute", "Name=Thing"], "unknown type Thing"),
        (["--search-attribute", "Name"], "NAME=TYPE"),
        (["--dynamic-config-value", "a=not json"], "not JSON"),
        (["--dynamic-config-value", "limit.blobSize.error=-1"], "whole number"),
        (["--no-such-flag"], "--no-such-flag"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: list[str], words: str) -> None:
    ended = run("server", "start-dev", "--headless", "--port", "0", *arguments)
    assert ended.returncode == 2
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_a_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = run("server", "start-dev", "--headless", "--port", str(other.getsockname()[1]))
    assert ended.returncode == 2
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_the_pages_are_there_once_somebody_looks() -> None:
    with started("start-dev", "--port", "0", "--ui-port", "0") as (child, _address):
        assert child.stdout is not None
        page = re.match(r"UI: +(http://\S+)", child.stdout.readline())
        assert page is not None
        async with httpx.AsyncClient(timeout=20) as browser:
            assert (await browser.get(page[1])).is_success


def test_the_pages_port_in_use() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        ended = run("server", "start-dev", "--port", "0", "--ui-port", str(other.getsockname()[1]))
    assert ended.returncode == 2
    assert "--ui-port" in ended.stderr
    assert "Traceback" not in ended.stderr


async def test_sigterm_drains_and_ends() -> None:
    with started("start-dev", "--headless", "--port", "0") as (child, address):
        await Client.connect(address)
        before = time.monotonic()
        child.send_signal(signal.SIGTERM)
        assert child.wait(timeout=10) == 0
        assert time.monotonic() - before < 5


async def test_start_keeps_its_data_in_the_users_folder(tmp_path: Path) -> None:
    environment = {"XDG_DATA_HOME": str(tmp_path)}
    for _ in range(2):
        with started("start", "--headless", "--port", "0", environment=environment) as (_child, address):
            client = await Client.connect(address)
            handle = await client.start_workflow("W", id="w", task_queue="q", id_conflict_policy=2)  # type: ignore[arg-type]
            first = handle.result_run_id
    assert (tmp_path / "outlive" / "outlive.db").exists()
    with started("start", "--headless", "--port", "0", environment=environment) as (_child, address):
        described = await (await Client.connect(address)).get_workflow_handle("w").describe()
        assert described.run_id == first


async def test_the_sdk_starts_it_as_its_development_server() -> None:
    executable = Path(sys.executable).with_name("outlive")
    async with await WorkflowEnvironment.start_local(dev_server_existing_path=str(executable)) as environment:
        handle = await environment.client.start_workflow("W", id="w", task_queue="q")
        assert (await handle.describe()).workflow_type == "W"
