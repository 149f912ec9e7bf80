"""Contents that do not belong into a history: kept once under their digest, for as long as an owner keeps them.

Rules
- The bytes are kept before the row that names them, and go after it: a row never names what is not there.
- A content that no owner keeps any more goes CONTENT_GRACE after it was last put or kept, so one that is about to be
  kept again is not taken from under it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from outlive.clock import Clock
from outlive.ledger.blobs import Blobs
from outlive.ledger.errors import BadRequest, NotFound
from outlive.ledger.store.port import Database
from outlive.ledger.types import Owner
from outlive.limits import CONTENT_GRACE, CONTENT_MAX, MS

_SWEEP_MAX = 1_000  # contents removed at a time


class Contents:
    """Content-addressed bytes with owners."""

    def __init__(self, database: Database, blobs: Blobs, clock: Clock) -> None:
        self._database = database
        self._blobs = blobs
        self._clock = clock

    async def put_content(self, data: bytes, *, namespace: str = "default", owner: str) -> str:
        if len(data) > CONTENT_MAX:
            raise BadRequest(f"a content of {len(data)} bytes is more than the {CONTENT_MAX} that are kept.")
        _check_owner(owner)
        digest = hashlib.sha256(data).hexdigest()
        now = self._clock.now() // MS
        there = await self._database.read("SELECT 1 FROM content WHERE digest = ?", (digest,))
        kept = None if there else await self._blobs.put(digest, data)
        self._database.write(
            "INSERT INTO content VALUES (?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE SET since = excluded.since",
            (digest, len(data), now, kept),
        )
        await self._own(digest, namespace, owner, now)
        return digest

    async def keep_content(self, digests: Sequence[str], *, namespace: str = "default", owner: str) -> None:
        _check_owner(owner)
        now = self._clock.now() // MS
        for digest in digests:
            if not await self._database.read("SELECT 1 FROM content WHERE digest = ?", (digest,)):
                raise _no_content(digest)
        for digest in digests:
            self._database.write("UPDATE content SET since = ? WHERE digest = ?", (now, digest))
            self._own(digest, namespace, owner, now)
        await self._database.committed()

    def _own(self, digest: str, namespace: str, owner: str, now: int) -> asyncio.Future[None]:
        return self._database.write(
            "INSERT INTO content_owner VALUES (?, ?, ?, ?)"
            " ON CONFLICT (namespace, owner, digest) DO UPDATE SET since = excluded.since",
            (namespace, owner, digest, now),
        )

    async def get_content(self, digest: str) -> bytes:
        data = await self._blobs.get(digest) if len(digest) == 64 and digest.isalnum() else None
        if data is None:
            raise _no_content(digest)
        return data

    async def release_content(self, *, namespace: str = "default", owner: str) -> int:
        rows = await self._database.scan(
            "SELECT count(*) FROM content_owner WHERE namespace = ? AND owner = ?", (namespace, owner)
        )
        await self._database.write("DELETE FROM content_owner WHERE namespace = ? AND owner = ?", (namespace, owner))
        await self.sweep()
        return int(rows[0][0])

    def forget_owner(self, namespace: str, owner: str) -> None:
        """The owner is gone. Nobody waits for it: what it kept goes with the next sweep."""
        self._database.write("DELETE FROM content_owner WHERE namespace = ? AND owner = ?", (namespace, owner))

    async def content_owners(self, namespace: str = "default", *, before: int | None = None) -> list[Owner]:
        rows = await self._database.scan(
            "SELECT o.owner, count(*), sum(c.size), min(o.since) FROM content_owner o"
            " JOIN content c ON c.digest = o.digest WHERE o.namespace = ?"
            " GROUP BY o.owner HAVING max(o.since) < ? ORDER BY min(o.since), o.owner LIMIT 10000",
            (namespace, before if before is not None else 1 << 62),
        )
        return [Owner(namespace, owner, int(count), int(size), int(since)) for owner, count, size, since in rows]

    async def sweep(self) -> int:
        """Remove what nobody has kept for a while; how many contents."""
        before = (self._clock.now() - CONTENT_GRACE) // MS
        rows = await self._database.scan(
            "SELECT digest FROM content WHERE since < ? AND NOT EXISTS"
            f" (SELECT 1 FROM content_owner o WHERE o.digest = content.digest) LIMIT {_SWEEP_MAX}",
            (before,),
        )
        if not rows:
            return 0
        # the statement looks again: one of them may have been kept since it was found
        await self._database.write(
            "DELETE FROM content WHERE digest = ? AND since < ? AND NOT EXISTS"
            " (SELECT 1 FROM content_owner o WHERE o.digest = content.digest)",
            *((digest, before) for (digest,) in rows),
        )
        for (digest,) in rows:
            if not await self._database.read("SELECT 1 FROM content WHERE digest = ?", (digest,)):
                await self._blobs.delete(digest)
        return len(rows)


def _check_owner(owner: str) -> None:
    if not owner or len(owner) > 1000:
        raise BadRequest("a content needs an owner of 1 to 1000 characters, such as a run's id.")


def _no_content(digest: str) -> NotFound:
    return NotFound(f"there is no content {digest[:80]} (any more).", digest=digest)
