"""Streams: what a call says while it is under way, in pieces that are numbered across its attempts.

Rules
- A larger attempt replaces what smaller ones have sent: readers who come later do not see it any more, and those who
  were there see the number of the attempt change. A smaller attempt that still writes is refused.
- A piece is shown when it is on disk, so that a number never means two things.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from outlive.clock import Clock
from outlive.ledger.errors import BadRequest, Conflict
from outlive.ledger.store.port import Database
from outlive.ledger.types import Chunk, Chunks
from outlive.limits import LEDGER_WAIT_MAX, MS, SECOND, STREAM_CHUNKS_MAX, STREAM_KEPT, STREAM_READ_MAX

_PUT = (
    "INSERT INTO stream VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET next = excluded.next,"
    " attempt = excluded.attempt, began = excluded.began, first = excluded.first, closed = excluded.closed,"
    " used_at = excluded.used_at"
)
_FOLLOW_WAIT = 20.0  # seconds of one wait of `follow`


@dataclass(slots=True)
class _Stream:
    next: int = 0
    attempt: int = 0
    began: int = 0  # where the attempt that counts began
    first: int = 0  # the oldest piece that is kept
    closed: bool = False
    used_at: int = 0


class Streams:
    """All streams. Those in use are known here; the rest is in the database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._streams: dict[str, _Stream] = {}
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}

    async def append(
        self, stream: str, chunks: Sequence[str], *, attempt: int = 1, closed: bool = False, at: int | None = None
    ) -> int:
        if not stream or len(stream) > 1000:
            raise BadRequest("a stream needs a name of 1 to 1000 characters.")
        if attempt < 1:
            raise BadRequest(f"attempt is {attempt}, and must be 1 or more.")
        state = await self._state(stream) or self._streams.setdefault(stream, _Stream())
        new = _beyond(state, chunks, attempt, at)
        if attempt > state.attempt:
            state.attempt, state.began, state.closed = attempt, state.next, False
        elif state.closed and new:
            raise Conflict(f"stream {stream} is closed.", attempt=state.attempt)
        now = self._clock.now() // MS
        rows = [(stream, state.next + place, attempt, data, now) for place, data in enumerate(new)]
        state.next += len(new)
        state.closed = state.closed or closed
        state.used_at = now
        if rows:
            self._database.write("INSERT INTO chunk VALUES (?, ?, ?, ?, ?)", *rows)
        if state.next - state.first > STREAM_CHUNKS_MAX * 11 // 10:
            state.first = state.next - STREAM_CHUNKS_MAX
            self._database.write("DELETE FROM chunk WHERE stream = ? AND place < ?", (stream, state.first))
        values = (state.next, state.attempt, state.began, state.first, int(state.closed), now)
        after = state.next
        await self._database.write(_PUT, (stream, *values))
        for woken in self._waiters.pop(stream, ()):
            if not woken.done():
                woken.set_result(None)
        return after

    async def read(self, stream: str, offset: int = 0, *, wait: float = 0.0) -> Chunks:
        if offset < 0:
            raise BadRequest(f"offset is {offset}, and must not be negative.")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(wait, LEDGER_WAIT_MAX / SECOND)
        while True:
            woken: asyncio.Future[None] = loop.create_future()
            self._waiters.setdefault(stream, set()).add(woken)  # before looking: nothing slips in between
            try:
                found = await self._look(stream, offset)
                left = deadline - loop.time()
                if found.chunks or found.closed or left <= 0:
                    return found
                await asyncio.wait({woken}, timeout=left)
            finally:
                waiting = self._waiters.get(stream)
                if waiting is not None:
                    waiting.discard(woken)
                    if not waiting:
                        del self._waiters[stream]

    async def _look(self, stream: str, offset: int) -> Chunks:
        state = await self._state(stream)
        if state is None:
            return Chunks(next=offset)
        start = max(offset, state.began, state.first)
        rows = await self._database.read(
            "SELECT place, attempt, data, at FROM chunk WHERE stream = ? AND place >= ?"
            f" ORDER BY place LIMIT {STREAM_READ_MAX}",
            (stream, start),
        )
        chunks = tuple(Chunk(*row) for row in rows)
        after = chunks[-1].offset + 1 if chunks else start
        return Chunks(chunks, after, state.attempt, state.closed and after >= state.next, state.first)

    async def follow(self, stream: str, offset: int = 0) -> AsyncIterator[Chunk]:
        while True:
            found = await self.read(stream, offset, wait=_FOLLOW_WAIT)
            for chunk in found.chunks:
                yield chunk
            offset = found.next
            if found.closed:
                return

    async def _state(self, stream: str) -> _Stream | None:
        state = self._streams.get(stream)
        if state is not None:
            return state
        rows = await self._database.read(
            "SELECT next, attempt, began, first, closed, used_at FROM stream WHERE name = ?", (stream,)
        )
        if not rows:
            return self._streams.get(stream)
        next_, attempt, began, first, closed, used_at = rows[0]
        return self._streams.setdefault(stream, _Stream(next_, attempt, began, first, bool(closed), used_at))

    async def sweep(self) -> None:
        """Forget the streams that nobody has added to for STREAM_KEPT."""
        before = (self._clock.now() - STREAM_KEPT) // MS
        for name, state in list(self._streams.items()):
            if state.used_at < before or (state.closed and name not in self._waiters):
                del self._streams[name]
        rows = await self._database.scan("SELECT name FROM stream WHERE used_at < ? LIMIT 10000", (before,))
        if rows:
            self._database.write("DELETE FROM chunk WHERE stream = ?", *rows)
            await self._database.write("DELETE FROM stream WHERE name = ?", *rows)


def _beyond(state: _Stream, chunks: Sequence[str], attempt: int, at: int | None) -> Sequence[str]:
    """The chunks that are not there yet. Raises Conflict for an attempt that has been replaced, or for a gap."""
    if attempt < state.attempt:
        raise Conflict(
            f"attempt {attempt} of the stream has been replaced by attempt {state.attempt}.", attempt=state.attempt
        )
    if at is None:
        return chunks
    sent = state.next - state.began if attempt == state.attempt else 0
    if at > sent:
        raise Conflict(f"attempt {attempt} has sent {sent} chunks, and not {at}: send those between first.", sent=sent)
    return chunks[sent - at :]
