"""The report: nothing in it runs or is loaded, citations lead to their quotes, and its counts are right."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from examples.research_pipeline.activities import supported_findings
from examples.research_pipeline.contract import Approval, Conclusion, DocumentRef, FailedDocument, Verdict
from examples.research_pipeline.effort import efforts, timeline, total
from examples.research_pipeline.models import Analysis, Finding, Overview, Statement, Usage
from examples.research_pipeline.report import write_report
from examples.research_pipeline.store.library import StoredPassage
from examples.research_pipeline.store.stores import Stores
from examples.research_pipeline.store.trace import Attempt
from outlive.ai.documents import Document, Passage

_EVIL = '<script>alert("x")</script><img src=x onerror=alert(1)>'


class _Page(HTMLParser):
    """What a browser would make of a page, as far as these tests ask."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.marked: list[tuple[str, str]] = []
        self.text = ""
        self._open_ids: list[str] = []
        self._in_mark = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        self._in_mark = tag == "mark"
        if tag == "section":
            self._open_ids.append(dict(attrs).get("id") or "")

    def handle_endtag(self, tag: str) -> None:
        self._in_mark = False
        if tag == "section":
            self._open_ids.pop()

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_mark:
            self.marked.append((self._open_ids[-1], data))

    def values(self, name: str) -> list[str]:
        """The values of an attribute, on whatever tag."""
        return [value for _, attribute, value in self.attributes if attribute == name]


@pytest.fixture
def page(stores: Stores, tmp_path: Path) -> _Page:
    """The report of a run over one decent and one hostile document."""
    decent = Document("Ferries", "https://ferry.test/a?b=1&c=2", "text/plain", "x")
    hostile = Document(f"Bread {_EVIL}", "javascript:alert(1)", "text/plain", f"y {_EVIL}")
    stores.results.begin("run/1", f"Who sells tickets? {_EVIL}", "the model", True, "the embedder", 1.0)
    for document, text in (
        (decent, "A ferry crosses.\n\n    code & more\n\nTickets are sold here,\nat the quay. So they say."),
        (hostile, f"Bread is baked. {_EVIL}"),
    ):
        stores.library.add(document)
        stores.library.add_passages(
            document.id, [Passage(0, 0, 8, "Nothing.", "Head"), Passage(1, 8, 9, text, f"On {_EVIL}")]
        )
        stores.results.add_source("run/1", document.title, document.id, None)
    stores.results.add_source("run/1", "gone.txt", None, f"not there {_EVIL}")
    for document, quote in (
        (decent, "tickets are sold here, at the quay."),
        (hostile, f"Bread is baked. {_EVIL}"),
    ):
        finding = Finding(claim=f"Claim about {document.title}", passage=1, quote=quote)
        made_up = Finding(claim="Made up", passage=1, quote="Nobody said so.")
        analysis = Analysis(summary=f"Summary {_EVIL}", findings=[finding, made_up])
        supported = supported_findings(analysis, stores.library.passages(document.id))
        stores.results.save_analysis("run/1", document.id, analysis, supported)
    stores.results.save_overview("run/1", Overview(statements=[Statement(text=f"Both {_EVIL}", findings=[1, 2])]))
    stores.trace.save_call("k", "run/1", "analyse", "m", Usage(1200, 34, 0.0123), 5, None)
    attempt = stores.trace.begin_attempt("run/1", "analyse", decent.id, 1, 10.0)
    stores.trace.end_attempt(attempt, f"done {_EVIL}", 12.0)
    failed = [FailedDocument(DocumentRef(decent.id, decent.title), f"too hot {_EVIL}")]
    stores.results.conclude(Conclusion("run/1", Verdict.REJECTED, Approval(False, _EVIL, _EVIL), failed), 61.0)
    path = write_report(tmp_path / "reports", "run/1", stores)
    assert path.name == "run-1.html"
    return _Page(path.read_text())


def test_nothing_from_a_document_becomes_markup(page: _Page) -> None:
    assert not {"script", "img", "iframe", "object", "link"} & set(page.tags)
    assert not [name for _, name, _ in page.attributes if name.startswith("on")]
    # The hostile text is there, as text: in title, question, summary, claims, quotes, headings and reasons.
    assert page.text.count(_EVIL) >= 10


def test_nothing_is_loaded_and_no_link_runs(page: _Page) -> None:
    assert not page.values("src")
    assert all(link.startswith(("#", "https://ferry.test/")) for link in page.values("href"))
    assert "https://ferry.test/a?b=1&c=2" in page.values("href")
    assert any("default-src 'none'" in value for value in page.values("content"))


def test_every_citation_leads_to_a_passage_with_its_quote_marked(page: _Page) -> None:
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    inner = [link.removeprefix("#") for link in page.values("href") if link.startswith("#")]
    assert set(inner) <= set(ids)
    cited = {anchor for anchor in inner if anchor.startswith("p-")}
    assert cited == {anchor for anchor, _ in page.marked}
    quotes = [" ".join(text.split()) for _, text in page.marked]
    assert quotes == ["Tickets are sold here, at the quay.", f"Bread is baked. {_EVIL}"]


def test_the_report_says_what_went_wrong_and_who_decided(page: _Page) -> None:
    text = " ".join(page.text.split())
    assert "Rejected by" in text
    assert "gone.txt: not there" in text
    assert "Ferries: too hot" in text
    assert text.count("1 more finding was dropped") == 2


def test_money_and_tokens_are_shown_for_a_language_model(page: _Page) -> None:
    text = " ".join(page.text.split())
    assert "No language model was asked" not in text
    assert "$0.0123" in text
    assert "tokens in and out1,234" in text


def test_a_run_without_findings_or_model_has_a_report_too(stores: Stores, tmp_path: Path) -> None:
    stores.results.begin("bare", "Why?", "local stand-in", False, "hashing", 1.0)
    text = write_report(tmp_path, "bare", stores).read_text()
    assert "No language model was asked." in text
    assert "The documents gave nothing to answer with." in text


def test_a_quote_is_looked_for_where_the_model_did_not_say() -> None:
    passages = [StoredPassage(11, "d", 0, "", "One  thing."), StoredPassage(12, "d", 1, "", "Another thing.")]
    wrong_place = Finding(claim="a", passage=1, quote="one thing.")
    made_up = Finding(claim="b", passage=0, quote="No such thing.")
    empty = Finding(claim="c", passage=0, quote="  ")
    analysis = Analysis(summary="", findings=[wrong_place, made_up, empty])
    assert supported_findings(analysis, passages) == [(wrong_place, 11)]


def test_a_named_passage_wins_over_an_earlier_one_with_the_same_words() -> None:
    passages = [StoredPassage(11, "d", 0, "", "Same."), StoredPassage(12, "d", 1, "", "Same.")]
    finding = Finding(claim="a", passage=1, quote="Same.")
    assert supported_findings(Analysis(summary="", findings=[finding]), passages) == [(finding, 12)]


def test_a_killed_process_shows_in_counts_and_on_the_timeline() -> None:
    attempts = [
        Attempt("fetch", "", 1, 100, 0.0, 2.0, "done"),
        Attempt("analyse", "a", 1, 100, 2.0, 4.0, "done"),
        Attempt("analyse", "b", 1, 100, 3.0, None, None),
        Attempt("analyse", "b", 2, 200, 8.0, 9.0, "TimeoutError: slow"),
        Attempt("analyse", "b", 3, 200, 9.0, 10.0, "done"),
        Attempt("store", "", 1, 200, 10.0, None, None),
    ]
    steps = efforts(attempts, [])
    assert [step.step for step in steps] == ["fetch", "analyse"]
    effort = total(steps)
    assert (effort.tasks, effort.attempts, effort.interrupted, effort.failed) == (3, 5, 1, 1)
    assert effort.working_ms == 6000
    assert steps[1].median_ms == 1000
    drawn = timeline(attempts)
    assert (drawn.seconds, drawn.lanes, drawn.deaths) == (10.0, 2, [0.4])
    cut = [bar for bar in drawn.bars if bar.interrupted]
    assert [(bar.left, round(bar.width, 9), bar.lane) for bar in cut] == [(0.3, 0.1, 1)]
    assert "cut off" in cut[0].label


@pytest.mark.parametrize("seconds", [0.05, 3, 59, 4000, 200_000, 5_000_000])
def test_the_timeline_has_a_few_round_marks(seconds: float) -> None:
    ticks = timeline([Attempt("fetch", "", 1, 1, 0.0, seconds, "done")]).ticks
    assert 1 <= len(ticks) <= 11
    assert all(0 <= place <= 1 for place, _ in ticks)
