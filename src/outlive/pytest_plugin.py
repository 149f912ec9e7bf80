"""The pytest plug-in: servers and clients as fixtures.

    async def test_an_order_is_shipped(outlive_client):
        async with Worker(outlive_client, task_queue="q", workflows=[Order]):
            assert await outlive_client.execute_workflow(Order.run, id="o", task_queue="q") == "shipped"

The fixtures are plain ones, so tests may be run by pytest-asyncio (in either mode), by anyio, or run loops of
their own. Nothing is imported and no server is started before a test asks for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from temporalio.client import Client
    from temporalio.testing import WorkflowEnvironment

    from outlive.testing import ServerThread, TimeSkippingEnvironment


@pytest.fixture(scope="session")
def outlive_server() -> Iterator[ServerThread]:
    """A server in memory inside this process, for the whole session. Its `address` is what clients connect to."""
    from outlive.testing import ServerThread

    with ServerThread() as server:
        yield server


@pytest.fixture
def outlive_env(outlive_server: ServerThread) -> WorkflowEnvironment:
    """The SDK's test environment on the session's server, in a namespace of the test's own."""
    from temporalio.testing import WorkflowEnvironment

    from outlive.testing import connected_client

    namespace = f"test-{uuid.uuid4().hex[:16]}"
    outlive_server.add_namespace(namespace)
    return WorkflowEnvironment.from_client(connected_client(outlive_server.address, namespace=namespace))


@pytest.fixture
def outlive_client(outlive_env: WorkflowEnvironment) -> Client:
    """A client in a namespace of the test's own."""
    return outlive_env.client


@pytest.fixture
def outlive_time_skipping_env() -> Iterator[TimeSkippingEnvironment]:
    """An environment whose time is skipped, on a server of the test's own: the clock is the server's.

    While its client waits for a result, time passes at once; `await env.sleep(timedelta(days=30))` passes it
    by hand.
    """
    from outlive.testing import ServerThread, TimeSkippingEnvironment, connected_client

    with ServerThread(time_skipping=True) as server:
        yield TimeSkippingEnvironment.from_client(connected_client(server.address))
