"""A long history read by a worker that has nothing cached: its pages, and the time to replay it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from temporalio.api.enums.v1 import QueryResultType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondQueryTaskCompletedRequest,
)
from temporalio.client import WorkflowHandle

from benchmarks.measure import Figures
from benchmarks.processes import ProcessFailed
from benchmarks.protocol.server import TASK_QUEUE, ProtocolRunning
from benchmarks.systems.base import WrongResult

NAMESPACE = "default"
QUERY_TIMEOUT = timedelta(seconds=60)


@dataclass(frozen=True)
class Pages:
    """A history as a worker gets it: events in all, answers, bytes of the largest, seconds."""

    events: int
    answers: int
    largest: int
    seconds: float


async def measure_replay(running: ProtocolRunning, folder: Path, events: int, timeout: float) -> Figures:
    """Grow a history, stop the worker, read the pages as a worker would, then time a fresh worker."""
    handle = await running.client.start_workflow("Tall", events, id="tall", task_queue=TASK_QUEUE)
    length = await _grown(handle, events, timeout)
    fired = await handle.query("fired")
    running.worker.stop()
    pages = await _read_pages(running, handle)
    if pages.events < length:
        raise WrongResult(f"the pages hold {pages.events} events, the history had {length}")
    running.worker = await running.endpoint.worker(folder)
    started = time.perf_counter()
    if await handle.query("fired", rpc_timeout=QUERY_TIMEOUT) != fired:
        raise WrongResult("the replayed workflow answers its query differently")
    return {
        "replay_events": float(pages.events),
        "replay_answers": float(pages.answers),
        "replay_largest": float(pages.largest),
        "replay_pages_ms": pages.seconds * 1000,
        "replay_ms": (time.perf_counter() - started) * 1000,
    }


async def _grown(handle: WorkflowHandle[object, object], events: int, timeout: float) -> int:
    """Wait until the history is as long as asked for and at rest; its length."""
    deadline = time.perf_counter() + timeout
    while True:
        described = (await handle.describe()).raw_description
        length = described.workflow_execution_info.history_length
        if length >= events and not described.HasField("pending_workflow_task"):
            return length
        if time.perf_counter() > deadline:
            raise ProcessFailed(f"the history has {length} of {events} events after {timeout:.0f} s")
        await asyncio.sleep(0.1)


async def _read_pages(running: ProtocolRunning, handle: WorkflowHandle[object, object]) -> Pages:
    """Poll in the worker's place, for a query, and follow the page tokens to the end."""
    asking = asyncio.create_task(handle.query("fired", rpc_timeout=QUERY_TIMEOUT))
    service = running.client.workflow_service
    task = await _query_task(running)
    started = time.perf_counter()
    sizes, events, token = [task.ByteSize()], len(task.history.events), task.next_page_token
    while token:
        page = await service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=NAMESPACE, execution=task.workflow_execution, next_page_token=token
            )
        )
        sizes.append(page.ByteSize())
        events += len(page.history.events)
        token = page.next_page_token
    seconds = time.perf_counter() - started
    await service.respond_query_task_completed(
        RespondQueryTaskCompletedRequest(
            namespace=NAMESPACE,
            task_token=task.task_token,
            completed_type=QueryResultType.QUERY_RESULT_TYPE_ANSWERED,
        )
    )
    await asking
    return Pages(events, len(sizes), max(sizes), seconds)


async def _query_task(running: ProtocolRunning) -> PollWorkflowTaskQueueResponse:
    request = PollWorkflowTaskQueueRequest(
        namespace=NAMESPACE, task_queue=TaskQueue(name=TASK_QUEUE), identity="replay"
    )
    while True:
        task = await running.client.workflow_service.poll_workflow_task_queue(request)
        if task.task_token:
            return task
