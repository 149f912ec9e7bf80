"""The report: one HTML file that a person reads, with nothing loaded from anywhere and no script.

All text from documents and models is escaped by the template engine; only http and https links become links.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from examples.research_pipeline.contract import Verdict
from examples.research_pipeline.effort import Effort, StepEffort, Timeline, efforts, timeline, total
from examples.research_pipeline.store.library import Library, StoredPassage
from examples.research_pipeline.store.results import AnalysedDocument, Run, StoredFinding
from examples.research_pipeline.store.stores import Stores

_TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Segment:
    """A stretch of a passage; `cited` where a finding quotes it."""

    text: str
    cited: bool


@dataclass(frozen=True)
class Block:
    """A paragraph, list item or piece of code of a passage."""

    is_code: bool
    segments: list[Segment]


@dataclass(frozen=True)
class CitedPassage:
    """A passage that findings quote."""

    anchor: str
    heading: str
    blocks: list[Block]


@dataclass(frozen=True)
class Citation:
    """A link to the passage that holds a quote."""

    anchor: str
    label: str
    """Document and passage, such as `12.3`."""
    title: str
    where: str


@dataclass(frozen=True)
class CitedText:
    """A statement or finding with its citations."""

    text: str
    citations: list[Citation]


@dataclass(frozen=True)
class SourceView:
    """A document as the report shows it."""

    number: int
    anchor: str
    title: str
    uri: str
    link: str | None
    summary: CitedText
    """Cites the findings that it says word for word."""
    unsupported: int
    findings: list[CitedText]
    """The findings that the summary does not say already."""
    passages: list[CitedPassage]


@dataclass(frozen=True)
class ReportView:
    """Everything the template needs."""

    run: Run
    verdict: str
    approved: bool
    started: str
    seconds: float
    statements: list[CitedText]
    sources: list[SourceView]
    findings: int
    skipped: list[tuple[str, str]]
    failures: list[tuple[str, str]]
    steps: list[StepEffort]
    total: Effort
    timeline: Timeline


def write_report(folder: Path, run: str, stores: Stores) -> Path:
    """Render the report of a run into `folder`; a later call replaces the file whole. Returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (re.sub(r"[^A-Za-z0-9_-]+", "-", run) + ".html")
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(render(build_view(run, stores)), encoding="utf-8")
    unfinished.replace(path)
    return path.resolve()


def render(view: ReportView) -> str:
    """The report as one HTML page."""
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(view=view)


def build_view(run: str, stores: Stores) -> ReportView:
    """Gather what the store knows about a run."""
    library, results = stores.library, stores.results
    facts = results.run(run)
    documents = results.analysed(run)
    cite = _Citations(documents, library)
    sources = [_source(number, document, library, cite) for number, document in enumerate(documents, 1)]
    statements = [CitedText(statement.text, cite.of(statement.citations)) for statement in results.overview(run)]
    attempts, costs = stores.trace.attempts(run), stores.trace.costs(run)
    steps = efforts(attempts, costs)
    return ReportView(
        run=facts,
        verdict=facts.verdict or Verdict.NOT_ASKED.value,
        approved=facts.verdict == Verdict.APPROVED.value,
        started=datetime.fromtimestamp(facts.started_at).astimezone().strftime("%d %B %Y, %H:%M"),
        seconds=(facts.finished_at or facts.started_at) - facts.started_at,
        statements=statements,
        sources=sources,
        findings=sum(len(document.findings) for document in documents),
        skipped=results.skipped(run),
        failures=results.failures(run),
        steps=steps,
        total=total(steps),
        timeline=timeline(attempts),
    )


class _Citations:
    """Which passage each finding rests on."""

    def __init__(self, documents: Sequence[AnalysedDocument], library: Library) -> None:
        self._of = {
            (document.id, finding.number): _citation(number, document.title, library.passage(finding.passage_id))
            for number, document in enumerate(documents, 1)
            for finding in document.findings
        }

    def of(self, findings: Iterable[tuple[str, int]]) -> list[Citation]:
        """The citations of findings named by document and number, each passage once."""
        return list(dict.fromkeys(self._of[finding] for finding in findings if finding in self._of))


def _source(number: int, document: AnalysedDocument, library: Library, cite: _Citations) -> SourceView:
    said = [finding for finding in document.findings if finding.claim in document.summary]
    ids = sorted({finding.passage_id for finding in document.findings})
    return SourceView(
        number=number,
        anchor=f"d-{document.id}",
        title=document.title,
        uri=document.uri,
        link=document.uri if urlsplit(document.uri).scheme in ("http", "https") else None,
        summary=CitedText(document.summary, cite.of((document.id, finding.number) for finding in said)),
        unsupported=document.unsupported,
        findings=[
            CitedText(finding.claim, cite.of([(document.id, finding.number)]))
            for finding in document.findings
            if finding not in said
        ],
        passages=[
            _cited_passage(library.passage(id_), [f for f in document.findings if f.passage_id == id_]) for id_ in ids
        ],
    )


def _citation(number: int, title: str, passage: StoredPassage) -> Citation:
    where = f"{title}, passage {passage.number + 1}" + (f": {passage.heading}" if passage.heading else "")
    return Citation(f"p-{passage.id}", f"{number}.{passage.number + 1}", title, where)


def _cited_passage(passage: StoredPassage, findings: Sequence[StoredFinding]) -> CitedPassage:
    spans = _spans(passage.text, [finding.quote for finding in findings])
    blocks = []
    start = 0
    for text in passage.text.split("\n\n"):
        is_code = text.startswith("    ")
        segments = _segments(text, [(a - start, b - start) for a, b in spans])
        blocks.append(Block(is_code, segments))
        start += len(text) + 2
    return CitedPassage(f"p-{passage.id}", passage.heading, blocks)


def _spans(text: str, quotes: Sequence[str]) -> list[tuple[int, int]]:
    """Where the quotes are in `text`, in order and merged where they overlap."""
    found = []
    for quote in quotes:
        pattern = r"\s+".join(re.escape(word) for word in quote.split())
        if pattern and (match := re.search(pattern, text, re.IGNORECASE)):
            found.append(match.span())
    merged: list[tuple[int, int]] = []
    for start, end in sorted(found):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _segments(text: str, spans: Sequence[tuple[int, int]]) -> list[Segment]:
    """`text` cut at the ends of the spans that touch it."""
    segments = []
    at = 0
    for start, end in spans:
        start, end = max(start, 0), min(end, len(text))
        if start < end:
            segments += [Segment(text[at:start], False), Segment(text[start:end], True)]
            at = end
    segments.append(Segment(text[at:], False))
    return [segment for segment in segments if segment.text]
