"""Responses kept for whoever asks the same: by the digest that the client computes, per namespace."""

from __future__ import annotations

import json

from outlive.clock import Clock
from outlive.ledger.errors import BadRequest
from outlive.ledger.store.port import Database
from outlive.ledger.types import Cached, Tokens
from outlive.ledger.wire import dump, load
from outlive.limits import CACHE_BYTES_MAX, CACHE_VALUE_MAX, MS

_PUT = (
    "INSERT INTO response (namespace, digest, value, stored_at, expires_at, used_at, hits, cost, usage, model, size)"
    " VALUES (?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?) ON CONFLICT (namespace, digest) DO UPDATE SET value = excluded.value,"
    " stored_at = excluded.stored_at, expires_at = excluded.expires_at, used_at = excluded.used_at,"
    " cost = excluded.cost, usage = excluded.usage, model = excluded.model, size = excluded.size"
)
_NO_TOKENS = Tokens()


class Cache:
    """`room` is how many bytes one namespace may keep; the least recently used responses go first."""

    def __init__(self, database: Database, clock: Clock, room: int = CACHE_BYTES_MAX) -> None:
        self._database = database
        self._clock = clock
        self._room = room
        self._sizes: dict[str, int] = {}  # of each namespace, as far as it has been asked; at least what is there

    async def cache_get(self, namespace: str, digest: str) -> Cached | None:
        rows = await self._database.read(
            "SELECT value, stored_at, expires_at, hits, cost, usage, model FROM response"
            " WHERE namespace = ? AND digest = ?",
            (namespace, digest),
        )
        if not rows:
            return None
        value, stored_at, expires_at, hits, cost, usage, model = rows[0]
        now = self._clock.now() // MS
        if expires_at and expires_at <= now:
            self._database.write(
                "DELETE FROM response WHERE namespace = ? AND digest = ? AND expires_at = ?",
                (namespace, digest, expires_at),
            )
            return None
        self._database.write(
            "UPDATE response SET hits = hits + 1, used_at = ? WHERE namespace = ? AND digest = ?",
            (now, namespace, digest),
        )
        return Cached(bytes(value), stored_at, expires_at, hits + 1, cost, load(Tokens, json.loads(usage)), model)

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
        if not digest or len(digest) > 200:
            raise BadRequest("a cached response needs a digest of 1 to 200 characters.")
        if len(value) > CACHE_VALUE_MAX:
            raise BadRequest(f"a response of {len(value)} bytes is more than the {CACHE_VALUE_MAX} that are kept.")
        if ttl is not None and ttl <= 0:
            raise BadRequest(f"ttl is {ttl}, and must be more than 0 seconds.")
        now = self._clock.now() // MS
        expires_at = now + round(ttl * 1000) if ttl is not None else 0
        kept = (namespace, digest, value, now, expires_at, now, cost, json.dumps(dump(usage)), model, len(value))
        await self._make_room(namespace, len(value), now)
        await self._database.write(_PUT, kept)

    async def _make_room(self, namespace: str, size: int, now: int) -> None:
        if namespace not in self._sizes:
            rows = await self._database.scan(
                "SELECT coalesce(sum(size), 0) FROM response WHERE namespace = ?", (namespace,)
            )
            self._sizes.setdefault(namespace, int(rows[0][0]))
        self._sizes[namespace] += size
        if self._sizes[namespace] <= self._room:
            return
        # what a replaced response took was counted too: look again before anything is thrown out
        rows = await self._database.scan(
            "SELECT digest, size, expires_at FROM response WHERE namespace = ? ORDER BY used_at DESC", (namespace,)
        )
        total, gone = size, []
        for digest, length, expires_at in rows:
            total += length
            if total > self._room * 9 // 10 or (expires_at and expires_at <= now):
                total -= length
                gone.append((namespace, digest))
        self._sizes[namespace] = total
        if gone:
            self._database.write("DELETE FROM response WHERE namespace = ? AND digest = ?", *gone)

    async def cache_clear(self, namespace: str) -> int:
        rows = await self._database.scan("SELECT count(*) FROM response WHERE namespace = ?", (namespace,))
        self._sizes[namespace] = 0
        await self._database.write("DELETE FROM response WHERE namespace = ?", (namespace,))
        return int(rows[0][0])
