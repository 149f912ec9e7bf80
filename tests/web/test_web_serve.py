from __future__ import annotations

import asyncio
import logging
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from outlive.errors import StartupError
from outlive.web.serve import WebServer


async def test_it_answers_after_start_and_not_after_stop(unused_tcp_port: int) -> None:
    web = WebServer(f"127.0.0.1:{unused_tcp_port}", "127.0.0.1", 0)
    await web.start()
    assert web.port > 0
    async with httpx.AsyncClient() as client:
        answer = await client.get(f"http://127.0.0.1:{web.port}/healthz")
        assert answer.json() == {"status": "ok"}
        await web.stop()
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://127.0.0.1:{web.port}/healthz")
    await web.stop()


async def test_a_port_in_use_is_a_sentence() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        web = WebServer("127.0.0.1:1", "127.0.0.1", port)
        with pytest.raises(StartupError, match=rf"127\.0\.0\.1:{port}.*--ui-port"):
            await web.start()
    await web.stop()


async def test_the_callers_signal_handlers_and_logging_are_left_alone(unused_tcp_port: int) -> None:
    before = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), logging.getLogger().handlers[:])
    web = WebServer(f"127.0.0.1:{unused_tcp_port}", "127.0.0.1", 0)
    await web.start()
    during = (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), logging.getLogger().handlers[:])
    await web.stop()
    assert during == before


async def test_an_open_stream_does_not_hold_up_the_end(unused_tcp_port: int) -> None:
    web = WebServer(f"127.0.0.1:{unused_tcp_port}", "127.0.0.1", 0)
    await web.start()
    url = f"http://127.0.0.1:{web.port}/namespaces/default/workflows.live"
    async with httpx.AsyncClient(timeout=10) as client, client.stream("GET", url) as answer:
        lines = answer.aiter_lines()
        assert "Server unreachable" in await anext(lines)
        async with asyncio.timeout(3):
            await web.stop()


def test_importing_the_server_does_not_import_the_pages() -> None:
    script = "import sys, outlive.server; print(sorted({'jinja2', 'starlette', 'uvicorn'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "[]"


async def test_small_answers_are_not_held_back(unused_tcp_port: int) -> None:
    web = WebServer(f"127.0.0.1:{unused_tcp_port}", "127.0.0.1", 0)
    await web.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as client:
        elapsed = sorted([(await client.get("/healthz")).elapsed.total_seconds() for _ in range(15)])
    await web.stop()
    assert elapsed[3] < 0.035, "Nagle's algorithm waits 40 ms for every answer on a kept connection"


async def test_only_names_of_this_machine_are_answered_to(unused_tcp_port: int) -> None:
    web = WebServer(f"127.0.0.1:{unused_tcp_port}", "127.0.0.1", 0, hosts=["Pages.example"])
    await web.start()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{web.port}") as client:
        for host, status in {
            "localhost:1": 200,
            "ui.localhost": 200,
            "pages.example": 200,
            "evil.example": 421,
        }.items():
            answer = await client.get("/healthz", headers={"host": host})
            assert answer.status_code == status, host
    assert "--ui-host evil.example" in answer.text
    await web.stop()
