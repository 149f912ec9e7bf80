"""The ledger as its users see it. `Service` is it in this process, `HttpLedger` over HTTP; both are used alike."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from outlive.ledger.types import (
    Approval,
    ApprovalState,
    Attempt,
    AttemptPage,
    Budget,
    BudgetUse,
    By,
    Cached,
    Call,
    Chunk,
    Chunks,
    CostRow,
    Decision,
    Filter,
    Granted,
    Owner,
    Quota,
    QuotaUse,
    Recorded,
    Result,
    Signed,
    Tokens,
    Waiter,
    Waiting,
)


class Ledger(Protocol):
    """Every method may raise a `LedgerError`; over HTTP also `LedgerUnreachable`."""

    # -- calls

    async def reserve(self, call: Call, *, wait: float = 0.0) -> Granted | Waiting | Recorded:
        """Ask to make a call; with `wait`, up to that many seconds (60 at most) for its turn.

        `Waiting` is not an end: ask again with the same call, whose place is kept. `Recorded` says that an attempt
        with this key has ended. Raises QuotaImpossible, BudgetImpossible, BudgetExceeded, UnknownPrice.
        """
        ...

    async def turns(self, keys: Sequence[str], *, wait: float = 20.0) -> list[str]:
        """Wait until one of these calls is worth asking for again: let through, refused, or not known any more.

        One process can wait so for all its workflows. Empty after `wait` seconds.
        """
        ...

    async def start(self, key: str) -> Granted:
        """The call is sent now: for calls reserved with `hold`. Raises NotFound if the reservation is gone."""
        ...

    async def renew(self, key: str, *, lease: float | None = None) -> Granted:
        """The holder is alive: the lease runs `lease` seconds from now. Raises NotFound if it has run out."""
        ...

    async def settle(self, key: str, result: Result) -> Attempt:
        """The call has ended. Once only: again, it answers the row that is there. Late is better than never."""
        ...

    async def release(self, key: str) -> bool:
        """The call was not sent, or is no longer wanted. False if nothing was known of it."""
        ...

    async def record(self, call: Call, result: Result) -> Attempt:
        """Write a call that was made without a reservation: let through while nobody answered, or a cache hit."""
        ...

    async def waiting(self) -> list[Waiter]:
        """The calls that wait, oldest first."""
        ...

    # -- quotas and budgets

    async def put_quota(self, quota: Quota) -> None: ...

    async def delete_quota(self, name: str) -> bool: ...

    async def quotas(self) -> list[QuotaUse]:
        """Every quota, once for each combination of labels that has used it."""
        ...

    async def put_budget(self, budget: Budget) -> None: ...

    async def raise_budget(self, name: str, *, by: int | None = None, to: int | None = None) -> Budget:
        """Raise the hard limit (nano-dollars or tokens); what waits for it goes on. Raises NotFound, BadRequest."""
        ...

    async def delete_budget(self, name: str) -> bool: ...

    async def budgets(self) -> list[BudgetUse]:
        """Every budget, once for each combination of labels that has used it, in the periods of now."""
        ...

    # -- the book

    async def attempt(self, key: str) -> Attempt:
        """One row. Raises NotFound."""
        ...

    async def attempts(self, where: Filter = ..., *, limit: int = 100, after: str = "") -> AttemptPage: ...

    async def costs(self, by: By, where: Filter = ...) -> list[CostRow]: ...

    # -- cached responses

    async def cache_get(self, namespace: str, digest: str) -> Cached | None:
        """The response kept under the digest, counted as a hit; None if there is none (any more)."""
        ...

    async def cache_put(
        self,
        namespace: str,
        digest: str,
        value: bytes,
        *,
        ttl: float | None = None,
        cost: int = 0,
        usage: Tokens = ...,
        model: str = "",
    ) -> None:
        """Keep a response, for `ttl` seconds or until room is needed."""
        ...

    async def cache_clear(self, namespace: str) -> int:
        """Forget the namespace's responses; how many there were."""
        ...

    # -- contents

    async def put_content(self, data: bytes, *, namespace: str = "default", owner: str) -> str:
        """Keep bytes for an owner, such as a run; the digest (SHA-256, hexadecimal) that they are read by."""
        ...

    async def keep_content(self, digests: Sequence[str], *, namespace: str = "default", owner: str) -> None:
        """Keep contents that are there for another owner too. Raises NotFound if one is gone."""
        ...

    async def get_content(self, digest: str) -> bytes:
        """Raises NotFound."""
        ...

    async def release_content(self, *, namespace: str = "default", owner: str) -> int:
        """The owner is gone: what nobody else keeps is removed. How many contents it kept."""
        ...

    async def content_owners(self, namespace: str = "default", *, before: int | None = None) -> list[Owner]:
        """Owners, those first that came first; `before`: only those that have kept nothing since that moment."""
        ...

    # -- streams

    async def append(
        self, stream: str, chunks: Sequence[str], *, attempt: int = 1, closed: bool = False, at: int | None = None
    ) -> int:
        """Add chunks; the offset after them. An attempt larger than those before replaces them for readers.

        `at`, the number of chunks that this attempt has sent before, makes sending again after a fault harmless.
        Raises Conflict for an attempt that has been replaced.
        """
        ...

    async def read(self, stream: str, offset: int = 0, *, wait: float = 0.0) -> Chunks:
        """What the stream has from `offset` on; with `wait`, up to that many seconds for something."""
        ...

    def follow(self, stream: str, offset: int = 0) -> AsyncIterator[Chunk]:
        """The stream from `offset` on, until it is closed. A chunk of a larger attempt replaces all before it."""
        ...

    # -- approvals

    async def ask_approval(self, approval: Approval) -> Approval:
        """Put a question in the inbox; the one that is there if its id has been used."""
        ...

    async def approval(self, approval_id: str, *, wait: float = 0.0) -> Approval:
        """One question; with `wait`, up to that many seconds until it is decided. Raises NotFound."""
        ...

    async def approvals(
        self, *, namespace: str = "", state: ApprovalState | None = None, assignee: str = ""
    ) -> list[Approval]: ...

    async def decide(self, approval_id: str, decision: Decision) -> Approval:
        """Answer a question. Raises Conflict if it is answered already, otherwise or too late."""
        ...

    async def cancel_approval(self, approval_id: str, *, reason: str = "") -> Approval:
        """Nobody needs the answer any more."""
        ...

    async def sign(self, approval_id: str, choice: str, *, by: str, ttl: float = 604_800.0) -> Signed:
        """A link for one decision by one person, for `ttl` seconds."""
        ...
