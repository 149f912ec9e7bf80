"""The store: everything can be said twice, and is found again."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.research_pipeline.contract import Approval, Conclusion, DocumentRef, FailedDocument, Verdict
from examples.research_pipeline.embedding import HashingEmbedder
from examples.research_pipeline.models import Analysis, Finding, Overview, Statement, Usage
from examples.research_pipeline.store.database import open_database
from examples.research_pipeline.store.library import Library, as_blob
from examples.research_pipeline.store.stores import Stores
from outlive.ai.documents import Document, Passage

FERRY = Document("Ferries", "https://ferry.test", "text/plain", "About ferries.")
BREAD = Document("Bread", "/bread.txt", "text/plain", "About bread.")


async def fill(stores: Stores) -> None:
    """Two documents with passages and vectors, and a run over both."""
    embedder = HashingEmbedder()
    for document, texts in (
        (FERRY, ["A ferry crosses the river.", "Tickets are sold."]),
        (BREAD, ["Bread is baked."]),
    ):
        stores.library.add(document)
        stores.library.add_passages(document.id, [Passage(0, 0, len(text), text, "Head") for text in texts])
    missing = stores.library.without_vector([FERRY.id, BREAD.id], embedder.name)
    vectors = (await embedder.embed([passage.text for passage in missing])).values
    stores.library.add_vectors(embedder.name, [(p.id, v) for p, v in zip(missing, vectors, strict=True)])
    stores.results.begin("run", "Who sells tickets?", "m", False, embedder.name, 1.0)
    stores.results.add_source("run", "ferry.txt", FERRY.id, None)
    stores.results.add_source("run", "bread.txt", BREAD.id, None)
    stores.results.add_source("run", "gone.txt", None, "not there")


async def test_everything_can_be_stored_twice(stores: Stores) -> None:
    await fill(stores)
    await fill(stores)
    assert [passage.text for passage in stores.library.passages(FERRY.id)] == [
        "A ferry crosses the river.",
        "Tickets are sold.",
    ]
    assert stores.library.without_vector([FERRY.id, BREAD.id], HashingEmbedder.name) == []
    assert len(stores.library.without_vector([FERRY.id], "another model")) == 2
    assert [document.title for document in stores.results.documents("run")] == ["Ferries", "Bread"]
    assert stores.results.skipped("run") == [("gone.txt", "not there")]


@pytest.mark.parametrize("question", ["ticket sold", 'NOT "tickets" AND (sold*', "tickets: ^sold -river"])
async def test_search_finds_by_words_and_takes_no_orders_from_them(stores: Stores, question: str) -> None:
    await fill(stores)
    vector = as_blob((await HashingEmbedder().embed([question])).values[0])
    found = stores.library.search(question, vector, HashingEmbedder.name, 2)
    assert found[0].text == "Tickets are sold."
    in_bread = stores.library.search(question, vector, HashingEmbedder.name, 5, BREAD.id)
    assert [passage.document_id for passage in in_bread] == [BREAD.id]


async def test_search_finds_by_vector_where_no_word_is_the_same(stores: Stores) -> None:
    await fill(stores)
    vector = as_blob((await HashingEmbedder().embed(["Bread is baked."])).values[0])
    assert stores.library.search("?!", vector, HashingEmbedder.name, 1)[0].text == "Bread is baked."


async def test_an_analysis_replaces_the_one_before(stores: Stores) -> None:
    await fill(stores)
    passage = stores.library.passages(FERRY.id)[1]
    first = Finding(claim="First", passage=1, quote="Tickets are sold.")
    second = Finding(claim="Second", passage=1, quote="Tickets are sold.")
    made_up = Finding(claim="Third", passage=1, quote="Nobody said this.")
    stores.results.save_analysis("run", FERRY.id, Analysis(summary="s", findings=[first]), [(first, passage.id)])
    stores.results.save_analysis(
        "run", FERRY.id, Analysis(summary="t", findings=[second, made_up]), [(second, passage.id)]
    )
    (document,) = stores.results.analysed("run")
    assert (document.title, document.summary, document.unsupported) == ("Ferries", "t", 1)
    assert [finding.claim for finding in document.findings] == ["Second"]
    assert [f.number for f in stores.results.numbered_findings("run")] == [1]


async def test_the_overview_keeps_only_citations_that_exist(stores: Stores) -> None:
    await fill(stores)
    passage = stores.library.passages(FERRY.id)[1]
    finding = Finding(claim="c", passage=1, quote="Tickets are sold.")
    stores.results.save_analysis("run", FERRY.id, Analysis(summary="s", findings=[finding]), [(finding, passage.id)])
    stores.results.save_overview("run", Overview(statements=[Statement(text="t", findings=[1, 1, 7, 0, -1])]))
    (statement,) = stores.results.overview("run")
    assert statement.citations == [(FERRY.id, 0)]


async def test_a_run_ends_once_however_often_it_is_said(stores: Stores) -> None:
    await fill(stores)
    failed = [FailedDocument(DocumentRef(BREAD.id, BREAD.title), "too hot")]
    conclusion = Conclusion("run", Verdict.REJECTED, Approval(False, "Ada", "thin"), failed)
    stores.results.conclude(conclusion, 5.0)
    stores.results.conclude(conclusion, 6.0)
    run = stores.results.run("run")
    assert (run.verdict, run.decided_by, run.note, run.finished_at) == ("rejected", "Ada", "thin", 6.0)
    assert stores.results.failures("run") == [("Bread", "too hot")]


def test_costs_add_up_and_say_how_many_calls_have_a_price(stores: Stores) -> None:
    stores.trace.save_call("k1", "run", "analyse", "m", Usage(10, 2, 0.5), 100, "{}")
    stores.trace.save_call("k1", "run", "analyse", "m", Usage(99, 99, 9.0), 999, "{}")
    stores.trace.save_call("k2", "run", "analyse", "m", Usage(1, 1, None), 50, "{}")
    (cost,) = stores.trace.costs("run")
    assert (cost.calls, cost.input_tokens, cost.output_tokens, cost.ms) == (2, 11, 3, 150)
    assert (cost.cost_usd, cost.priced) == (0.5, 1)


def test_what_was_committed_is_there_for_the_next_process(tmp_path: Path) -> None:
    first = open_database(tmp_path / "p.db")
    Library(first).add(FERRY)
    second = open_database(tmp_path / "p.db")
    assert Library(second).text(FERRY.id) == "About ferries."
    assert Library(second).title(FERRY.id) == "Ferries"
    with pytest.raises(KeyError):
        Library(second).text("nothing")
    first.close()
    second.close()
