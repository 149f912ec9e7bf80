"""The steps that keep an index up to date. Each can be run again at any point: what is stored is not done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from temporalio import activity
from temporalio.exceptions import ApplicationError

from outlive.ai.documents.embedding import Embedder, batches
from outlive.ai.documents.errors import DocumentsError, EmbeddingFailed, IndexMismatch, SourceNotFound, Unreadable
from outlive.ai.documents.index import Entry, Hit, Index, Known, digest
from outlive.ai.documents.loading import Document, read_file, read_url
from outlive.ai.documents.sources import discover, is_url
from outlive.ai.documents.splitting import Passage, Splitting, split
from outlive.ledger.client import CallRefused

_LISTED: Final = 2000  # sources of one answer: a payload has 2 MB at most
_URL_SECONDS: Final = 60.0
_URL_ATTEMPTS: Final = 3  # of a page that cannot be reached, before the run goes on without it


@dataclass
class ScanJob:
    """Compare sources (files, folders, URLs) with the index. `skip`: URLs that this run has read already."""

    sources: list[str]
    skip: list[str] = field(default_factory=list)


@dataclass
class Scanned:
    """What is to be done. `more`: scan again after it, there were too many for one answer."""

    changed: list[str]
    removed: list[str]
    unchanged: int
    more: bool = False


@dataclass
class IndexJob:
    """Read these sources and put them into the index."""

    sources: list[str]


@dataclass
class Indexed:
    """What came of it. `embedded` counts texts, `tokens` what the model said they took."""

    documents: int = 0
    unchanged: int = 0
    passages: int = 0
    embedded: int = 0
    tokens: int = 0
    unreadable: dict[str, str] = field(default_factory=dict)


@dataclass
class SearchJob:
    """Ask the index."""

    question: str
    count: int = 10


class DocumentActivities:
    """Give `activities` to a worker.

    The embedder is any `Embedder`: wrap it in `MeteredEmbedder` for quotas and budgets.
    """

    def __init__(self, index: Index, embedder: Embedder, how: Splitting | None = None) -> None:
        self._index = index
        self._embedder = embedder
        self._how = how or Splitting()
        named = f"{self._how.target}/{self._how.maximum}/{self._how.overlap}/{self._how.measure.__qualname__}"
        self._settings = sha256(f"1/{named}".encode()).hexdigest()[:8]

    @property
    def activities(self) -> list[Callable[..., Any]]:
        """For a worker."""
        return [self.scan, self.index, self.remove, self.search]

    @activity.defn(name="outlive.documents.scan")
    async def scan(self, job: ScanJob) -> Scanned:
        """Find what has changed since the index was written. Files are compared by size and time, then by content."""
        try:
            found = await asyncio.to_thread(discover, job.sources)
        except SourceNotFound as error:
            raise ApplicationError(str(error), type="SourceNotFound", non_retryable=True) from None
        roots = [each if is_url(each) else str(Path(each).expanduser().resolve()) for each in job.sources]
        known = await self._index.known(roots)
        skip = set(job.skip)
        changed = [
            source
            for source in found
            if source not in skip and (is_url(source) or not self._same(known.get(source), _stamp(source)))
        ]
        removed = sorted(known.keys() - set(found))
        more = len(changed) > _LISTED or len(removed) > _LISTED
        return Scanned(changed[:_LISTED], removed[:_LISTED], len(found) - len(changed) - len(skip & set(found)), more)

    def _same(self, known: Known | None, stamp: str) -> bool:
        return known is not None and known.stamp == stamp and known.fingerprint.endswith(self._settings)

    @activity.defn(name="outlive.documents.index")
    async def index(self, job: IndexJob) -> Indexed:
        """Read, split, embed and store. Only texts without a vector are embedded; each batch is kept at once."""
        done = Indexed()
        known = await self._index.known(job.sources)
        for source in job.sources:
            activity.heartbeat(source)
            entry = await self._read(source)
            before = known.get(source)
            if before is not None and before.fingerprint == entry.known.fingerprint:
                done.unchanged += 1
                if before == entry.known:
                    continue
            else:
                done.documents += 1
                done.passages += len(entry.passages)
            if entry.unreadable:
                done.unreadable[source] = entry.unreadable
            await self._embed(entry.passages, done)
            await self._index.put(entry)
        return done

    @activity.defn(name="outlive.documents.remove")
    async def remove(self, job: IndexJob) -> None:
        """Take sources out of the index."""
        await self._index.remove(job.sources)

    @activity.defn(name="outlive.documents.search")
    async def search(self, job: SearchJob) -> list[Hit]:
        """The passages nearest to a question."""
        done = Indexed()
        vectors = await self._vectors([job.question], done)
        return await self._index.search(job.question, vectors[0], job.count)

    async def _read(self, source: str) -> Entry:
        stamp = ""
        try:
            if is_url(source):
                document = await _fetched(source)
            else:
                stamp = _stamp(source)
                document = await asyncio.to_thread(read_file, Path(source))
        except (Unreadable, OSError) as error:
            print_ = f"{sha256(f'{stamp}{error}'.encode()).hexdigest()[:32]}/{self._settings}"
            return Entry(source, Known(stamp, print_), None, unreadable=str(error))
        passages = await asyncio.to_thread(split, document.text, document.pages, self._how)
        return Entry(source, Known(stamp, f"{_content(document)}/{self._settings}"), document, passages)

    async def _embed(self, passages: Sequence[Passage], done: Indexed) -> None:
        """Vectors for those texts that have none; kept batch by batch, so that another attempt goes on from there."""
        texts = {digest(passage.embedded): passage.embedded for passage in passages}
        try:
            missing = await self._index.missing(self._embedder.model, list(texts))
            left = [(each, text) for each, text in texts.items() if each in missing]
            for batch in batches([text for _, text in left], self._embedder):
                some = [left[at] for at in batch]
                vectors = await self._vectors([text for _, text in some], done)
                kept = {each: vector for (each, _), vector in zip(some, vectors, strict=True)}
                await self._index.add_vectors(self._embedder.model, kept)
                activity.heartbeat()
        except IndexMismatch as error:
            raise ApplicationError(str(error), type="IndexMismatch", non_retryable=True) from None

    async def _vectors(self, texts: Sequence[str], done: Indexed) -> list[list[float]]:
        try:
            embedded = await self._embedder.embed(texts)
        except EmbeddingFailed as error:
            later = timedelta(seconds=error.retry_after) if error.retry_after else None
            raise ApplicationError(
                str(error), type="EmbeddingFailed", non_retryable=not error.retryable, next_retry_delay=later
            ) from None
        except CallRefused as error:
            raise ApplicationError(str(error), type=type(error).__name__, non_retryable=True) from None
        done.embedded += len(texts)
        done.tokens += embedded.tokens
        return embedded.vectors


def _stamp(source: str) -> str:
    try:
        found = Path(source).stat()
    except OSError:
        return ""
    return f"{found.st_size}:{found.st_mtime_ns}"


def _content(document: Document) -> str:
    return sha256(f"{document.title}\0{document.uri}\0{document.text}".encode()).hexdigest()[:32]


async def _fetched(url: str) -> Document:
    """The page. What may pass is raised, so that the step is tried again; else Unreadable says why."""
    try:
        import httpx
    except ImportError:
        raise DocumentsError("URLs need httpx: pip install 'outlive[documents]'.") from None
    last = not activity.in_activity() or activity.info().attempt >= _URL_ATTEMPTS
    try:
        async with httpx.AsyncClient(timeout=_URL_SECONDS) as client:
            return await read_url(client, url)
    except httpx.HTTPStatusError as error:
        if error.response.status_code >= 500 and not last:
            raise
        raise Unreadable(f"the server answered {error.response.status_code}") from None
    except httpx.HTTPError as error:
        if not last:
            raise
        raise Unreadable(f"could not be fetched: {error or type(error).__name__}") from None
