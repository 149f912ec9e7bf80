"""A store in the ledger: nothing more to run or to pay for where there is a ledger already."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from outlive.ai.contents.errors import ContentMissing
from outlive.ai.contents.store import Owner, Swept
from outlive.ledger.client import Ledger, NotFound

_AT_ONCE: Final = 16  # requests under way: the ledger commits them together
_MARK: Final = "workflow/"  # of owners that are workflows; others are runs, or names of somebody else


class LedgerStore:
    """A `Store` on a ledger's contents, wherever it keeps them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self.name = "the ledger"

    async def put(self, contents: Mapping[str, bytes], owners: Sequence[Owner]) -> None:
        """See Store."""

        async def put(data: bytes, owner: Owner) -> None:
            async with self._gate:
                await self._ledger.put_content(data, namespace=owner.namespace, owner=_name(owner))

        await asyncio.gather(*(put(data, owners[0]) for data in contents.values()))
        if owners[1:]:
            await self.keep(list(contents), owners[1:])

    async def keep(self, digests: Sequence[str], owners: Sequence[Owner]) -> None:
        """See Store."""
        for owner in owners:
            try:
                await self._ledger.keep_content(digests, namespace=owner.namespace, owner=_name(owner))
            except NotFound as error:
                raise ContentMissing(str(error.details.get("digest", "")), self.name) from None

    async def get(self, digests: Sequence[str]) -> dict[str, bytes]:
        """See Store."""

        async def get(digest: str) -> tuple[str, bytes]:
            async with self._gate:
                try:
                    return digest, await self._ledger.get_content(digest)
                except NotFound:
                    raise ContentMissing(digest, self.name) from None

        return dict(await asyncio.gather(*(get(digest) for digest in digests)))

    async def owners(self, namespace: str, before: float) -> list[str]:
        """See Store."""
        found = await self._ledger.content_owners(namespace, before=round(before * 1000))
        return [each.owner.removeprefix(_MARK) for each in found if each.owner.startswith(_MARK)]

    async def release(self, owners: Sequence[Owner]) -> None:
        """See Store."""
        for owner in owners:
            await self._ledger.release_content(namespace=owner.namespace, owner=_name(owner))

    async def sweep(self, before: float, *, dry_run: bool = False) -> Swept:
        """The ledger does it by itself, an hour after the last owner is gone."""
        return Swept(0, 0)


def _name(owner: Owner) -> str:
    return _MARK + owner.workflow_id
