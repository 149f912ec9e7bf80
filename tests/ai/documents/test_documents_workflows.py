"""`index_folder` on a real server, with a real provider of embeddings and a real ledger over HTTP."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError
from temporalio.worker import Worker

from outlive.ai.documents import (
    DocumentActivities,
    Embedded,
    EmbeddingFailed,
    HashingEmbedder,
    IndexReport,
    MeteredEmbedder,
    OpenAIEmbedder,
    SqliteIndex,
)
from outlive.ledger.client import NANO, Budget, Filter, connect
from outlive.ledger.http.message import Request, Response
from outlive.ledger.http.server import HttpServer
from outlive.ledger.run import RunningLedger
from outlive.testing.providers import FakeProvider
from tests.ai.documents.keeping import Keep

PAGE = "<title>Log</title><p>The harbour master writes down every ship.</p>"


class Counting(HashingEmbedder):
    """Counts texts; says no as often as it is told to."""

    def __init__(self, *, refusals: int = 0) -> None:
        self.batch_texts = 2
        self.texts: list[str] = []
        self._refusals = refusals

    async def embed(self, texts: Sequence[str]) -> Embedded:
        if len(self.texts) >= 4 and self._refusals:
            self._refusals -= 1
            raise EmbeddingFailed("not now", retryable=True, retry_after=0.01)
        self.texts += texts
        return await super().embed(texts)


async def keep(client: Client, activities: DocumentActivities, *sources: Path | str) -> IndexReport:
    async with Worker(client, task_queue="q", workflows=[Keep], activities=activities.activities):
        names = [str(source) for source in sources]
        return await client.execute_workflow(Keep.run, names, id=os.urandom(4).hex(), task_queue="q")


def write(folder: Path, **texts: str) -> None:
    folder.mkdir(exist_ok=True)
    for name, text in texts.items():
        (folder / f"{name}.md").write_text(text)


async def test_a_second_run_does_what_changed(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "papers"
    write(folder, one="# One\n\nText of one.\n\n# More\n\nMore of one.", two="Text of two.", three="Text of three.")
    (folder / "four.pdf").write_bytes(b"%PDF-1.4 nothing follows")
    index = SqliteIndex(tmp_path / "index.db")
    embedder = Counting()
    activities = DocumentActivities(index, embedder)
    first = await keep(client, activities, folder)
    assert (first.documents, first.passages, first.embedded, first.unchanged, first.removed) == (4, 4, 4, 0, 0)
    assert "not a PDF" in first.unreadable[str(folder / "four.pdf")]
    second = await keep(client, activities, folder)
    assert (second.documents, second.embedded, second.unchanged, second.unreadable) == (0, 0, 4, {})
    write(folder, one="# One\n\nText of one.\n\n# More\n\nQuite another text.", five="Text of five.")
    (folder / "two.md").unlink()
    os.utime(folder / "three.md", (1, 1))  # another time, the same text
    third = await keep(client, activities, folder)
    assert (third.documents, third.embedded, third.removed) == (2, 2, 1)
    assert embedder.texts[4:] == ["Text of five.", "More\nQuite another text."]
    assert [hit.uri for hit in await index.search("five")][:1] == [str(folder / "five.md")]
    assert all("two" not in hit.uri for hit in await index.search("text", count=50))
    await index.close()


async def test_an_attempt_that_fails_does_not_embed_twice(client: Client, tmp_path: Path) -> None:
    write(tmp_path / "papers", **{f"t{number}": f"Text {number}. " * 10 for number in range(8)})
    embedder = Counting(refusals=2)
    index = SqliteIndex(tmp_path / "index.db")
    report = await keep(client, DocumentActivities(index, embedder), tmp_path / "papers")
    assert report.documents + report.unchanged == 8
    assert len(embedder.texts) == len(set(embedder.texts)) == 8
    assert len(await index.known()) == 8
    await index.close()


async def test_pages_of_the_web(client: Client, tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        return Response(200, PAGE.encode(), "text/html") if request.path == "/log" else Response(404, b"none")

    server = HttpServer(answer, "127.0.0.1", 0)
    await server.start()
    base = f"http://127.0.0.1:{server.port}"
    index = SqliteIndex(tmp_path / "index.db")
    activities = DocumentActivities(index, Counting())
    first = await keep(client, activities, f"{base}/log", f"{base}/gone")
    assert first.unreadable == {f"{base}/gone": "the server answered 404"}
    second = await keep(client, activities, f"{base}/log", f"{base}/gone")
    assert (second.documents, second.unchanged, second.embedded) == (0, 2, 0)
    assert (await index.search("harbour"))[0].title == "Log"
    await server.stop(0)
    await index.close()


async def test_a_path_that_is_not_there_fails_at_once(client: Client, tmp_path: Path) -> None:
    with pytest.raises(WorkflowFailureError) as failure:
        await keep(client, DocumentActivities(SqliteIndex(tmp_path / "i.db"), Counting()), tmp_path / "nowhere")
    assert isinstance(failure.value.cause, ActivityError)
    assert isinstance(failure.value.cause.cause, ApplicationError)
    assert "no file or folder" in failure.value.cause.cause.message


async def test_a_models_embeddings_go_through_the_ledger(client: Client, tmp_path: Path) -> None:
    """A real provider over HTTP; what it refuses is tried again, what a budget refuses is not."""
    write(tmp_path / "papers", **{f"t{number}": f"Text number {number}." for number in range(3)})
    running = RunningLedger(tmp_path / "ledger.db", "127.0.0.1", 0)
    await running.start()
    index = SqliteIndex(tmp_path / "index.db")
    async with (
        FakeProvider() as provider,
        connect(f"http://127.0.0.1:{running.port}") as ledger,
        httpx.AsyncClient(timeout=10) as http,
    ):
        model = OpenAIEmbedder(base_url=provider.openai_url, api_key="sk-secret", client=http)
        metered = MeteredEmbedder(model, ledger, team="library")
        report = await keep(client, DocumentActivities(index, metered), tmp_path / "papers")
        assert report.documents == 3
        assert report.tokens > 0
        (hit, *_) = await index.search("number 1", (await metered.embed(["number 1"])).vectors[0])
        assert hit.text.startswith("Text number")
        rows = (await ledger.attempts(Filter(team="library"))).attempts
        assert {row.outcome for row in rows} == {"ok"}
        assert sum(row.input for row in rows if row.workflow_type == "Keep") == report.tokens
        assert all(row.cost > 0 and row.model == "text-embedding-3-small" for row in rows)
        await ledger.put_budget(Budget("tiny", scope={"team": "library"}, hard=NANO // 10**9, unit="usd"))
        write(tmp_path / "papers", more="Much more text.")
        with pytest.raises(WorkflowFailureError) as failure:
            await keep(client, DocumentActivities(index, metered), tmp_path / "papers")
        assert isinstance(failure.value.cause, ActivityError)
        assert isinstance(failure.value.cause.cause, ApplicationError)
        assert failure.value.cause.cause.type in ("BudgetExceeded", "BudgetImpossible")
    await running.stop(0)
    await index.close()


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (401, False), (429, True), (503, True)])
async def test_what_a_provider_refuses(status: int, retryable: bool) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(status, text="the key sk-secret is wrong", headers={"retry-after": "7"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as http:
        with pytest.raises(EmbeddingFailed) as failed:
            await OpenAIEmbedder(base_url="http://model", api_key="sk-secret", client=http).embed(["x"])
    assert (failed.value.retryable, failed.value.retry_after) == (retryable, 7.0)
    assert "sk-secret" not in str(failed.value)
