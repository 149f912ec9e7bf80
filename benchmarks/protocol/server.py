"""One server that speaks Temporal's protocol: started, asked, loaded through the official client."""

from __future__ import annotations

import asyncio
import itertools
import socket
import sys
import time
from abc import abstractmethod
from pathlib import Path

import grpc
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client

from benchmarks.processes import Managed, ProcessFailed, free_port, spawn, wait_quiet, wait_until
from benchmarks.systems.base import Running, System, WrongResult

TASK_QUEUE = "bench"
READY_SECONDS = 30.0
SYSTEM_INFO = "/temporal.api.workflowservice.v1.WorkflowService/GetSystemInfo"


class Server:
    """A server process and the address it answers on."""

    def __init__(self, process: Managed, port: int) -> None:
        self.process = process
        self.address = f"127.0.0.1:{port}"
        self._port = port

    def _listens(self) -> bool:
        self.process.check_alive()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    async def ready(self) -> float:
        """Seconds from the command to the first answered ``GetSystemInfo``."""
        await wait_until(self._listens, READY_SECONDS, f"{self.process.name} listens")
        request = GetSystemInfoRequest().SerializeToString()
        deadline = self.process.started + READY_SECONDS
        while True:
            try:
                async with grpc.aio.insecure_channel(self.address) as channel:
                    call = channel.unary_unary(SYSTEM_INFO, request_serializer=bytes, response_deserializer=bytes)
                    await call(request, timeout=5)
                return time.perf_counter() - self.process.started
            except grpc.aio.AioRpcError as refusal:
                self.process.check_alive()
                if time.perf_counter() > deadline:
                    raise ProcessFailed(f"{self.process.name} does not answer: {refusal.details()}") from None
                await asyncio.sleep(0.005)

    async def worker(self, folder: Path) -> Managed:
        """A worker process of this server, polling."""
        command = [sys.executable, "-m", "benchmarks.apps.temporal_worker", self.address, TASK_QUEUE]
        worker = spawn("worker", command, folder, talk=True)
        await worker.read_line(READY_SECONDS)
        return worker


class ProtocolRunning(Running):
    """Server, worker and client of one system that speaks the protocol."""

    def __init__(self, server: Server, worker: Managed, client: Client, idle_rss: int) -> None:
        self.endpoint = server
        self.server: Managed = server.process
        self.worker = worker
        self.client = client
        self.idle_rss = idle_rss
        self._ids = itertools.count()

    async def run(self, steps: int, count: int, in_flight: int) -> None:
        """Start each workflow and wait for its result, as a client does."""
        ids = [f"chain-{next(self._ids)}" for _ in range(count)]
        waiting = iter(ids)

        async def lane() -> None:
            for workflow_id in waiting:
                result = await self.client.execute_workflow(
                    "Chain", steps, id=workflow_id, task_queue=TASK_QUEUE, result_type=int
                )
                if result != steps:
                    raise WrongResult(f"{workflow_id} answered {result!r} in place of {steps}")

        async with asyncio.TaskGroup() as lanes:
            for _ in range(min(in_flight, count)):
                lanes.create_task(lane())
        await self._check_history(ids[-1], steps)

    async def _check_history(self, workflow_id: str, steps: int) -> None:
        completed = 0
        async for event in self.client.get_workflow_handle(workflow_id).fetch_history_events():
            completed += event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        if completed != steps:
            raise WrongResult(f"{workflow_id} has {completed} completed activities in its history, not {steps}")

    async def stop(self) -> None:
        """End worker, then server."""
        self.worker.stop()
        self.server.stop()


class ProtocolSystem(System):
    """A system that differs from the others only by the command that starts it."""

    durable: bool

    @abstractmethod
    def command(self, port: int, database: Path | None) -> list[str | Path]:
        """What starts the server on this port, on this file or in memory."""

    def launch(self, folder: Path) -> Server:
        """Start the server, on the database in `folder` when the system is durable."""
        port = free_port()
        database = folder / "server.db" if self.durable else None
        return Server(spawn(self.key, self.command(port, database), folder), port)

    async def ready_seconds(self, folder: Path) -> float:
        """Start, ask once, stop."""
        server = self.launch(folder)
        try:
            return await server.ready()
        finally:
            server.process.stop()

    async def start_server(self, folder: Path) -> Server:
        """A server that answers."""
        server = self.launch(folder)
        try:
            await server.ready()
        except BaseException:
            server.process.kill()
            raise
        return server

    async def start(self, folder: Path) -> ProtocolRunning:
        """Server, then, once it is quiet and its idle memory read, worker and client."""
        server = await self.start_server(folder)
        try:
            await wait_quiet(server.process)
            idle_rss = server.process.rss()
            client = await Client.connect(server.address)
            return ProtocolRunning(server, await server.worker(folder), client, idle_rss)
        except BaseException:
            server.process.kill()
            raise
