"""Indexes, on SQLite and on a real PostgreSQL with pgvector where there is one."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlive.ai.documents import (
    Document,
    DocumentsError,
    Entry,
    HashingEmbedder,
    Index,
    IndexMismatch,
    Known,
    PostgresIndex,
    SqliteIndex,
    split,
)
from outlive.ai.documents.index import digest, fused
from tests.ledger.conftest import postgres

__all__ = ["postgres"]  # a fixture

TEXTS = {
    "/d/kettle": "A kettle boils water for tea.\n\n# Use\n\nIt switches itself off.",
    "/d/violin": "A violin has four strings tuned in fifths.",
    "/e/boat": "A boat crosses the river.",
}


@pytest.fixture(params=["sqlite", "pgvector"])
async def index(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Index]:
    if request.param == "sqlite":
        opened: Index = SqliteIndex(tmp_path / "index.db")
    else:
        address = os.environ.get("OUTLIVE_TEST_PGVECTOR", "")
        if not address and list(Path("/usr/share/postgresql").glob("*/extension/vector.control")):
            address = f"{request.getfixturevalue('postgres')}/postgres"
        if not address:
            pytest.skip("no pgvector here: install Debian's postgresql and postgresql-15-pgvector to run these")
        opened = PostgresIndex(address, schema=f"t{uuid.uuid4().hex[:12]}")
    yield opened
    await opened.close()


async def put(index: Index, source: str, text: str) -> list[str]:
    """The texts that had to be embedded."""
    embedder = HashingEmbedder()
    passages = split(text)
    texts = {digest(passage.embedded): passage.embedded for passage in passages}
    missing = await index.missing(embedder.model, list(texts))
    wanted = [each for each in texts if each in missing]
    vectors = (await embedder.embed([texts[each] for each in wanted])).vectors
    await index.add_vectors(embedder.model, dict(zip(wanted, vectors, strict=True)))
    document = Document(source.rpartition("/")[2], f"file://{source}", "text/plain", text)
    await index.put(Entry(source, Known("1:2", text[:10]), document, passages))
    return [texts[each] for each in wanted]


async def vector(text: str) -> list[float]:
    return (await HashingEmbedder().embed([text])).vectors[0]


async def test_passages_are_found_by_words_and_by_vectors_with_what_to_cite(index: Index) -> None:
    for source, text in TEXTS.items():
        await put(index, source, text)
    for words, about in (("violin strings", "string violin"), ("string", "four strings"), ("", "violin strings")):
        hits = await index.search(words, await vector(about), 2)
        assert hits[0].source == "/d/violin"
        assert (hits[0].title, hits[0].uri) == ("violin", "file:///d/violin")
        assert TEXTS["/d/violin"][hits[0].start : hits[0].end] == hits[0].text
    assert [hit.heading for hit in await index.search("switch off")] == ["Use"]
    assert await index.search('"AND OR NOT ( *:', await vector("x"), 1)
    assert await index.search("nothing-like-this") == []


async def test_what_is_put_again_replaces_what_was_there_and_embeds_what_is_new(index: Index) -> None:
    assert len(await put(index, "/d/kettle", TEXTS["/d/kettle"])) == 2
    assert await put(index, "/d/kettle", TEXTS["/d/kettle"]) == []
    assert await put(index, "/copy", TEXTS["/d/kettle"]) == []
    changed = TEXTS["/d/kettle"].replace("switches itself off", "stops by a lever")
    assert await put(index, "/d/kettle", changed) == ["Use\nIt stops by a lever."]
    assert [hit.source for hit in await index.search("switches")] == ["/copy"]
    await index.remove(["/copy", "/not/there"])
    assert await index.search("switches") == []
    assert await put(index, "/back", TEXTS["/d/kettle"]) == ["Use\nIt switches itself off."], "its vector was gone"


async def test_what_is_known_of_folders(index: Index) -> None:
    for source, text in TEXTS.items():
        await put(index, source, text)
    await index.put(Entry("/d/broken", Known("", "x"), None, unreadable="no text"))
    assert set(await index.known()) == {*TEXTS, "/d/broken"}
    assert set(await index.known(["/d"])) == {"/d/kettle", "/d/violin", "/d/broken"}
    assert set(await index.known(["/d/kettle", "/e/"])) == {"/d/kettle", "/e/boat"}
    assert (await index.known(["/d/kettle"]))["/d/kettle"] == Known("1:2", "A kettle b")


async def test_an_index_has_one_model(index: Index) -> None:
    await put(index, "/a", "Some text.")
    with pytest.raises(IndexMismatch, match="made with hashing-512, not with other"):
        await index.missing("other", ["x"])
    with pytest.raises(IndexMismatch, match="vectors of 512 numbers, this one has 3"):
        await index.add_vectors("hashing-512", {"x": [1, 2, 3]})
    with pytest.raises(IndexMismatch):
        await index.search("x", [1.0, 2.0])


def test_ranks_are_fused() -> None:
    assert [ident for ident, _ in fused([1, 2, 3], [3, 4], count=3)] == [3, 1, 2]


async def test_a_database_that_cannot_hold_one_says_so() -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(DocumentsError, match="no name of a schema"):
        PostgresIndex("postgresql://x", schema="a;b")
