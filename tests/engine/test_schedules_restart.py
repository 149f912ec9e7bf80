"""Schedules across restarts and crashes: what was due is done, once."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import apsw
import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.testservice.v1 import SleepRequest
from temporalio.client import Client, ScheduleHandle, ScheduleOverlapPolicy, ScheduleState
from temporalio.common import SearchAttributeKey
from temporalio.service import RPCError

from outlive.config import ServerConfig, TimeSkipping
from outlive.server import Server
from tests.engine.schedule_workflows import Host, described, end, schedule, worker, workflow_ids

ALLOW_ALL = ScheduleOverlapPolicy.ALLOW_ALL
PAUSED = ScheduleState(paused=True)


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    host = Host(tmp_path / "outlive.db")
    yield host
    await host.stop()


async def test_what_was_due_while_the_server_was_down_is_done_once(host: Host) -> None:
    client = await host.start()
    await client.create_schedule("s", schedule(every=3600, overlap=ALLOW_ALL))
    for hours in (3, 6):
        await host.stop()
        host.clock.ahead = timedelta(hours=hours)
        client = await host.start()
        handle = client.get_schedule_handle("s")
        seen = await described(handle, lambda d, hours=hours: d.info.num_actions >= hours)
        assert seen.info.num_actions == hours
        times = [recent.scheduled_at for recent in seen.info.recent_actions]
        assert times == [times[0] + timedelta(hours=n) for n in range(hours)]
        assert seen.info.next_action_times[0] == times[-1] + timedelta(hours=1)
        assert seen.info.num_actions_missed_catchup_window == 0


async def test_what_is_too_late_is_missed(host: Host) -> None:
    client = await host.start()
    policy = {"catchup_window": timedelta(minutes=90)}
    await client.create_schedule("s", schedule(every=3600, overlap=ALLOW_ALL, policy=policy))
    await host.stop()
    host.clock.ahead = timedelta(hours=5)
    client = await host.start()
    seen = await described(client.get_schedule_handle("s"), lambda d: d.info.num_actions > 0)
    assert seen.info.num_actions in (1, 2)
    assert seen.info.num_actions + seen.info.num_actions_missed_catchup_window == 5


async def test_everything_about_a_schedule_comes_back(host: Host) -> None:
    client = await host.start()
    made = await client.create_schedule(
        "s", schedule(every=3600, overlap=ScheduleOverlapPolicy.BUFFER_ALL, state=PAUSED), memo={"m": 1}
    )
    await made.trigger()
    await made.trigger()
    before = await made.describe()
    await host.stop()
    client = await host.start()
    after = await client.get_schedule_handle("s").describe()
    assert after.raw_description == before.raw_description
    assert [each.id async for each in await client.list_schedules("TemporalSchedulePaused = true")] == ["s"]


async def test_what_was_buffered_starts_when_the_running_one_ends(host: Host) -> None:
    client = await host.start()
    overlap = ScheduleOverlapPolicy.BUFFER_ALL
    handle = await client.create_schedule("s", schedule(word="", overlap=overlap, state=PAUSED))
    await handle.trigger()
    await handle.trigger()
    await host.stop()
    client = await host.start()
    handle = client.get_schedule_handle("s")
    (first,) = workflow_ids(await handle.describe())
    async with worker(client):
        await end(client, first, "one")
        seen = await described(handle, lambda d: d.info.num_actions == 2)
        second = workflow_ids(seen)[1]
        await end(client, second, "two")
        assert await client.get_workflow_handle(second).result() == "two after one after nothing"


async def test_an_end_that_the_schedule_has_not_written_down_is_found(host: Host, tmp_path: Path) -> None:
    """A crash between the commit of the run's end and that of what follows from it."""
    client = await host.start()
    overlap = ScheduleOverlapPolicy.BUFFER_ALL
    handle = await client.create_schedule("s", schedule(overlap=overlap, state=PAUSED))
    await handle.trigger()
    await handle.trigger()
    (first,) = workflow_ids(await handle.describe())
    row = _state_row(tmp_path)
    async with worker(client):
        await described(handle, lambda d: d.info.num_actions == 2 and not d.info.running_actions)
    await host.stop()
    _state_row(tmp_path, put=row)
    client = await host.start()
    seen = await described(client.get_schedule_handle("s"), lambda d: d.info.num_actions == 2)
    assert seen.info.running_actions == [], "the second start is the one that was made before the crash"
    assert len([run async for run in client.list_workflows("TemporalScheduledById = 's'")]) == 2
    assert workflow_ids(seen)[0] == first


def _state_row(folder: Path, put: bytes | None = None) -> bytes:
    """What the file has of the one schedule's state; replaced if told so."""
    with contextlib.closing(apsw.Connection(str(folder / "outlive.db"))) as connection:
        if put is not None:
            connection.execute("UPDATE entity SET data = ? WHERE kind = 'schedule state'", (put,))
        ((data,),) = connection.execute("SELECT data FROM entity WHERE kind = 'schedule state'").fetchall()
        assert isinstance(data, bytes)
        return data


@pytest.mark.timeout(90)
async def test_killed_again_and_again_it_misses_and_doubles_no_second(tmp_path: Path) -> None:
    """kill -9 at random moments, while a schedule starts a workflow every second."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    chance = random.Random(7)
    server = await _spawn(port, tmp_path / "outlive.db")
    try:
        client = await Client.connect(f"127.0.0.1:{port}")
        await client.create_schedule("s", schedule(every=1, overlap=ALLOW_ALL))
        for _ in range(4):
            await asyncio.sleep(chance.uniform(0.3, 1.8))  # any moment will do
            os.kill(server.pid, signal.SIGKILL)
            await server.wait()
            server = await _spawn(port, tmp_path / "outlive.db")
        handle = client.get_schedule_handle("s")
        await _one_more(handle)
        await handle.pause()
        count = (await handle.describe()).info.num_actions
        runs = [run async for run in client.list_workflows("TemporalScheduledById = 's'")]
    finally:
        os.kill(server.pid, signal.SIGKILL)
        await server.wait()
    key = SearchAttributeKey.for_datetime("TemporalScheduledStartTime")
    times: list[datetime] = sorted(run.typed_search_attributes[key] for run in runs)
    assert times == [times[0] + timedelta(seconds=n) for n in range(len(times))]
    assert count == len(times) > 3


async def _one_more(handle: ScheduleHandle) -> None:
    """Wait for one more action than there are; the connection may have to come back first."""
    before: int | None = None
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(RPCError):
                count = (await handle.describe()).info.num_actions
                before = count if before is None else before
                if count > before:
                    return
            await asyncio.sleep(0.05)


async def _spawn(port: int, database: Path) -> asyncio.subprocess.Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "outlive", "server", "start-dev", "--headless",
        "--port", str(port), "--db-filename", str(database),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert child.stdout is not None
    assert b"Server:" in await child.stdout.readline()
    return child


async def test_a_virtual_month_of_days() -> None:
    """A test server's clock is skipped to each time of a schedule."""
    server = Server(ServerConfig(port=0, time_skipping=TimeSkipping.LOCKED))
    await server.start()
    try:
        client = await Client.connect(f"127.0.0.1:{server.port}")
        async with worker(client):
            handle = await client.create_schedule("s", schedule(every=86_400))
            month = SleepRequest(duration=Duration(seconds=30 * 86_400))
            await client.test_service.unlock_time_skipping_with_sleep(month)
            seen = await handle.describe()
        assert seen.info.num_actions == 30
        assert seen.info.num_actions_skipped_overlap == 0
    finally:
        await server.stop(0)
