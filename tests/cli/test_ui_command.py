from __future__ import annotations

import asyncio
import re
import signal
import sys

import httpx

from outlive.config import ServerConfig
from outlive.server import Server


async def test_the_pages_run_alone_beside_any_server() -> None:
    server = Server(ServerConfig(port=0))
    await server.start()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "outlive", "ui", "--address", f"127.0.0.1:{server.port}", "--port", "0"),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        found = re.fullmatch(rf"UI: (http://127\.0\.0\.1:\d+) of 127\.0\.0\.1:{server.port}\n", line)
        assert found is not None, line
        async with httpx.AsyncClient(follow_redirects=True) as http:
            answer = await http.get(f"{found[1]}/namespaces")
        assert "default" in answer.text
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
        await server.stop(0)
