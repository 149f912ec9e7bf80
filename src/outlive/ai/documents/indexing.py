"""For workflows: bring an index up to date with its sources."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from outlive.ai.documents.activities import DocumentActivities, IndexJob, ScanJob
    from outlive.ai.documents.sources import is_url

_UNREADABLE_SAID = 50  # sources that a report names
_ROUNDS_MAX = 1000  # scans of one run: sources that change as they are read must not keep it for ever


@dataclass
class IndexReport:
    """What a run of `index_folder` did. `embedded` counts texts, `tokens` what the model said they took."""

    documents: int = 0
    unchanged: int = 0
    removed: int = 0
    passages: int = 0
    embedded: int = 0
    tokens: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


async def index_folder(
    *sources: str,
    batch: int = 16,
    concurrency: int = 4,
    task_queue: str | None = None,
    retry_policy: RetryPolicy | None = None,
) -> IndexReport:
    """Bring the index of the worker's `DocumentActivities` up to date with files, folders and URLs.

    Only what has changed is read, only texts without a vector are embedded, and what is gone is removed. Sources that
    cannot be read are in the report. Raises ActivityError where the model refuses, or a path is not there.
    """
    report = IndexReport()
    config = workflow.ActivityConfig(
        start_to_close_timeout=timedelta(hours=1),
        heartbeat_timeout=timedelta(minutes=2),
        retry_policy=retry_policy or RetryPolicy(maximum_interval=timedelta(minutes=1)),
        task_queue=task_queue,
    )
    urls: list[str] = []
    for _ in range(_ROUNDS_MAX):
        scanned = await workflow.execute_activity_method(
            DocumentActivities.scan, ScanJob(list(sources), urls), **config
        )
        if not report.documents and not report.removed:
            report.unchanged = scanned.unchanged
        if scanned.removed:
            await workflow.execute_activity_method(DocumentActivities.remove, IndexJob(scanned.removed), **config)
            report.removed += len(scanned.removed)
        await _index(scanned.changed, report, batch, concurrency, config)
        urls += [source for source in scanned.changed if is_url(source)]
        if not scanned.more:
            break
    return report


async def _index(
    changed: Sequence[str], report: IndexReport, batch: int, concurrency: int, config: workflow.ActivityConfig
) -> None:
    free = asyncio.Semaphore(concurrency)

    async def one(some: list[str]) -> None:
        async with free:
            done = await workflow.execute_activity_method(DocumentActivities.index, IndexJob(some), **config)
        report.documents += done.documents
        report.unchanged += done.unchanged
        report.passages += done.passages
        report.embedded += done.embedded
        report.tokens += done.tokens
        for source, why in done.unreadable.items():
            if len(report.unreadable) < _UNREADABLE_SAID:
                report.unreadable[source] = why

    await asyncio.gather(*(one(list(changed[at : at + batch])) for at in range(0, len(changed), batch)))
