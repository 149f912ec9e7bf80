"""What crosses the edge between client, workflows and activities: small, typed, and all that history holds.

Documents, passages, vectors and model answers stay in the pipeline's own store; these messages carry
their ids.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

TASK_QUEUE = "research-pipeline"
"""The task queue that the worker serves and the client starts runs on."""

TASK_TIMEOUT = timedelta(seconds=5)
"""How long the server waits for a worker that took a workflow task and died, before it gives it to another."""

INSTALLED_PACKAGES = "packages"
"""The source that stands for the documentation of every Python package installed here."""

DEFAULT_QUESTION = "What problem does each of these packages solve, and how is it used?"


class Stage(StrEnum):
    """Where a run is; shown to people as it stands."""

    FETCHING = "fetching documents"
    EMBEDDING = "embedding passages"
    ANALYSING = "analysing documents"
    SUMMARISING = "summarising"
    WAITING = "waiting for approval"
    STORING = "storing the result"
    DONE = "done"


class Verdict(StrEnum):
    """What became of the request for approval."""

    NOT_ASKED = "not asked"
    APPROVED = "approved"
    REJECTED = "rejected"
    TIMED_OUT = "not reviewed in time"


@dataclass(frozen=True)
class ResearchRequest:
    """What a person asks for."""

    question: str = DEFAULT_QUESTION
    sources: list[str] = field(default_factory=lambda: [INSTALLED_PACKAGES])
    """Files, folders, URLs, or `packages`."""
    limit: int = 40
    """At most this many documents."""
    concurrency: int = 4
    """At most this many documents are analysed at once."""
    approval_seconds: float = 0
    """How long to wait for a person before storing the result; 0 asks nobody."""


@dataclass(frozen=True)
class Approval:
    """A person's answer, sent as the signal `decide`."""

    approved: bool
    by: str
    note: str = ""


@dataclass(frozen=True)
class DocumentRef:
    """A stored document: its id (from the hash of its content) and its title."""

    id: str
    title: str


@dataclass(frozen=True)
class FetchJob:
    """Ask for the documents of a run to be fetched and stored."""

    run: str
    request: ResearchRequest


@dataclass(frozen=True)
class Fetched:
    """The documents of a run, in order, and how many sources could not be read (the store says why)."""

    documents: list[DocumentRef]
    skipped: int


@dataclass(frozen=True)
class EmbedJob:
    """Ask for these documents to be split and embedded."""

    run: str
    document_ids: list[str]


@dataclass(frozen=True)
class RunRef:
    """A step that needs to know only which run it works for."""

    run: str


@dataclass(frozen=True)
class DocumentJob:
    """One document of the fan-out: the input of its child workflow and of the activity in it."""

    run: str
    document: DocumentRef


@dataclass(frozen=True)
class Analysed:
    """What the analysis of one document found, as counts."""

    findings: int
    unsupported: int
    """Findings that the model gave without a quote that is in the document; they were dropped."""


@dataclass(frozen=True)
class FailedDocument:
    """A document whose analysis was given up, and why."""

    document: DocumentRef
    reason: str


@dataclass(frozen=True)
class Conclusion:
    """Everything the workflow knows at the end and the store does not know yet."""

    run: str
    verdict: Verdict
    approval: Approval | None
    failed: list[FailedDocument]


@dataclass(frozen=True)
class ResearchResult:
    """What a run comes to."""

    run: str
    documents: int
    skipped: int
    failed: int
    findings: int
    verdict: Verdict
    report: str
    """Path of the HTML report."""


@dataclass(frozen=True)
class Progress:
    """The answer of the query `progress`."""

    stage: Stage = Stage.FETCHING
    documents: int = 0
    embedded: int = 0
    analysed: int = 0
    failed: int = 0
    running: list[str] = field(default_factory=list)
    """Titles of the documents being analysed now."""


def call_key(run: str, purpose: str, subject: str) -> str:
    """The idempotency key of a model call: the same on every attempt of the step that makes it."""
    return f"{run}/{purpose}/{subject}"


def child_workflow_id(workflow_id: str, document_id: str) -> str:
    """The id of the child workflow that analyses a document."""
    return f"{workflow_id}-{document_id}"
