"""Embedding through the ledger: quotas, budgets and a row for each request, as for every other model call."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Literal

from temporalio import activity

from outlive.ai.documents.embedding import Embedded, Embedder, estimated_tokens
from outlive.ai.documents.errors import EmbeddingFailed
from outlive.ledger.client import Call, Granted, Ledger, ProviderLimits, Recorded, Result, Tokens

_WAIT = 20.0  # seconds that one question to the ledger waits for a turn


class MeteredEmbedder:
    """Another embedder, let through by a ledger. For use in activities, whose heartbeats it keeps up while it waits.

    Labels of the calls: model, provider, the workflow's id, type and run, namespace, `team`.
    """

    def __init__(
        self,
        embedder: Embedder,
        ledger: Ledger,
        *,
        provider: str = "openai",
        team: str = "",
        unknown_price: Literal["error", "zero"] | int = "error",
    ) -> None:
        self._embedder = embedder
        self._ledger = ledger
        self._provider = provider
        self._team = team
        self._unknown_price = unknown_price
        self.model = embedder.model
        self.batch_texts = embedder.batch_texts
        self.batch_tokens = embedder.batch_tokens

    async def embed(self, texts: Sequence[str]) -> Embedded:
        """See Embedder. Raises CallRefused where a quota or budget can never let it through."""
        call = self._call(texts)
        while True:
            answer = await self._ledger.reserve(call, wait=_WAIT)
            if activity.in_activity():
                activity.heartbeat()
            if isinstance(answer, Recorded):
                # an attempt that ended without its activity: nothing kept its vectors
                call = self._call(texts, f"/{time.time_ns()}")
            elif isinstance(answer, Granted):
                break
        began = time.monotonic()
        try:
            embedded = await self._embedder.embed(texts)
        except EmbeddingFailed as error:
            limits = ProviderLimits(limited=True, retry_after=error.retry_after) if error.retryable else None
            await self._ledger.settle(call.key, Result("error", error_kind=type(error).__name__, limits=limits))
            raise
        except BaseException:
            await self._ledger.settle(call.key, Result("cancelled"))
            raise
        used = Tokens(embedded.tokens or call.estimate.input)
        await self._ledger.settle(call.key, Result(usage=used, latency=time.monotonic() - began))
        return embedded

    def _call(self, texts: Sequence[str], more: str = "") -> Call:
        estimate = Tokens(sum(map(estimated_tokens, texts)))
        name = sha256("\0".join(texts).encode()).hexdigest()[:16]
        call = Call(
            key=f"embed/{name}/{time.time_ns()}",
            model=self.model.partition("@")[0],
            provider=self._provider,
            team=self._team,
            estimate=estimate,
            maximum=estimate,
            unknown_price=self._unknown_price,
        )
        if not activity.in_activity():
            return call
        info = activity.info()
        return replace(
            call,
            key=f"{info.workflow_id}/{info.workflow_run_id}/{info.activity_id}/{info.attempt}/{name}{more}",
            namespace=info.namespace,
            workflow_id=info.workflow_id or "",
            workflow_type=info.workflow_type or "",
            run=info.workflow_run_id or "",
            step=info.activity_type,
            attempt=info.attempt,
        )
