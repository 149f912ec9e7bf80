"""Texts become vectors, in batches that a model takes, through a port."""

from __future__ import annotations

import base64
import math
import os
import re
import struct
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Protocol

from outlive.ai.documents.errors import DocumentsError, EmbeddingFailed

if TYPE_CHECKING:
    import httpx

_TOKEN = re.compile(r"\w{2,}")
_SECONDS: Final = 60.0  # of one request


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector a text, in order, and the tokens that they took."""

    vectors: list[list[float]]
    tokens: int = 0


class Embedder(Protocol):
    """Turns texts into vectors of one length.

    `model` names it in the index. A batch has at most `batch_texts` texts and about `batch_tokens` tokens.
    """

    model: str
    batch_texts: int
    batch_tokens: int

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """One request, of one batch. Raises EmbeddingFailed."""
        ...


def estimated_tokens(text: str) -> int:
    """About how many tokens a text has, rather more than fewer: three bytes each."""
    return len(text.encode()) // 3 + 1


def batches(texts: Sequence[str], embedder: Embedder) -> Iterator[range]:
    """Ranges of texts that one request takes. A text that is too long alone is alone: the model says what is wrong."""
    start = tokens = 0
    for number, text in enumerate(texts):
        more = estimated_tokens(text)
        if number > start and (tokens + more > embedder.batch_tokens or number - start >= embedder.batch_texts):
            yield range(start, number)
            start, tokens = number, 0
        tokens += more
    if start < len(texts):
        yield range(start, len(texts))


class OpenAIEmbedder:
    """An embeddings endpoint that speaks OpenAI's protocol, at OpenAI or anywhere else.

    The key is that of OPENAI_API_KEY and the address that of OPENAI_BASE_URL, unless they are given. Needs httpx.
    """

    def __init__(
        self,
        model: str = "text-embedding-3-small",
        *,
        base_url: str = "",
        api_key: str = "",
        dimensions: int | None = None,
        batch_texts: int = 256,
        batch_tokens: int = 100_000,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self.model = model if dimensions is None else f"{model}@{dimensions}"
        self.batch_texts = batch_texts
        self.batch_tokens = batch_tokens
        self._body: dict[str, Any] = {"model": model, "encoding_format": "base64"}
        if dimensions is not None:
            self._body["dimensions"] = dimensions
        base = base_url or os.environ.get("OPENAI_BASE_URL", "") or "https://api.openai.com/v1"
        self._url = f"{base.rstrip('/')}/embeddings"
        self._key = api_key or os.environ.get("OPENAI_API_KEY", "")
        self._client = client

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """See Embedder."""
        try:
            import httpx
        except ImportError:
            raise DocumentsError("this embedder needs httpx: pip install 'outlive[documents]'.") from None
        if self._client is None:
            self._client = httpx.AsyncClient(timeout=_SECONDS)
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            answer = await self._client.post(self._url, json={**self._body, "input": list(texts)}, headers=headers)
        except httpx.HTTPError as error:
            raise EmbeddingFailed(f"{self._url} cannot be reached: {error!r}", retryable=True) from None
        if answer.status_code != 200:
            raise self._refused(answer)
        try:
            found = answer.json()
            rows = sorted(found["data"], key=lambda row: row["index"])
            vectors = [_vector(row["embedding"]) for row in rows]
            tokens = int(found.get("usage", {}).get("total_tokens", 0))
        except (ValueError, KeyError, TypeError, AttributeError, struct.error) as error:
            raise EmbeddingFailed(f"{self._url} answered something else: {error!r}", retryable=True) from None
        if len(vectors) != len(texts):
            raise EmbeddingFailed(f"{self._url} gave {len(vectors)} vectors for {len(texts)} texts", retryable=False)
        return Embedded(vectors, tokens)

    def _refused(self, answer: httpx.Response) -> EmbeddingFailed:
        later = answer.headers.get("retry-after", "")
        words = f"{self._url} answered {answer.status_code}: {answer.text[:300]}"
        if self._key:
            words = words.replace(self._key, "***")
        return EmbeddingFailed(
            words,
            retryable=answer.status_code in (408, 409, 429) or answer.status_code >= 500,
            retry_after=float(later) if later.replace(".", "", 1).isdigit() else None,
        )


def _vector(given: str | list[float]) -> list[float]:
    if isinstance(given, str):
        packed = base64.b64decode(given)
        return list(struct.unpack(f"<{len(packed) // 4}f", packed))
    return [float(value) for value in given]


class HashingEmbedder:
    """Feature hashing: words and pairs of words, hashed into 512 signed buckets. Arithmetic, not a model.

    For tests and machines without a model: it finds shared words, not shared meaning.
    """

    model = "hashing-512"
    batch_texts = 256
    batch_tokens = 1_000_000
    dimensions: Final = 512

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """The same text gives the same vector in every process."""
        return Embedded([self._vector(text) for text in texts])

    def _vector(self, text: str) -> list[float]:
        words = [word.lower() for word in _TOKEN.findall(text)]
        features = Counter(words)
        features.update(" ".join(pair) for pair in pairwise(words))
        vector = [0.0] * self.dimensions
        for feature, count in features.items():
            # Python's own hash is salted for each process, and these vectors are compared across processes.
            digest = int.from_bytes(blake2b(feature.encode(), digest_size=8).digest(), "big")
            sign = 1.0 if digest & 1 else -1.0
            vector[(digest >> 1) % self.dimensions] += sign * (1 + math.log(count))
        length = math.sqrt(sum(value * value for value in vector)) or 1.0
        return [value / length for value in vector]
