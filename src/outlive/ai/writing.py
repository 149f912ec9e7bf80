"""Tokens on their way to the ledger's streams: together as they come, never slower than a reader notices."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Final

from outlive.ledger.client import Conflict, Ledger, LedgerError

_GATHER: Final = 0.02  # seconds that pieces are gathered before they are sent together


class StreamWriter:
    """Writes one attempt's text to a stream, in the background. A reader does without what cannot be written."""

    def __init__(self, ledger: Ledger, stream: str, attempt: int) -> None:
        self._ledger = ledger
        self._stream = stream
        self._attempt = attempt
        self._held: list[str] = []
        self._sent = 0
        self._more = asyncio.Event()
        self._ending = False
        self._task: asyncio.Task[None] | None = None

    def write(self, text: str) -> None:
        """Add a piece."""
        self._held.append(text)
        self._more.set()

    async def _run(self) -> None:
        while not self._ending:
            await self._more.wait()
            self._more.clear()
            await self._send()
            await asyncio.sleep(_GATHER)

    async def _send(self, closed: bool = False) -> None:
        chunks = list(self._held)
        if not chunks and not closed:
            return
        try:
            await self._ledger.append(self._stream, chunks, attempt=self._attempt, closed=closed, at=self._sent)
        except Conflict:  # a later attempt writes already
            self._ending = True
            return
        except LedgerError:
            return  # sent with the next ones
        del self._held[: len(chunks)]
        self._sent += len(chunks)

    async def __aenter__(self) -> StreamWriter:
        self._task = asyncio.create_task(self._run(), name="outlive-stream")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        if kind is not asyncio.CancelledError:
            await self._send(closed=kind is None)  # a failed attempt leaves it open for the next one
