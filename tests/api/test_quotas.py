"""One client that floods does not stop another: rates, long polls, lists, and turns between namespaces."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import ResourceExhaustedCause, ResourceExhaustedScope
from temporalio.api.errordetails.v1 import ResourceExhaustedFailure
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    ListWorkflowExecutionsRequest,
    RespondActivityTaskCompletedRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from outlive.api.services import handlers
from outlive.api.tiers import LONG, TIERS, VISIBILITY
from outlive.api.turns import LoopTurns, Turnstile
from outlive.config import ServerConfig
from outlive.errors import ResourceExhausted
from outlive.limits import SECOND
from outlive.server import Server
from tests.engine.queue_calls import Queue

pytestmark = pytest.mark.timeout(60)
RPS = ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_RPS_LIMIT
CONCURRENT = ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT


@asynccontextmanager
async def limited(tmp_path: Path, **values: object) -> AsyncIterator[tuple[Client, Client]]:
    """Clients of two namespaces of a server with these limits, __ in their names standing for a dot."""
    config = {f"frontend.{name.replace('__', '.')}": value for name, value in values.items()}
    server = Server(
        ServerConfig(port=0, database=tmp_path / "outlive.db", namespaces=("other",), dynamic_config=config)
    )
    await server.start()
    try:
        address = f"127.0.0.1:{server.port}"
        yield await Client.connect(address), await Client.connect(address, namespace="other")
    finally:
        await server.stop(0)


async def outcome(call: Awaitable[object]) -> ResourceExhaustedFailure | None:
    """None if the call was not refused for a limit, else what its detail says."""
    try:
        await call
    except RPCError as error:
        if error.status != RPCStatusCode.RESOURCE_EXHAUSTED:
            return None
        failure = ResourceExhaustedFailure()
        assert error.grpc_status.details[0].Unpack(failure)
        assert failure.scope == ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE
        return failure
    return None


def describe(client: Client) -> Awaitable[object]:
    return client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution={"workflow_id": "none"})  # type: ignore[arg-type]
    )


def listing(client: Client) -> Awaitable[object]:
    return client.workflow_service.list_workflow_executions(ListWorkflowExecutionsRequest(namespace=client.namespace))


async def test_a_namespace_that_asks_too_much_is_refused_and_no_other(tmp_path: Path) -> None:
    async with limited(tmp_path, namespaceRPS=50, namespaceBurstRatio=1) as (client, other):
        refusals = [r for r in await asyncio.gather(*(outcome(describe(client)) for _ in range(200))) if r is not None]
        assert 100 <= len(refusals) <= 150
        assert {r.cause for r in refusals} == {RPS}
        assert await outcome(describe(other)) is None
        await asyncio.sleep(0.1)
        assert await outcome(describe(client)) is None, "a moment later it may ask again"


async def test_answers_of_workers_are_taken_when_reads_are_refused(tmp_path: Path) -> None:
    async with limited(tmp_path, namespaceRPS=20, namespaceBurstRatio=1) as (client, _):

        def completed() -> Awaitable[object]:
            request = RespondActivityTaskCompletedRequest(namespace=client.namespace, task_token=b"none")
            return client.workflow_service.respond_activity_task_completed(request)

        refused = await asyncio.gather(*(outcome(describe(client)) for _ in range(80)))
        assert any(refused)
        assert await outcome(completed()) is None
        refused = await asyncio.gather(*(outcome(completed()) for _ in range(80)))
        assert any(refused), "they have a limit too"
        assert await outcome(describe(client)) is not None, "what is urgent takes from what is not"


async def test_lists_have_a_rate_of_their_own(tmp_path: Path) -> None:
    async with limited(tmp_path, namespaceRPS__visibility=10) as (client, other):
        refusals = [r for r in await asyncio.gather(*(outcome(listing(client)) for _ in range(40))) if r is not None]
        assert len(refusals) >= 20
        assert {r.cause for r in refusals} == {RPS}
        assert await outcome(describe(client)) is None
        assert await outcome(listing(other)) is None


async def test_so_many_polls_of_each_kind_may_wait(tmp_path: Path) -> None:
    async with limited(tmp_path, namespaceCount=3) as (client, other):
        queue = Queue(client)
        waiting = [asyncio.create_task(queue.poll(f"worker {n}", seconds=3)) for n in range(3)]
        for n in range(3):
            await queue.polled(f"worker {n}")
        refusal = await outcome(queue.poll("one more", seconds=3))
        assert refusal is not None
        assert refusal.cause == CONCURRENT
        others = asyncio.create_task(queue.poll_activity(identity="of another kind", seconds=3))
        elsewhere = asyncio.create_task(Queue(other).poll("of another namespace", seconds=3))
        assert not any(task.task_token for task in await asyncio.gather(*waiting))
        assert await outcome(queue.poll("when they have gone", seconds=2.1)) is None
        await asyncio.gather(others, elsewhere)


async def test_reads_of_a_history_count_as_polls_only_while_they_wait(tmp_path: Path) -> None:
    async with limited(tmp_path, namespaceCount=0) as (client, _):
        workflow_id = await Queue(client).start()

        def history(wait: bool) -> Awaitable[object]:
            return client.workflow_service.get_workflow_execution_history(
                GetWorkflowExecutionHistoryRequest(
                    namespace=client.namespace,
                    execution={"workflow_id": workflow_id},  # type: ignore[arg-type]
                    wait_new_event=wait,
                )
            )

        assert await outcome(history(False)) is None
        refusal = await outcome(history(True))
        assert refusal is not None
        assert refusal.cause == CONCURRENT


async def test_every_rpc_that_the_tiers_name_is_one(server: Server) -> None:
    assert server._engine is not None
    known = {path.rsplit("/", 1)[-1] for path in handlers(server._engine, server._waits)}
    assert set().union(*TIERS.values(), VISIBILITY, LONG) <= known


# -- turns


async def test_while_two_namespaces_ask_each_begins_a_few_requests_in_a_turn() -> None:
    turns = LoopTurns()
    order: list[str] = []

    async def request(namespace: str) -> None:
        turn = turns.turn(namespace, 10 * SECOND)
        if turn is not None:
            await turn
        order.append(namespace)

    await asyncio.gather(*(request("flood") for _ in range(500)), *(request("quiet") for _ in range(3)))
    assert Counter(order) == {"flood": 500, "quiet": 3}
    assert order.index("quiet") <= 16
    assert "quiet" not in order[40:]


async def test_a_namespace_that_is_alone_never_waits() -> None:
    turns = LoopTurns()
    assert turns.turn("alone", 10 * SECOND) is None
    assert all(turns.turn("alone", 20 * SECOND) is None for _ in range(1000))
    assert turns.turn("another", 20 * SECOND) is None
    assert any(turns.turn("alone", 20 * SECOND) is not None for _ in range(20))


async def test_a_request_that_is_given_up_while_it_waits_takes_no_turn() -> None:
    turns = LoopTurns()
    turns.turn("other", 10 * SECOND)
    waiting = [turn for _ in range(30) if (turn := turns.turn("flood", 10 * SECOND)) is not None]
    for turn in waiting[:15]:
        turn.cancel()
    await asyncio.wait_for(asyncio.gather(*waiting[15:]), 5)


async def test_readers_of_lists_go_in_turn_by_namespace() -> None:
    turnstile = Turnstile(waiting_max=100)
    order: list[str] = []

    async def read(namespace: str) -> None:
        await turnstile.enter(namespace)
        order.append(namespace)
        await asyncio.sleep(0)
        turnstile.leave()

    await asyncio.gather(*(read("flood") for _ in range(50)), *(read("quiet") for _ in range(2)))
    assert Counter(order) == {"flood": 50, "quiet": 2}
    assert "quiet" not in order[5:]


async def test_no_more_readers_wait_than_may_and_those_that_leave_make_room() -> None:
    turnstile = Turnstile(waiting_max=2)
    await turnstile.enter("one")
    waiting = [asyncio.create_task(turnstile.enter("one")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ResourceExhausted):
        await turnstile.enter("one")
    waiting[0].cancel()
    await asyncio.gather(waiting[0], return_exceptions=True)
    turnstile.leave()
    await asyncio.wait_for(waiting[1], 5)
    turnstile.leave()
    await asyncio.wait_for(turnstile.enter("one"), 5)
