"""Restate: its server from npm, its Python SDK behind an ASGI server."""

from __future__ import annotations

import asyncio
import platform
import time
from pathlib import Path

import httpx

from benchmarks.install import node_packages, python_environment
from benchmarks.processes import Managed, ProcessFailed, free_port, spawn, wait_quiet
from benchmarks.systems.base import Running, System, Unavailable

SERVER = "@restatedev/restate-server"
SERVER_VERSION = "1.7.12"
REQUIREMENTS = ["restate-sdk==1.2.0", "hypercorn==0.18.0", "aiohttp==3.14.5"]
APP = "benchmarks.apps.restate_app"
READY_SECONDS = 30.0
RUN_SECONDS = 300.0


class RestateRunning(Running):
    """Server, worker, and a client process of its own."""

    def __init__(self, server: Managed, worker: Managed, client: Managed, idle_rss: int) -> None:
        self.server: Managed = server
        self.worker = worker
        self.idle_rss = idle_rss
        self._client = client

    async def run(self, steps: int, count: int, in_flight: int) -> None:
        """Have the client call the handler."""
        await self._client.ask({"steps": steps, "count": count, "in_flight": in_flight}, RUN_SECONDS)

    async def stop(self) -> None:
        """End client and server; the worker's ASGI server waits for open streams, so it is killed."""
        self._client.stop()
        self.worker.kill()
        self.server.stop()


class Restate(System):
    """`restate-server` on its own log and RocksDB."""

    key = "restate"
    title = "Restate"
    _binary: Path
    _python: Path

    def prepare(self) -> str:
        """Install server and SDK."""
        modules = node_packages("restate-server", [f"{SERVER}@{SERVER_VERSION}"])
        found = sorted(modules.glob(f"{SERVER}-*/bin/restate-server"))
        if not found:
            raise Unavailable(f"{SERVER} ships no binary for {platform.system()} {platform.machine()}")
        self._binary = found[0]
        self._python = python_environment("restate", REQUIREMENTS) / "python"
        return f"restate-server {SERVER_VERSION}, {REQUIREMENTS[0].replace('==', ' ')}"

    def _launch(self, folder: Path, ingress: int, admin: int) -> Managed:
        settings = {
            "RESTATE_INGRESS__BIND_ADDRESS": f"127.0.0.1:{ingress}",
            "RESTATE_ADMIN__BIND_ADDRESS": f"127.0.0.1:{admin}",
            "RESTATE_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
            "RESTATE_DISABLE_TELEMETRY": "true",
        }
        words: list[str | Path] = ["--no-logo", "--node-name", "bench", "--base-dir", folder / "restate"]
        return spawn("restate", [self._binary, *words], folder, env=settings)

    async def ready_seconds(self, folder: Path) -> float:
        """From the command to a healthy ingress."""
        ingress, admin = free_port(), free_port()
        server = self._launch(folder, ingress, admin)
        try:
            await _healthy(server, f"http://127.0.0.1:{ingress}/restate/health")
            return time.perf_counter() - server.started
        finally:
            server.stop()

    async def start(self, folder: Path) -> RestateRunning:
        """Server, then, once it is quiet and its idle memory read, worker and client."""
        ingress, admin, port = free_port(), free_port(), free_port()
        server = self._launch(folder, ingress, admin)
        started = [server]
        try:
            await _healthy(server, f"http://127.0.0.1:{ingress}/restate/health")
            await _healthy(server, f"http://127.0.0.1:{admin}/health")
            await wait_quiet(server)
            idle_rss = server.rss()
            worker = spawn("worker", [self._python, "-m", APP, "worker", str(port)], folder)
            started.append(worker)
            await _register(worker, f"http://127.0.0.1:{admin}", f"http://127.0.0.1:{port}")
            address = f"http://127.0.0.1:{ingress}"
            client = spawn("client", [self._python, "-m", APP, "client", address], folder, talk=True)
            started.append(client)
            await client.read_line(READY_SECONDS)
            return RestateRunning(server, worker, client, idle_rss)
        except BaseException:
            for process in started:
                process.kill()
            raise


async def _healthy(server: Managed, url: str) -> None:
    """Wait until the address answers 200."""
    await _until_ok(server, "GET", url, None)


async def _register(worker: Managed, admin: str, worker_url: str) -> None:
    """Tell the server where the worker is; it asks the worker what it serves."""
    await _until_ok(worker, "POST", f"{admin}/deployments", {"uri": worker_url})


async def _until_ok(process: Managed, method: str, url: str, body: dict[str, str] | None) -> None:
    deadline = time.perf_counter() + READY_SECONDS
    async with httpx.AsyncClient(trust_env=False) as http:
        while True:
            try:
                response = await http.request(method, url, json=body, timeout=10)
                if response.is_success:
                    return
                said = response.text
            except httpx.TransportError as failure:
                said = str(failure)
            process.check_alive()
            if time.perf_counter() > deadline:
                raise ProcessFailed(f"{url} did not answer with success: {said[:200]}")
            await asyncio.sleep(0.01)
