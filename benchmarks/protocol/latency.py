"""How long single calls take: start, signal, query, update, one after another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from temporalio.client import WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from benchmarks.measure import Figures, latencies, percentile
from benchmarks.protocol.server import TASK_QUEUE, ProtocolRunning
from benchmarks.systems.base import WrongResult

Call = Callable[[int], Awaitable[object]]
NOT_YET = "not yet"


async def measure_latencies(running: ProtocolRunning, calls: int) -> Figures:
    """p50 and p99 of each kind of call, in milliseconds; the counter's value is checked."""
    figures: Figures = {}

    async def start(number: int) -> None:
        await running.client.start_workflow("Counter", id=f"started-{number}", task_queue=TASK_QUEUE)

    _add(figures, "start", await latencies(start, calls))
    counter = running.client.get_workflow_handle("started-0")

    async def signal(number: int) -> None:
        await counter.signal("add")

    async def query(number: int) -> None:
        await counter.query("count")

    async def update(number: int) -> None:
        await counter.execute_update("add_and_get")

    _add(figures, "signal", await latencies(signal, calls))
    _add(figures, "query", await latencies(query, calls))
    await _check_count(counter, calls)
    try:
        _add(figures, "update", await latencies(update, calls))
        await _check_count(counter, 2 * calls)
    except RPCError as refusal:
        if refusal.status != RPCStatusCode.UNIMPLEMENTED:
            raise
        figures["update_p50"] = figures["update_p99"] = NOT_YET
    return figures


def _add(figures: Figures, name: str, taken: list[float]) -> None:
    figures[f"{name}_p50"] = percentile(taken, 50)
    figures[f"{name}_p99"] = percentile(taken, 99)


async def _check_count(counter: WorkflowHandle[object, object], expected: int) -> None:
    """A query waits for the signals before it, so that the count is exact."""
    counted = await counter.query("count")
    if counted != expected:
        raise WrongResult(f"the counter says {counted!r} after {expected} signals and updates")
