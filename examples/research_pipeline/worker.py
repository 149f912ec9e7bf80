"""The worker: the process that does the work, and may die at any moment."""

from __future__ import annotations

import asyncio
import signal
from contextlib import closing
from datetime import timedelta

from temporalio.client import Client
from temporalio.worker import Worker

from examples.research_pipeline.activities import PipelineActivities
from examples.research_pipeline.calls import CallLog, ModelCalls
from examples.research_pipeline.contract import TASK_QUEUE
from examples.research_pipeline.embedding import Embedder
from examples.research_pipeline.metering import Metering
from examples.research_pipeline.models import Analyst
from examples.research_pipeline.settings import DataFolder
from examples.research_pipeline.store.stores import open_stores
from examples.research_pipeline.workflows import DocumentWorkflow, ResearchWorkflow
from outlive.ledger.client import Ledger


async def run_worker(
    client: Client,
    data: DataFolder,
    analyst: Analyst,
    embedder: Embedder,
    stop: asyncio.Event,
    task_queue: str = TASK_QUEUE,
    ledger: Ledger | None = None,
) -> None:
    """Serve the task queue until `stop` is set, then let running activities end.

    With a ledger, model calls keep its quotas and budgets, and share their answers across runs.
    """
    metering = Metering(ledger, analyst.name, analyst.is_language_model, client.namespace) if ledger else None
    with open_stores(data.database) as stores, closing(CallLog(data.call_log)) as log:
        activities = PipelineActivities(
            stores=stores,
            calls=ModelCalls(log, stores.trace, metering),
            analyst=analyst,
            embedder=embedder,
            reports=data.reports,
        )
        async with Worker(
            client,
            task_queue=task_queue,
            workflows=[ResearchWorkflow, DocumentWorkflow],
            activities=[
                activities.fetch_documents,
                activities.embed_question,
                activities.embed_documents,
                activities.analyse_document,
                activities.summarise,
                activities.store_result,
            ],
            # A worker that replaces a dead one gets the dead one's workflows after this long, not after 10 s.
            sticky_queue_schedule_to_start_timeout=timedelta(seconds=2),
            graceful_shutdown_timeout=timedelta(seconds=10),
        ):
            await stop.wait()


def stop_on_signals() -> asyncio.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop
