"""The pipeline as a whole, on a real server: what runs, what is retried, what a person may say, what fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Replayer

from examples.research_pipeline.calls import Event, read_log
from examples.research_pipeline.contract import Approval, ResearchRequest, ResearchResult, Stage, Verdict
from examples.research_pipeline.embedding import HashingEmbedder
from examples.research_pipeline.models import (
    Analysis,
    Excerpt,
    ModelRefused,
    NumberedFinding,
    Overview,
    Reply,
)
from examples.research_pipeline.settings import DataFolder
from examples.research_pipeline.standin import StandIn
from examples.research_pipeline.store.stores import open_stores
from examples.research_pipeline.worker import run_worker
from examples.research_pipeline.workflows import DocumentWorkflow, ResearchWorkflow

Handle = WorkflowHandle[ResearchWorkflow, ResearchResult]

_SECONDS = 60
_QUESTION = "What is it for?"


class Analyst(StandIn):
    """The stand-in, watched: counts who is in at once, and can be told to refuse, fail or hold."""

    def __init__(self) -> None:
        super().__init__()
        self.most_at_once = 0
        self.asked: list[str] = []
        self.refuse: set[str] = set()
        self.fail_once: set[str] = set()
        self.hold: asyncio.Event | None = None
        self._inside = 0

    async def analyse(self, question: str, excerpt: Excerpt) -> Reply[Analysis]:
        """As the stand-in, unless told otherwise for this title."""
        self.asked.append(excerpt.title)
        self._inside += 1
        self.most_at_once = max(self.most_at_once, self._inside)
        try:
            if self.hold:
                await self.hold.wait()
            if excerpt.title in self.refuse:
                raise ModelRefused(f"no key for {excerpt.title}")
            if excerpt.title in self.fail_once:
                self.fail_once.remove(excerpt.title)
                raise ConnectionError("line is dead")
            return await super().analyse(question, excerpt)
        finally:
            self._inside -= 1

    async def summarise(self, question: str, findings: Sequence[NumberedFinding]) -> Reply[Overview]:
        """As the stand-in, noted."""
        self.asked.append("summary")
        return await super().summarise(question, findings)


@dataclass
class Bench:
    """A worker of its own on the shared server."""

    client: Client
    data: DataFolder
    task_queue: str = field(default_factory=lambda: f"queue-{uuid4()}")
    analyst: Analyst = field(default_factory=Analyst)

    @asynccontextmanager
    async def worker(self) -> AsyncIterator[None]:
        """A worker for the body."""
        stop = asyncio.Event()
        serving = run_worker(self.client, self.data, self.analyst, HashingEmbedder(), stop, self.task_queue)
        running = asyncio.create_task(serving)
        try:
            yield
        finally:
            stop.set()
            await asyncio.wait_for(running, _SECONDS)

    async def start(self, request: ResearchRequest, workflow_id: str | None = None) -> Handle:
        """Start a pipeline."""
        return await self.client.start_workflow(
            ResearchWorkflow.run, request, id=workflow_id or f"research-{uuid4()}", task_queue=self.task_queue
        )


@pytest.fixture
def bench(client: Client, tmp_path: Path) -> Bench:
    """A client, a queue and an empty data folder."""
    return Bench(client, DataFolder(tmp_path / "data"))


async def finished(handle: Handle) -> ResearchResult:
    """The result, in bounded time."""
    return await asyncio.wait_for(handle.result(), _SECONDS)


async def reached(handle: Handle, stage: Stage) -> None:
    """Wait until the run is in `stage`, by its own word."""
    async with asyncio.timeout(_SECONDS):
        while (await handle.query(ResearchWorkflow.progress)).stage is not stage:
            await asyncio.sleep(0.05)


async def test_documents_become_a_report(bench: Bench, topics: Path) -> None:
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)], concurrency=3))
        result = await finished(handle)
        progress = await handle.query(ResearchWorkflow.progress)
    assert (result.documents, result.failed, result.skipped) == (8, 0, 0)
    assert (result.verdict, progress.stage, progress.analysed) == (Verdict.NOT_ASKED, Stage.DONE, 8)
    assert 1 <= bench.analyst.most_at_once <= 3
    page = Path(result.report).read_text()
    assert "A lighthouse warns ships of rocks at night." in page
    lines = read_log(bench.data.call_log)
    assert sum(line.event is Event.BEGIN for line in lines) == 9
    assert sum(line.event is Event.END for line in lines) == 9


async def test_history_stays_small_and_replays(bench: Bench, topics: Path) -> None:
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)]))
        await finished(handle)
    history = await handle.fetch_history()
    assert all(event.ByteSize() < 4096 for event in history.events), "documents belong in the store"
    children = EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
    assert sum(event.event_type == children for event in history.events) == 8
    await Replayer(workflows=[ResearchWorkflow, DocumentWorkflow]).replay_workflow(history)


async def test_a_person_can_reject(bench: Bench, topics: Path) -> None:
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)], limit=2, approval_seconds=600))
        await reached(handle, Stage.WAITING)
        await handle.signal(ResearchWorkflow.decide, Approval(False, "Ada", "too thin"))
        await handle.signal(ResearchWorkflow.decide, Approval(True, "Eve", "the first answer counts"))
        result = await finished(handle)
    assert (result.verdict, result.documents) == (Verdict.REJECTED, 2)
    assert "Rejected</b> by Ada: too thin" in Path(result.report).read_text()


async def test_an_early_approval_is_kept(bench: Bench, topics: Path) -> None:
    handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)], limit=2, approval_seconds=600))
    await handle.signal(ResearchWorkflow.decide, Approval(True, "Ada"))
    async with bench.worker():
        assert (await finished(handle)).verdict is Verdict.APPROVED


async def test_nobody_answers(bench: Bench, topics: Path) -> None:
    async with bench.worker():
        result = await finished(
            await bench.start(ResearchRequest(_QUESTION, [str(topics)], limit=1, approval_seconds=0.2))
        )
    assert result.verdict is Verdict.TIMED_OUT
    assert "Not reviewed in time" in Path(result.report).read_text()


async def test_one_document_that_cannot_be_analysed_is_a_line_in_the_report(bench: Bench, topics: Path) -> None:
    bench.analyst.refuse = {"The violin"}
    async with bench.worker():
        result = await finished(await bench.start(ResearchRequest(_QUESTION, [str(topics)])))
    assert (result.documents, result.failed) == (8, 1)
    assert "<b>The violin</b>: no key for The violin" in Path(result.report).read_text()
    assert bench.analyst.asked.count("The violin") == 1


async def test_a_run_in_which_nothing_can_be_analysed_fails_with_the_reason(bench: Bench, topics: Path) -> None:
    bench.analyst.refuse = {"The bicycle", "The bread"}
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)], limit=2))
        with pytest.raises(WorkflowFailureError) as failure:
            await finished(handle)
    # Both are asked at once, so either may be the first.
    assert "no document could be analysed; the first: no key for The b" in str(failure.value.cause)


async def test_a_passing_error_is_retried_and_shown(bench: Bench, topics: Path) -> None:
    bench.analyst.fail_once = {"The loom"}
    async with bench.worker():
        result = await finished(await bench.start(ResearchRequest(_QUESTION, [str(topics)])))
    assert result.failed == 0
    assert bench.analyst.asked.count("The loom") == 2
    with open_stores(bench.data.database) as stores:
        outcomes = [attempt.outcome for attempt in stores.trace.attempts(result.run) if attempt.attempt == 2]
        failed = [a.outcome for a in stores.trace.attempts(result.run) if a.outcome != "done" and a.ended_at]
    assert outcomes == ["done"]
    assert failed == ["ConnectionError: line is dead"]


async def test_a_source_that_is_not_there_fails_at_once(bench: Bench, tmp_path: Path) -> None:
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(tmp_path / "nowhere")]))
        with pytest.raises(WorkflowFailureError) as failure:
            await finished(handle)
    assert failure.value.cause.__cause__ is not None
    assert "there is no file or folder" in str(failure.value.cause.__cause__)


async def test_a_second_run_under_the_same_id_asks_again(bench: Bench, topics: Path) -> None:
    name = f"research-{uuid4()}"
    async with bench.worker():
        request = ResearchRequest(_QUESTION, [str(topics)], limit=2)
        first = await finished(await bench.start(request, name))
        second = await finished(await bench.start(request, name))
    assert first.run != second.run
    assert first.report != second.report
    assert bench.analyst.asked.count("summary") == 2


async def test_a_worker_that_stops_leaves_the_rest_to_the_next(bench: Bench, topics: Path) -> None:
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)], approval_seconds=600))
        await reached(handle, Stage.WAITING)
    asked = len(bench.analyst.asked)
    async with bench.worker():
        await handle.signal(ResearchWorkflow.decide, Approval(True, "Ada"))
        assert (await finished(handle)).verdict is Verdict.APPROVED
    assert len(bench.analyst.asked) == asked == 9


async def test_cancelling_the_run_stops_its_documents(bench: Bench, topics: Path) -> None:
    bench.analyst.hold = asyncio.Event()
    async with bench.worker():
        handle = await bench.start(ResearchRequest(_QUESTION, [str(topics)], concurrency=2))
        async with asyncio.timeout(_SECONDS):
            while len(bench.analyst.asked) < 2:
                await asyncio.sleep(0.05)
        await handle.cancel()
        with pytest.raises(WorkflowFailureError):
            await finished(handle)
        bench.analyst.hold.set()
    assert len(bench.analyst.asked) == 2
