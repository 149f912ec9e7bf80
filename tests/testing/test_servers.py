"""Servers for tests: quick to have, gone when they are left."""

from __future__ import annotations

import socket
import sys
import time
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.service import RPCError

from outlive.errors import StartupError
from outlive.testing import RunningServer, ServerProcess, ServerThread

WARM = 0.2  # seconds that a server in a warm process may take to be ready: the promise of the issue
KINDS = [ServerThread, ServerProcess]


def listens(server: RunningServer) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", server.port)) == 0


@pytest.mark.parametrize("kind", KINDS)
async def test_a_server_for_a_while(kind: type[RunningServer]) -> None:
    async with kind() as server:
        client = await Client.connect(server.address)
        handle = await client.start_workflow("Absent", id="w", task_queue="q")
        assert (await handle.describe()).workflow_type == "Absent"
    assert not listens(server)


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_for_plain_code(kind: type[RunningServer]) -> None:
    with kind() as server:
        assert listens(server)
    assert not listens(server)
    server.stop()


@pytest.mark.parametrize("kind", KINDS)
async def test_servers_side_by_side(kind: type[RunningServer]) -> None:
    async with kind() as one, kind() as other:
        assert one.port != other.port
        client = await Client.connect(one.address)
        await client.start_workflow("Absent", id="w", task_queue="q")
        with pytest.raises(RPCError):
            await (await Client.connect(other.address)).get_workflow_handle("w").describe()


def test_a_warm_process_has_one_at_once() -> None:
    with ServerThread():
        pass
    times = []
    for _ in range(5):
        before = time.perf_counter()
        with ServerThread() as server:
            times.append(time.perf_counter() - before)
            assert listens(server)
    assert min(times) < WARM


async def test_a_file_outlives_its_server(tmp_path: Path) -> None:
    database = tmp_path / "outlive.db"
    async with ServerThread(database=database) as server:
        client = await Client.connect(server.address)
        started = await client.start_workflow("Absent", id="w", task_queue="q")
    async with ServerThread(database=database) as server:
        client = await Client.connect(server.address)
        assert (await client.get_workflow_handle("w").describe()).run_id == started.result_run_id


async def test_what_it_is_given(tmp_path: Path) -> None:
    server = ServerThread(
        namespaces=["other"], search_attributes={"Customer": "Keyword"}, dynamic_config={"limit.blobSize.error": 100}
    )
    async with server:
        server.add_namespace("third")
        for namespace in ("default", "other", "third"):
            client = await Client.connect(server.address, namespace=namespace)
            await client.start_workflow("Absent", id="w", task_queue="q")
        assert await (await Client.connect(server.address)).count_workflows('Customer = "nobody"')
        with pytest.raises(RPCError, match="size"):
            await client.start_workflow("Absent", "x" * 200, id="large", task_queue="q")


def test_what_cannot_start_says_why(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be opened"):
        ServerThread(database=tmp_path).start()
    with pytest.raises(StartupError, match="did not start"):
        ServerProcess("--no-such-flag").start()


def test_a_process_can_be_killed() -> None:
    with ServerProcess(time_skipping=True) as server:
        server.process.kill()
        server.process.wait(timeout=10)
        assert not listens(server)


def test_the_process_is_the_installed_one() -> None:
    with ServerProcess("--namespace", "other") as server:
        assert server.process.args[0] == sys.executable  # type: ignore[index]
