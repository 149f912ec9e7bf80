"""Model calls through the ledger: turns under a quota, money under a budget, a row each, answers kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256

from temporalio import activity

from examples.research_pipeline.models import Usage
from outlive.ledger.client import NANO, Call, Granted, Ledger, LedgerError, Price, Result, Tokens

TEAM = "research"
"""The label that the quota and the budget of the demo match."""
_LEASE = 3.0
"""Seconds until the ledger takes a worker that is not heard of for dead, and gives its turn to another."""
_WAIT = 2.0
"""Seconds that one question for a turn may take."""
_ANSWER_TOKENS = 300
_STAND_IN_PRICE = Price(input=1 * NANO, output=4 * NANO)
"""Nano-dollars per million tokens, made up, so that budgets have something to count where no model is paid."""


@dataclass
class Ended:
    """What the body of a turn says about its call."""

    usage: Usage | None = None
    answer: str = ""


@dataclass(frozen=True)
class Metering:
    """A ledger, and who is asked."""

    ledger: Ledger
    model: str
    is_language_model: bool
    namespace: str = "default"
    now: Callable[[], float] = field(default=time.monotonic)

    def digest(self, step: str, prompt: str) -> str:
        """What an answer is kept under: the same question to the same model."""
        return sha256("\0".join((self.model, step, prompt)).encode()).hexdigest()

    async def cached(self, run: str, step: str, key: str, prompt: str) -> str | None:
        """An answer that another run paid for, written into the book as a hit."""
        found = await self.ledger.cache_get(self.namespace, self.digest(step, prompt))
        if found is None:
            return None
        result = Result(usage=Tokens(), cache_hit=True, saved_by="cache", saved=found.cost)
        await self.ledger.record(self._call(run, step, key, prompt), result)
        return found.value.decode()

    @asynccontextmanager
    async def turn(self, run: str, step: str, key: str, prompt: str) -> AsyncIterator[Ended]:
        """Wait for quota and budget, hold the turn for the body, and settle what it says in the end."""
        call = self._call(run, step, key, prompt)
        while not isinstance(await self.ledger.reserve(call, wait=_WAIT), Granted):
            pass  # the place in the queue is kept; the activity's heartbeats go on beside this
        began, ended = self.now(), Ended()
        holding = asyncio.create_task(self._hold(call.key))
        try:
            yield ended
        except BaseException as error:
            with suppress(LedgerError):
                await self.ledger.settle(call.key, Result("error", error_kind=type(error).__name__))
            raise
        finally:
            holding.cancel()
        used = self._tokens(ended, prompt)
        cost = round(ended.usage.cost_usd * NANO) if ended.usage and ended.usage.cost_usd is not None else None
        row = await self.ledger.settle(call.key, Result(usage=used, cost=cost, latency=self.now() - began))
        await self.ledger.cache_put(
            self.namespace, self.digest(step, prompt), ended.answer.encode(), cost=row.cost, usage=used
        )

    async def _hold(self, key: str) -> None:
        while True:
            await asyncio.sleep(_LEASE / 3)
            with suppress(LedgerError):
                await self.ledger.renew(key, lease=_LEASE)

    def _tokens(self, ended: Ended, prompt: str) -> Tokens:
        if ended.usage and ended.usage.input_tokens:
            return Tokens(ended.usage.input_tokens, ended.usage.output_tokens)
        return Tokens(len(prompt) // 4, len(ended.answer) // 4)

    def _call(self, run: str, step: str, key: str, prompt: str) -> Call:
        provider, colon, name = self.model.partition(":")
        attempt = activity.info().attempt if activity.in_activity() else 1
        return Call(
            key=f"{key}#{attempt}",
            model=name if colon else "stand-in",
            provider=provider if colon else "stand-in",
            namespace=self.namespace,
            workflow_id=run.rpartition("/")[0],
            run=run,
            step=step,
            attempt=attempt,
            team=TEAM,
            estimate=Tokens(len(prompt) // 4, _ANSWER_TOKENS),
            lease=_LEASE,
            on_budget="wait",
            unknown_price="zero",
            price=None if self.is_language_model else _STAND_IN_PRICE,
        )
