"""The steps with effects. Each can be run again at any point: what it has stored, it does not do twice."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path

import httpx
from temporalio import activity
from temporalio.exceptions import ApplicationError

from examples.research_pipeline.calls import ModelCalls
from examples.research_pipeline.contract import (
    Analysed,
    Conclusion,
    DocumentJob,
    EmbedJob,
    Fetched,
    FetchJob,
    RunRef,
    call_key,
)
from examples.research_pipeline.documents.loaders import read_local, read_url
from examples.research_pipeline.documents.sources import Kind, Source, discover
from examples.research_pipeline.embedding import Embedder
from examples.research_pipeline.models import Analysis, Analyst, Excerpt, Finding, Overview
from examples.research_pipeline.report import write_report
from examples.research_pipeline.steps import step
from examples.research_pipeline.store.library import StoredPassage, as_blob
from examples.research_pipeline.store.stores import Stores
from outlive.ai.documents import Document, Unreadable, split

_READ_AT_ONCE = 8
_EMBED_AT_ONCE = 64
"""Passages in one embedding request."""
_LEAD_PASSAGES = 3
_EXCERPT_PASSAGES = 12
"""A longer document is shown to the model as its first passages and those nearest to the question."""
_URL_TIMEOUT_SECONDS = 30
_SPACE = re.compile(r"\s+")


@dataclass(frozen=True)
class PipelineActivities:
    """The activities and what they work with."""

    stores: Stores
    calls: ModelCalls
    analyst: Analyst
    embedder: Embedder
    reports: Path
    """The folder that reports are written to."""

    @activity.defn
    async def fetch_documents(self, job: FetchJob) -> Fetched:
        """Find, read and store the documents. A later attempt goes on after the last source stored."""
        async with step(self.stores.trace, job.run, "fetch"):
            request = job.request
            self.stores.results.begin(
                job.run,
                request.question,
                self.analyst.name,
                self.analyst.is_language_model,
                self.embedder.name,
                time.time(),
            )
            done = self.stores.results.sources_read(job.run)
            left = (source for source in discover(request.sources) if str(source) not in done)
            async with httpx.AsyncClient(timeout=_URL_TIMEOUT_SECONDS) as client:
                while wanted := request.limit - len(self.stores.results.documents(job.run)):
                    batch = list(islice(left, min(wanted, _READ_AT_ONCE)))
                    if not batch:
                        break
                    await self._read_all(client, job.run, batch)
            documents = self.stores.results.documents(job.run)
            skipped = self.stores.results.skipped(job.run)
            if not documents:
                reasons = "; ".join(f"{source}: {reason}" for source, reason in skipped[:5]) or "no files in them"
                raise ApplicationError(f"no document could be read ({reasons})", type="NoDocuments", non_retryable=True)
            return Fetched(documents, len(skipped))

    @activity.defn
    async def embed_question(self, job: RunRef) -> None:
        """Embed the question once, for the searches of all documents."""
        async with step(self.stores.trace, job.run, "embed"):
            if self.stores.results.question_vector(job.run) is None:
                question = self.stores.results.run(job.run).question
                vector = (await self._embed(job.run, "question", [question]))[0]
                self.stores.results.set_question_vector(job.run, as_blob(vector))

    @activity.defn
    async def embed_documents(self, job: EmbedJob) -> None:
        """Split documents into passages and embed those that have no vector yet."""
        async with step(self.stores.trace, job.run, "embed", ",".join(job.document_ids)):
            for document_id in job.document_ids:
                text = self.stores.library.text(document_id)
                self.stores.library.add_passages(document_id, await asyncio.to_thread(split, text))
            missing = self.stores.library.without_vector(job.document_ids, self.embedder.name)
            for start in range(0, len(missing), _EMBED_AT_ONCE):
                batch = missing[start : start + _EMBED_AT_ONCE]
                texts = [f"{passage.heading}\n{passage.text}" for passage in batch]
                subject = sha256("\n".join(texts).encode()).hexdigest()[:16]
                vectors = await self._embed(job.run, subject, texts)
                self.stores.library.add_vectors(
                    self.embedder.name, [(p.id, v) for p, v in zip(batch, vectors, strict=True)]
                )

    @activity.defn
    async def analyse_document(self, job: DocumentJob) -> Analysed:
        """Ask the model about one document; store the findings whose quotes are really in it."""
        async with step(self.stores.trace, job.run, "analyse", job.document.id):
            question = self.stores.results.run(job.run).question
            passages = self._relevant(job, question)
            excerpt = Excerpt(job.document.title, [(passage.number, passage.text) for passage in passages])
            analysis = await self.calls.once(
                job.run,
                "analyse",
                call_key(job.run, "analyse", job.document.id),
                self.analyst.name,
                Analysis,
                lambda: self.analyst.analyse(question, excerpt),
                json.dumps([question, excerpt.title, excerpt.passages]),
            )
            supported = supported_findings(analysis, passages)
            self.stores.results.save_analysis(job.run, job.document.id, analysis, supported)
            return Analysed(len(supported), len(analysis.findings) - len(supported))

    @activity.defn
    async def summarise(self, job: RunRef) -> None:
        """Ask the model for one answer over all findings, and store it."""
        async with step(self.stores.trace, job.run, "summarise"):
            question = self.stores.results.run(job.run).question
            findings = self.stores.results.numbered_findings(job.run)
            overview = await self.calls.once(
                job.run,
                "summarise",
                call_key(job.run, "summarise", "all"),
                self.analyst.name,
                Overview,
                lambda: self.analyst.summarise(question, findings),
                json.dumps([question, *([each.number, each.document, each.claim] for each in findings)]),
            )
            self.stores.results.save_overview(job.run, overview)

    @activity.defn
    async def store_result(self, conclusion: Conclusion) -> str:
        """Store how the run ended and write its report; returns the report's path."""
        async with step(self.stores.trace, conclusion.run, "store"):
            self.stores.results.conclude(conclusion, time.time())
            return str(write_report(self.reports, conclusion.run, self.stores))

    async def _read_all(self, client: httpx.AsyncClient, run: str, batch: Sequence[Source]) -> None:
        """Read sources side by side and store them in order; one that cannot be read is noted, not fatal."""
        read = await asyncio.gather(*(_read(client, source) for source in batch))
        for source, outcome in zip(batch, read, strict=True):
            if isinstance(outcome, Document):
                self.stores.library.add(outcome)
                self.stores.results.add_source(run, str(source), outcome.id, None)
            else:
                self.stores.results.add_source(run, str(source), None, outcome)

    async def _embed(self, run: str, subject: str, texts: Sequence[str]) -> list[list[float]]:
        """Embed texts; where a model does it, as a logged call. The caller stores the vectors."""
        if not self.embedder.is_model:
            return (await self.embedder.embed(texts)).values
        async with self.calls.logged(run, "embed", call_key(run, "embed", subject), self.embedder.name) as finish:
            vectors = await self.embedder.embed(texts)
            finish(vectors.usage, None)
        return vectors.values

    def _relevant(self, job: DocumentJob, question: str) -> list[StoredPassage]:
        """The passages of a document that the model is shown, in document order."""
        passages = self.stores.library.passages(job.document.id)
        if len(passages) <= _EXCERPT_PASSAGES:
            return passages
        vector = self.stores.results.question_vector(job.run)
        if vector is None:
            raise LookupError(f"the question of run {job.run} was never embedded")
        chosen = {passage.id: passage for passage in passages[:_LEAD_PASSAGES]}
        for passage in self.stores.library.search(
            question, vector, self.embedder.name, _EXCERPT_PASSAGES, job.document.id
        ):
            if len(chosen) < _EXCERPT_PASSAGES:
                chosen.setdefault(passage.id, passage)
        return sorted(chosen.values(), key=lambda passage: passage.number)


def supported_findings(analysis: Analysis, passages: Sequence[StoredPassage]) -> list[tuple[Finding, int]]:
    """The findings whose quote is in a passage that was shown, each with that passage's id.

    A model that names the wrong passage is put right; one that made its quote up loses the finding.
    """
    supported = []
    for finding in analysis.findings:
        quote = _plain(finding.quote)
        named_first = sorted(passages, key=lambda passage: passage.number != finding.passage)
        holder = next((p for p in named_first if quote and quote in _plain(p.text)), None)
        if holder:
            supported.append((finding, holder.id))
    return supported


def _plain(text: str) -> str:
    return _SPACE.sub(" ", text).strip().casefold()


async def _read(client: httpx.AsyncClient, source: Source) -> Document | str:
    """The document, or why there is none. An error that may pass is raised, so that the step is retried."""
    try:
        if source.kind is Kind.URL:
            return await read_url(client, source)
        return await asyncio.to_thread(read_local, source)
    except (Unreadable, OSError) as error:
        return str(error)
    except httpx.HTTPStatusError as error:
        if error.response.status_code >= 500 and activity.info().attempt < _ATTEMPTS_FOR_A_SERVER:
            raise
        return f"the server answered {error.response.status_code}"
    except httpx.HTTPError as error:
        if activity.info().attempt < _ATTEMPTS_FOR_A_SERVER:
            raise
        return f"could not be fetched: {error or type(error).__name__}"


_ATTEMPTS_FOR_A_SERVER = 3
"""How many attempts of the step a page that cannot be reached is worth, before the run goes on without it."""
