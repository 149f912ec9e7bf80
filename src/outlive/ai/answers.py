"""Answers that are kept in the ledger: for equal calls (the cache), and until an activity is recorded (resuming).

They lie there as the payload codec makes them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, get_type_hints

from temporalio import activity
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter
from temporalio.worker import ExecuteActivityInput

from outlive.ai.recognised import Answered
from outlive.ai.saying import Settings
from outlive.ai.ticket import Ticket
from outlive.ledger.client import Cached, Ledger, LedgerError, Tokens

_RESUMABLE: Final = 3600.0  # seconds that an answer is kept in case its activity is not recorded
_ATTEMPT: Final = "outlive-attempt"  # in a kept payload's metadata: the attempt that it is the answer of


class Answers:
    """Puts results of model calls into the ledger's cache and finds them again."""

    def __init__(
        self, settings: Settings, ledger: Callable[[], Ledger], converter: Callable[[], DataConverter]
    ) -> None:
        self._settings = settings
        self._ledger = ledger
        self._converter = converter

    def resumable(self) -> bool:
        """Whether answers are kept until their activity is recorded: where the ledger may read them, or cannot."""
        chosen = self._settings.resume_answers
        if chosen is None:
            return self._settings.record == "full" or self._converter().payload_codec is not None
        return chosen

    async def fresh(self, namespace: str, digest: str, age: float) -> Cached | None:
        """The answer of an equal call, if it is not older than so many seconds."""
        found = await self._look(namespace, digest)
        return found if found is not None and time.time() * 1000 - found.stored_at <= age * 1000 else None

    async def unrecorded(self, ticket: Ticket) -> Cached | None:
        """The answer that an earlier attempt of this call got, and died before it was recorded."""
        return await self._look(ticket.call.namespace, _resumed(ticket)) if self.resumable() else None

    async def _look(self, namespace: str, digest: str) -> Cached | None:
        try:
            return await self._ledger().cache_get(namespace, digest)
        except LedgerError:
            return None  # without the cache the call is made

    async def keep_unrecorded(self, ticket: Ticket, attempt: str, result: Any, said: Answered) -> None:
        """Keep an answer that is not recorded yet, if that is wanted."""
        if self.resumable():
            value = await self._encoded(result, attempt)
            await self._keep(ticket.call.namespace, _resumed(ticket), value, _RESUMABLE, said, 0)

    async def keep_equal(self, ticket: Ticket, attempt: str, result: Any, said: Answered, cost: int) -> None:
        """Keep an answer for equal calls, if the call asks for it."""
        if ticket.cache is not None:
            value = await self._encoded(result, attempt)
            await self._keep(ticket.call.namespace, ticket.digest, value, None, said, cost)

    async def _keep(
        self, namespace: str, digest: str, value: bytes, ttl: float | None, said: Answered, cost: int
    ) -> None:
        with suppress(LedgerError):  # an answer that is not kept is asked for again, no more
            await self._ledger().cache_put(
                namespace, digest, value, ttl=ttl, cost=cost, usage=said.usage or Tokens(), model=said.model
            )

    async def _encoded(self, result: Any, attempt: str) -> bytes:
        payloads = list(activity.payload_converter().to_payloads([result]))
        codec = self._converter().payload_codec
        if codec is not None:
            payloads = await codec.encode(payloads)
        kept = Payload()
        kept.CopyFrom(payloads[0])
        kept.metadata[_ATTEMPT] = attempt.encode()
        return kept.SerializeToString()

    async def read(self, hit: Cached, input: ExecuteActivityInput) -> tuple[Any, str]:
        """A kept answer as what the activity returns, and the attempt that it is of."""
        payload = Payload.FromString(hit.value)
        attempt = payload.metadata.pop(_ATTEMPT, b"").decode()
        payloads = [payload]
        codec = self._converter().payload_codec
        if codec is not None:
            payloads = await codec.decode(payloads)
        hint = get_type_hints(input.fn).get("return")
        values = activity.payload_converter().from_payloads(payloads, None if hint is None else [hint])
        return values[0], attempt


def _resumed(ticket: Ticket) -> str:
    return f"answer of {ticket.call.key}"
