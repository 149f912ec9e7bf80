"""The pipeline as ordinary code: what happens in which order, and nothing that touches the world."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    ChildWorkflowError,
    FailureError,
    is_cancelled_exception,
)

with workflow.unsafe.imports_passed_through():
    from examples.research_pipeline.activities import PipelineActivities
    from examples.research_pipeline.contract import (
        TASK_TIMEOUT,
        Analysed,
        Approval,
        Conclusion,
        DocumentJob,
        DocumentRef,
        EmbedJob,
        FailedDocument,
        Fetched,
        FetchJob,
        Progress,
        ResearchRequest,
        ResearchResult,
        RunRef,
        Stage,
        Verdict,
        child_workflow_id,
    )

T = TypeVar("T")

_STEP = workflow.ActivityConfig(
    start_to_close_timeout=timedelta(minutes=30),
    # How long the server waits for a sign of life before it gives the step to another worker.
    heartbeat_timeout=timedelta(seconds=4),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        backoff_coefficient=2,
        maximum_interval=timedelta(minutes=1),
        maximum_attempts=8,
    ),
)
_EMBED_BATCH = 8
"""Documents in one embedding activity."""


@workflow.defn
class DocumentWorkflow:
    """One document of the fan-out: a child of its own, so that it is seen, retried and stopped by itself."""

    @workflow.run
    async def run(self, job: DocumentJob) -> Analysed:
        """Analyse the document."""
        return await workflow.execute_activity_method(
            PipelineActivities.analyse_document,
            job,
            **_STEP,
        )


@workflow.defn
class ResearchWorkflow:
    """Fetch, embed, analyse each document, summarise, wait for a person if asked to, store."""

    def __init__(self) -> None:
        self._stage = Stage.FETCHING
        self._documents: list[DocumentRef] = []
        self._embedded = 0
        self._analysed = 0
        self._findings = 0
        self._failed: list[FailedDocument] = []
        self._running: list[str] = []
        self._approval: Approval | None = None

    @workflow.run
    async def run(self, request: ResearchRequest) -> ResearchResult:
        """Carry one request from sources to report."""
        info = workflow.info()
        # The id alone would not do: it may be used again, and must not find the last run's answers.
        # The end of the run id, as its beginning is the time.
        run = f"{info.workflow_id}/{info.first_execution_run_id[-12:]}"
        fetched = await self._fetch(FetchJob(run, request))
        self._documents = fetched.documents
        await self._embed(run, request.concurrency)
        await self._analyse(run, request.concurrency)
        self._stage = Stage.SUMMARISING
        await workflow.execute_activity_method(
            PipelineActivities.summarise,
            RunRef(run),
            **_STEP,
        )
        verdict = await self._decide_with(request.approval_seconds)
        self._stage = Stage.STORING
        report = await workflow.execute_activity_method(
            PipelineActivities.store_result,
            Conclusion(run, verdict, self._approval, self._failed),
            **_STEP,
        )
        self._stage = Stage.DONE
        return ResearchResult(
            run=run,
            documents=len(self._documents),
            skipped=fetched.skipped,
            failed=len(self._failed),
            findings=self._findings,
            verdict=verdict,
            report=report,
        )

    @workflow.signal
    def decide(self, approval: Approval) -> None:
        """A person approves or rejects; the first answer counts, also when it comes early."""
        self._approval = self._approval or approval

    @workflow.query
    def progress(self) -> Progress:
        """How far the run is."""
        return Progress(
            stage=self._stage,
            documents=len(self._documents),
            embedded=self._embedded,
            analysed=self._analysed,
            failed=len(self._failed),
            running=list(self._running),
        )

    async def _fetch(self, job: FetchJob) -> Fetched:
        return await workflow.execute_activity_method(
            PipelineActivities.fetch_documents,
            job,
            **_STEP,
        )

    async def _embed(self, run: str, concurrency: int) -> None:
        self._stage = Stage.EMBEDDING
        await workflow.execute_activity_method(
            PipelineActivities.embed_question,
            RunRef(run),
            **_STEP,
        )
        ids = [document.id for document in self._documents]
        batches = [ids[start : start + _EMBED_BATCH] for start in range(0, len(ids), _EMBED_BATCH)]
        await _bounded(concurrency, (self._embed_batch(run, batch) for batch in batches))

    async def _embed_batch(self, run: str, ids: list[str]) -> None:
        await workflow.execute_activity_method(
            PipelineActivities.embed_documents,
            EmbedJob(run, ids),
            **_STEP,
        )
        self._embedded += len(ids)

    async def _analyse(self, run: str, concurrency: int) -> None:
        self._stage = Stage.ANALYSING
        await _bounded(concurrency, (self._analyse_one(run, document) for document in self._documents))
        if not self._analysed:
            raise ApplicationError(f"no document could be analysed; the first: {self._failed[0].reason}")

    async def _analyse_one(self, run: str, document: DocumentRef) -> None:
        self._running.append(document.title)
        try:
            analysed = await workflow.execute_child_workflow(
                DocumentWorkflow.run,
                DocumentJob(run, document),
                id=child_workflow_id(workflow.info().workflow_id, document.id),
                task_timeout=TASK_TIMEOUT,
            )
            self._analysed += 1
            self._findings += analysed.findings
        except ChildWorkflowError as error:
            if is_cancelled_exception(error):
                raise
            # One document that cannot be analysed is a line in the report, not the end of the run.
            self._failed.append(FailedDocument(document, _reason(error)))
        finally:
            self._running.remove(document.title)

    async def _decide_with(self, seconds: float) -> Verdict:
        """Wait for a person's answer for `seconds`; with 0 nobody is asked."""
        if not seconds:
            return Verdict.NOT_ASKED
        self._stage = Stage.WAITING
        try:
            await workflow.wait_condition(lambda: self._approval is not None, timeout=timedelta(seconds=seconds))
        except TimeoutError:
            return Verdict.TIMED_OUT
        return Verdict.APPROVED if self._approval and self._approval.approved else Verdict.REJECTED


async def _bounded(limit: int, jobs: Iterable[Awaitable[T]]) -> list[T]:
    """Run jobs side by side, at most `limit` at once; the first that fails fails all."""
    free = asyncio.Semaphore(limit)

    async def one(job: Awaitable[T]) -> T:
        async with free:
            return await job

    return await asyncio.gather(*(one(job) for job in jobs))


def _reason(error: ChildWorkflowError) -> str:
    """The innermost message: what went wrong, without the layers it came through."""
    cause: BaseException = error
    while isinstance(cause, ChildWorkflowError | ActivityError) and cause.__cause__:
        cause = cause.__cause__
    return cause.message if isinstance(cause, FailureError) else str(cause)
