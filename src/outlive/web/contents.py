"""Payloads whose bytes are in a store of contents (outlive.ai.contents): fetched, to be shown as what they are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Final

from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent

from outlive.base_errors import OutliveError
from outlive.web.views import fields
from outlive.web.views.fold import attributes

if TYPE_CHECKING:
    from outlive.ai.contents import ContentsCodec
    from outlive.ledger.interface import Ledger

ENCODING: Final = b"binary/outlive"
Whole = Callable[[Payload], Awaitable[Payload]]


class Contents:
    """Where they are: a ``place`` as ``store_at`` takes it, else the ledger; neither: payloads stay as they are."""

    def __init__(self, place: str = "", ledger: Ledger | None = None) -> None:
        self._place = place
        self._ledger = ledger
        self._codec: ContentsCodec | None = None

    async def whole(self, payload: Payload) -> Payload:
        """The payload as it was before it was stored; as it is, where its store does not have it or is not known."""
        if payload.metadata.get("encoding") != ENCODING or not (self._place or self._ledger):
            return payload
        try:
            (found,) = await self._opened().decode([payload])
        except OutliveError:
            return payload
        return found

    def _opened(self) -> ContentsCodec:
        """The codec, made when the first such payload is met: few pages have one, and its imports take a while."""
        if self._codec is None:
            from outlive.ai.contents import ContentsCodec, LedgerStore, store_at

            store = store_at(self._place) if self._place else LedgerStore(self._ledger)  # type: ignore[arg-type]
            self._codec = ContentsCodec(store)
        return self._codec


async def fetch_into(events: Iterable[HistoryEvent | None], whole: Whole) -> None:
    """Put whole payloads in the place of those that only refer to a store."""
    for event in events:
        message = attributes(event) if event is not None else None
        if message is None:
            continue
        for _, value in list(fields.leaves(message)):
            if isinstance(value, Payload) and value.metadata.get("encoding") == ENCODING:
                value.CopyFrom(await whole(value))
