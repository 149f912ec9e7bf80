"""Servers and clients in one: the SDK's test environments, with a server of their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client
from temporalio.testing import WorkflowEnvironment

from outlive.testing.servers import ServerThread
from outlive.testing.time_skipping import TimeSkippingEnvironment


@asynccontextmanager
async def environment(**connect: Any) -> AsyncIterator[WorkflowEnvironment]:
    """A server in memory inside this process, and the SDK's environment on it.

        async with environment() as env:
            async with Worker(env.client, task_queue="q", workflows=[Order]):
                assert await env.client.execute_workflow(Order.run, id="o", task_queue="q") == "done"

    Keyword arguments are those of `Client.connect` (`data_converter`, `interceptors`, `plugins`, ...). A
    `namespace` that is given is made. An `assert` that fails in a workflow fails that workflow.
    """
    async with ServerThread(namespaces=_namespaces(connect)) as server:
        yield WorkflowEnvironment.from_client(await Client.connect(server.address, **connect))


@asynccontextmanager
async def time_skipping_environment(**connect: Any) -> AsyncIterator[TimeSkippingEnvironment]:
    """The same with a clock that is skipped: a workflow that sleeps for a year has its result at once.

    async with time_skipping_environment() as env:
        async with Worker(env.client, task_queue="q", workflows=[Subscription]):
            handle = await env.client.start_workflow(Subscription.run, id="s", task_queue="q")
            await env.sleep(timedelta(days=30))
            assert await handle.query(Subscription.paid_months) == 1
    """
    async with ServerThread(time_skipping=True, namespaces=_namespaces(connect)) as server:
        yield TimeSkippingEnvironment.from_client(await Client.connect(server.address, **connect))


def connected_client(address: str, **connect: Any) -> Client:
    """A client for where no event loop runs yet, such as a plain fixture. It works in any loop later."""
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(Client.connect(address, **connect))
    finally:
        loop.close()


def _namespaces(connect: dict[str, Any]) -> tuple[str, ...]:
    return (connect["namespace"],) if "namespace" in connect else ()
