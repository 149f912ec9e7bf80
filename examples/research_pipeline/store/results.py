"""What runs asked and found."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import apsw

from examples.research_pipeline.contract import Conclusion, DocumentRef
from examples.research_pipeline.models import Analysis, Finding, NumberedFinding, Overview


@dataclass(frozen=True)
class Run:
    """A run's question, who answered, and how it ended."""

    run: str
    question: str
    model: str
    is_language_model: bool
    embedding_model: str
    started_at: float
    verdict: str | None
    decided_by: str | None
    note: str | None
    finished_at: float | None


@dataclass(frozen=True)
class StoredFinding:
    """A finding and the passage that holds its quote."""

    document_id: str
    number: int
    claim: str
    quote: str
    passage_id: int


@dataclass(frozen=True)
class StoredStatement:
    """A statement of the overview; it cites findings by document and number."""

    text: str
    citations: list[tuple[str, int]]


@dataclass(frozen=True)
class AnalysedDocument:
    """A document with what was found in it."""

    id: str
    title: str
    uri: str
    summary: str
    unsupported: int
    findings: list[StoredFinding]


class Results:
    """Runs, their sources, analyses and overview."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def begin(
        self, run: str, question: str, model: str, is_language_model: bool, embedding_model: str, now: float
    ) -> None:
        """Note that a run has started; again changes nothing."""
        self._db.execute(
            "INSERT INTO runs (run, question, model, is_language_model, embedding_model, started_at) "
            "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (run, question, model, int(is_language_model), embedding_model, now),
        )

    def run(self, run: str) -> Run:
        """A run. Raises KeyError if it never began."""
        columns = "run, question, model, is_language_model, embedding_model, started_at, verdict, decided_by, note"
        for row in self._db.execute(f"SELECT {columns}, finished_at FROM runs WHERE run = ?", (run,)):
            run_id, question, model, is_language_model, *rest = row
            return Run(run_id, question, model, bool(is_language_model), *rest)
        raise KeyError(run)

    def latest_run(self) -> str | None:
        """The run that began last."""
        found = self._db.execute("SELECT run FROM runs ORDER BY started_at DESC LIMIT 1").get
        return None if found is None else str(found)

    def set_question_vector(self, run: str, vector: bytes) -> None:
        """Keep the question's vector, so that it is embedded once a run."""
        self._db.execute("UPDATE runs SET question_vector = ? WHERE run = ?", (vector, run))

    def question_vector(self, run: str) -> bytes | None:
        """The question's vector, if it was embedded."""
        found = self._db.execute("SELECT question_vector FROM runs WHERE run = ?", (run,)).get
        return None if found is None else bytes(found)

    def add_source(self, run: str, source: str, document_id: str | None, skipped_because: str | None) -> None:
        """Note what became of a source; the first note stands."""
        self._db.execute(
            "INSERT INTO sources VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (run, source, document_id, skipped_because),
        )

    def sources_read(self, run: str) -> dict[str, str | None]:
        """The sources already dealt with, and the document each gave (None: skipped)."""
        return dict(self._db.execute("SELECT source, document_id FROM sources WHERE run = ?", (run,)))

    def skipped(self, run: str) -> list[tuple[str, str]]:
        """Sources that gave no document, and why."""
        rows = self._db.execute(
            "SELECT source, skipped_because FROM sources WHERE run = ? AND document_id IS NULL ORDER BY rowid",
            (run,),
        )
        return [(row[0], row[1]) for row in rows]

    def documents(self, run: str) -> list[DocumentRef]:
        """The run's documents in the order they were read; two sources of one content give one document."""
        rows = self._db.execute(
            "SELECT d.id, d.title FROM sources s JOIN documents d ON d.id = s.document_id WHERE s.run = ? "
            "GROUP BY d.id ORDER BY min(s.rowid)",
            (run,),
        )
        return [DocumentRef(*row) for row in rows]

    def save_analysis(
        self, run: str, document_id: str, analysis: Analysis, supported: Sequence[tuple[Finding, int]]
    ) -> None:
        """Store an analysis and its supported findings (each with its passage); an earlier one goes."""
        with self._db:
            self._db.execute("DELETE FROM findings WHERE run = ? AND document_id = ?", (run, document_id))
            self._db.execute(
                "INSERT OR REPLACE INTO analyses VALUES (?, ?, ?, ?)",
                (run, document_id, analysis.summary, len(analysis.findings) - len(supported)),
            )
            for number, (finding, passage_id) in enumerate(supported):
                self._db.execute(
                    "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?)",
                    (run, document_id, number, finding.claim, finding.quote, passage_id),
                )

    def findings(self, run: str) -> list[StoredFinding]:
        """All findings of a run, by document in the order the documents were read."""
        rows = self._db.execute(
            "SELECT f.document_id, f.number, f.claim, f.quote, f.passage_id FROM findings f "
            "WHERE f.run = ?1 ORDER BY (SELECT min(rowid) FROM sources s "
            "WHERE s.run = ?1 AND s.document_id = f.document_id), f.number",
            (run,),
        )
        return [StoredFinding(*row) for row in rows]

    def numbered_findings(self, run: str) -> list[NumberedFinding]:
        """The findings as the overview cites them: numbered from 1 in the order of `findings`."""
        titles = {document.id: document.title for document in self.documents(run)}
        return [
            NumberedFinding(number, titles[finding.document_id], finding.claim)
            for number, finding in enumerate(self.findings(run), 1)
        ]

    def save_overview(self, run: str, overview: Overview) -> None:
        """Store the overview; a citation of a finding that does not exist is left out."""
        findings = self.findings(run)
        with self._db:
            for number, statement in enumerate(overview.statements):
                cited = [findings[n - 1] for n in dict.fromkeys(statement.findings) if 1 <= n <= len(findings)]
                self._db.execute(
                    "INSERT OR REPLACE INTO overview VALUES (?, ?, ?, ?)",
                    (run, number, statement.text, json.dumps([(f.document_id, f.number) for f in cited])),
                )

    def overview(self, run: str) -> list[StoredStatement]:
        """The overview's statements, in order."""
        rows = self._db.execute("SELECT text, citations FROM overview WHERE run = ? ORDER BY number", (run,))
        return [StoredStatement(text, [(str(d), int(n)) for d, n in json.loads(cited)]) for text, cited in rows]

    def analysed(self, run: str) -> list[AnalysedDocument]:
        """The analysed documents in the order they were read, each with its findings."""
        by_document: dict[str, list[StoredFinding]] = {}
        for finding in self.findings(run):
            by_document.setdefault(finding.document_id, []).append(finding)
        rows = self._db.execute(
            "SELECT d.id, d.title, d.uri, a.summary, a.unsupported FROM analyses a "
            "JOIN documents d ON d.id = a.document_id WHERE a.run = ?1 ORDER BY "
            "(SELECT min(rowid) FROM sources s WHERE s.run = ?1 AND s.document_id = d.id)",
            (run,),
        )
        return [
            AnalysedDocument(id_, title, uri, summary, unsupported, by_document.get(id_, []))
            for id_, title, uri, summary, unsupported in rows
        ]

    def conclude(self, conclusion: Conclusion, now: float) -> None:
        """Store how the run ended; again replaces it."""
        approval = conclusion.approval
        with self._db:
            for failed in conclusion.failed:
                self._db.execute(
                    "INSERT OR REPLACE INTO failures VALUES (?, ?, ?)",
                    (conclusion.run, failed.document.id, failed.reason),
                )
            self._db.execute(
                "UPDATE runs SET verdict = ?, decided_by = ?, note = ?, finished_at = ? WHERE run = ?",
                (
                    conclusion.verdict.value,
                    approval.by if approval else None,
                    approval.note if approval else None,
                    now,
                    conclusion.run,
                ),
            )

    def failures(self, run: str) -> list[tuple[str, str]]:
        """Titles of the documents whose analysis was given up, and why."""
        rows = self._db.execute(
            "SELECT d.title, f.reason FROM failures f JOIN documents d ON d.id = f.document_id "
            "WHERE f.run = ? ORDER BY d.title",
            (run,),
        )
        return [(row[0], row[1]) for row in rows]
