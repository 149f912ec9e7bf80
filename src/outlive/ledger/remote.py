"""The ledger over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Final

from outlive.ledger.errors import KINDS, LedgerError, LedgerUnreachable
from outlive.ledger.http.connection import Pool, Unanswered
from outlive.ledger.kept import kept
from outlive.ledger.operations import VERSION, operation
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
from outlive.ledger.wire import to_json

_PAUSES: Final = (0.05, 0.2, 0.8)  # seconds between tries, where nobody answers
_NO_FILTER: Final = Filter()
_NO_TOKENS: Final = Tokens()


class HttpLedger:
    """A `Ledger` at an address. Used on one event loop; `close` it, or use it with `async with`.

    A request that nobody answers is sent again three times within a second (every operation may be repeated), then
    LedgerUnreachable is raised: whether the call goes on without the ledger is the caller's to decide.
    """

    def __init__(self, address: str, secret: str = "", *, timeout: float = 10.0) -> None:
        self.address = address
        self._timeout = timeout
        self._pool = Pool(address, {"Authorization": f"Bearer {secret}"} if secret else None)

    async def _call(self, name: str, /, *, wait: float = 0.0, **values: Any) -> Any:
        described = operation(name)
        if "wait" in described.parameters:
            values["wait"] = wait
        body = to_json(described.pack(values)).encode()
        status, answer = await self._send("POST", f"/{VERSION}/{name}", body, self._timeout + wait)
        try:
            data = json.loads(answer)
            if status == 200:
                return described.unpack_result(data["result"])
            error = data["error"]
            raise KINDS.get(error["kind"], LedgerError)(error["message"], **error["details"])
        except (ValueError, KeyError, TypeError):
            raise LedgerUnreachable(
                f"what answers at {self.address} is no ledger (status {status})", address=self.address
            ) from None

    async def _send(self, method: str, path: str, body: bytes, timeout: float) -> tuple[int, bytes]:
        for pause in (*_PAUSES, None):
            try:
                status, answer = await self._pool.request(method, path, body, timeout=timeout)
            except Unanswered as error:
                why = str(error)
            else:
                if status != 503:
                    return status, answer
                why = "it is stopping"
            if pause is None:
                break
            await asyncio.sleep(pause)
        raise LedgerUnreachable(
            f"the ledger at {self.address} does not answer ({why}): start it with `outlive ledger`, "
            "or check its address.",
            address=self.address,
        )

    # -- calls

    async def reserve(self, call: Call, *, wait: float = 0.0) -> Granted | Waiting | Recorded:
        return await self._call("reserve", call=call, wait=wait)  # type: ignore[no-any-return]

    async def turns(self, keys: Sequence[str], *, wait: float = 20.0) -> list[str]:
        return await self._call("turns", keys=list(keys), wait=wait)  # type: ignore[no-any-return]

    async def start(self, key: str) -> Granted:
        return await self._call("start", key=key)  # type: ignore[no-any-return]

    async def renew(self, key: str, *, lease: float | None = None) -> Granted:
        return await self._call("renew", key=key, lease=lease)  # type: ignore[no-any-return]

    async def settle(self, key: str, result: Result) -> Attempt:
        return await self._call("settle", key=key, result=_hashed(result))  # type: ignore[no-any-return]

    async def release(self, key: str) -> bool:
        return await self._call("release", key=key)  # type: ignore[no-any-return]

    async def record(self, call: Call, result: Result) -> Attempt:
        return await self._call("record", call=call, result=_hashed(result))  # type: ignore[no-any-return]

    async def waiting(self) -> list[Waiter]:
        return await self._call("waiting")  # type: ignore[no-any-return]

    # -- quotas and budgets

    async def put_quota(self, quota: Quota) -> None:
        await self._call("put_quota", quota=quota)

    async def delete_quota(self, name: str) -> bool:
        return await self._call("delete_quota", name=name)  # type: ignore[no-any-return]

    async def quotas(self) -> list[QuotaUse]:
        return await self._call("quotas")  # type: ignore[no-any-return]

    async def put_budget(self, budget: Budget) -> None:
        await self._call("put_budget", budget=budget)

    async def raise_budget(self, name: str, *, by: int | None = None, to: int | None = None) -> Budget:
        return await self._call("raise_budget", name=name, by=by, to=to)  # type: ignore[no-any-return]

    async def delete_budget(self, name: str) -> bool:
        return await self._call("delete_budget", name=name)  # type: ignore[no-any-return]

    async def budgets(self) -> list[BudgetUse]:
        return await self._call("budgets")  # type: ignore[no-any-return]

    # -- the book

    async def attempt(self, key: str) -> Attempt:
        return await self._call("attempt", key=key)  # type: ignore[no-any-return]

    async def attempts(self, where: Filter = _NO_FILTER, *, limit: int = 100, after: str = "") -> AttemptPage:
        return await self._call("attempts", where=where, limit=limit, after=after)  # type: ignore[no-any-return]

    async def costs(self, by: By, where: Filter = _NO_FILTER) -> list[CostRow]:
        return await self._call("costs", by=by, where=where)  # type: ignore[no-any-return]

    # -- cached responses

    async def cache_get(self, namespace: str, digest: str) -> Cached | None:
        return await self._call("cache_get", namespace=namespace, digest=digest)  # type: ignore[no-any-return]

    async def cache_put(
        self,
        namespace: str,
        digest: str,
        value: bytes,
        *,
        ttl: float | None = None,
        cost: int = 0,
        usage: Tokens = _NO_TOKENS,
        model: str = "",
    ) -> None:
        await self._call(
            "cache_put", namespace=namespace, digest=digest, value=value, ttl=ttl, cost=cost, usage=usage, model=model
        )

    async def cache_clear(self, namespace: str) -> int:
        return await self._call("cache_clear", namespace=namespace)  # type: ignore[no-any-return]

    # -- contents

    async def put_content(self, data: bytes, *, namespace: str = "default", owner: str) -> str:
        return await self._call("put_content", data=data, namespace=namespace, owner=owner)  # type: ignore[no-any-return]

    async def keep_content(self, digests: Sequence[str], *, namespace: str = "default", owner: str) -> None:
        await self._call("keep_content", digests=list(digests), namespace=namespace, owner=owner)

    async def get_content(self, digest: str) -> bytes:
        return await self._call("get_content", digest=digest)  # type: ignore[no-any-return]

    async def release_content(self, *, namespace: str = "default", owner: str) -> int:
        return await self._call("release_content", namespace=namespace, owner=owner)  # type: ignore[no-any-return]

    async def content_owners(self, namespace: str = "default", *, before: int | None = None) -> list[Owner]:
        return await self._call("content_owners", namespace=namespace, before=before)  # type: ignore[no-any-return]

    # -- streams

    async def append(
        self, stream: str, chunks: Sequence[str], *, attempt: int = 1, closed: bool = False, at: int | None = None
    ) -> int:
        return await self._call(  # type: ignore[no-any-return]
            "append", stream=stream, chunks=list(chunks), attempt=attempt, closed=closed, at=at
        )

    async def read(self, stream: str, offset: int = 0, *, wait: float = 0.0) -> Chunks:
        return await self._call("read", stream=stream, offset=offset, wait=wait)  # type: ignore[no-any-return]

    async def follow(self, stream: str, offset: int = 0) -> AsyncIterator[Chunk]:
        while True:
            found = await self.read(stream, offset, wait=20.0)
            for chunk in found.chunks:
                yield chunk
            offset = found.next
            if found.closed:
                return

    # -- approvals

    async def ask_approval(self, approval: Approval) -> Approval:
        return await self._call("ask_approval", approval=approval)  # type: ignore[no-any-return]

    async def approval(self, approval_id: str, *, wait: float = 0.0) -> Approval:
        return await self._call("approval", approval_id=approval_id, wait=wait)  # type: ignore[no-any-return]

    async def approvals(
        self, *, namespace: str = "", state: ApprovalState | None = None, assignee: str = ""
    ) -> list[Approval]:
        return await self._call(  # type: ignore[no-any-return]
            "approvals", namespace=namespace, state=state, assignee=assignee
        )

    async def decide(self, approval_id: str, decision: Decision) -> Approval:
        return await self._call("decide", approval_id=approval_id, decision=decision)  # type: ignore[no-any-return]

    async def cancel_approval(self, approval_id: str, *, reason: str = "") -> Approval:
        return await self._call("cancel_approval", approval_id=approval_id, reason=reason)  # type: ignore[no-any-return]

    async def sign(self, approval_id: str, choice: str, *, by: str, ttl: float = 604_800.0) -> Signed:
        return await self._call("sign", approval_id=approval_id, choice=choice, by=by, ttl=ttl)  # type: ignore[no-any-return]

    # -- the connection

    async def close(self) -> None:
        await self._pool.close()

    async def __aenter__(self) -> HttpLedger:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


def _hashed(result: Result) -> Result:
    """What is to be kept as a digest does not leave this process whole."""
    if result.record == "full" or not (result.prompt or result.answer):
        return result
    return replace(result, prompt=kept(result.record, result.prompt), answer=kept(result.record, result.answer))
