"""What a process remembers of a store, so that it asks for less."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

from outlive.ai.contents.store import Owner
from outlive.limits import CONTENTS_CACHED, CONTENTS_HELD_KNOWN, CONTENTS_HELD_MAX, SECOND


class Recent:
    """Contents lately written or read, up to so many bytes: they never change."""

    def __init__(self, limit: int = CONTENTS_CACHED) -> None:
        self._limit = limit
        self._size = 0
        self._contents: OrderedDict[str, bytes] = OrderedDict()

    def get(self, digest: str) -> bytes | None:
        data = self._contents.get(digest)
        if data is not None:
            self._contents.move_to_end(digest)
        return data

    def put(self, digest: str, data: bytes) -> None:
        if digest not in self._contents:
            self._size += len(data)
        self._contents[digest] = data
        self._contents.move_to_end(digest)
        while self._size > self._limit:
            self._size -= len(self._contents.popitem(last=False)[1])


class Names:
    """Under which digest bytes are stored, by their own: who knows it need not compress and seal them again."""

    def __init__(self, limit: int = CONTENTS_HELD_MAX) -> None:
        self._limit = limit
        self._names: OrderedDict[bytes, bytes] = OrderedDict()

    def get(self, plain: bytes) -> bytes | None:
        return self._names.get(plain)

    def put(self, plain: bytes, stored: bytes) -> None:
        self._names[plain] = stored
        while len(self._names) > self._limit:
            self._names.popitem(last=False)


class Held:
    """What owners are known to hold. Only for a while: a workflow may end, be collected, and come again by its id."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: OrderedDict[tuple[Owner, str], float] = OrderedDict()

    def missing(self, owners: Sequence[Owner], digests: Iterable[str]) -> list[str]:
        """The digests that are not known to be held by each of these."""
        now = self._clock()
        return [
            digest
            for digest in digests
            if any(self._until.get((owner, digest), now) <= now for owner in owners)
        ]  # fmt: skip

    def add(self, owners: Sequence[Owner], digests: Iterable[str]) -> None:
        until = self._clock() + CONTENTS_HELD_KNOWN / SECOND
        for digest in digests:
            for owner in owners:
                self._until[owner, digest] = until
                self._until.move_to_end((owner, digest))
        while len(self._until) > CONTENTS_HELD_MAX:
            self._until.popitem(last=False)
