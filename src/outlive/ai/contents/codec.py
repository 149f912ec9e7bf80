"""The payload codec: large payloads go to a store in pieces, and about a hundred bytes into the history."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from outlive.ai.contents.errors import ContentDamaged, ContentsError
from outlive.ai.contents.memory import Held, Names, Recent
from outlive.ai.contents.packed import Packed, is_packed, mark, packed, unpacked
from outlive.ai.contents.parents import parent_of
from outlive.ai.contents.seal import Seal
from outlive.ai.contents.splitting import pieces
from outlive.ai.contents.squeeze import expanded, squeezed
from outlive.ai.contents.store import Owner, Store
from outlive.ai.contents.tree import Item, Kind, Malformed, folded, read
from outlive.limits import CONTENTS_NESTING, CONTENTS_THRESHOLD, CONTENTS_UNPACKED_MAX

_NOBODY: Final[tuple[Owner, ...]] = ()


class ContentsCodec(PayloadCodec, WithSerializationContext):
    """Payloads of `threshold` bytes and more are stored in pieces, each piece once.

    `then` is a codec for what remains in the history, such as one that encrypts: it comes after this one on the way
    out. It sees no piece; `key` seals those (see Seal). What belongs to no workflow (an activity of its own, a Nexus
    operation) stays as it is, since nobody could say when it may go.

    Decoding raises ContentMissing, ContentDamaged, ContentsError.
    """

    def __init__(
        self,
        store: Store,
        *,
        threshold: int = CONTENTS_THRESHOLD,
        key: bytes | None = None,
        then: PayloadCodec | None = None,
    ) -> None:
        self._store = store
        self._threshold = threshold
        self._seal = Seal(key) if key is not None else None
        self._then = then
        self._recent = Recent()
        self._names = Names()
        self._held = Held()
        self._owners = _NOBODY

    def with_context(self, context: SerializationContext) -> ContentsCodec:
        """The same codec for payloads of one workflow."""
        codec = object.__new__(type(self))
        codec.__dict__.update(self.__dict__)
        codec._owners = _owners(context)
        if isinstance(self._then, WithSerializationContext):
            codec._then = self._then.with_context(context)
        return codec

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Durable in the store once this returns."""
        put: dict[str, bytes] = {}  # pieces by the digest of what is stored of them
        encoded = [self._packed(payload, put) for payload in payloads]
        missing = self._held.missing(self._owners, put)
        if missing:
            await self._store.put({digest: self._stored(put[digest]) for digest in missing}, self._owners)
            self._held.add(self._owners, missing)
        return await self._then.encode(encoded) if self._then else encoded

    def _packed(self, payload: Payload, put: dict[str, bytes]) -> Payload:
        if not self._owners or len(payload.data) < self._threshold or is_packed(payload):
            return payload
        own: dict[str, bytes] = {}

        def keep(data: bytes) -> bytes:
            plain = hashlib.sha256(data).digest()
            digest = self._names.get(plain)
            if digest is None:
                digest = hashlib.sha256(self._stored(data)).digest()
                self._names.put(plain, digest)
            own[digest.hex()] = data
            self._recent.put(digest.hex(), data)
            return digest

        json = payload.metadata.get("encoding", b"").startswith(b"json/")
        items = (
            Item(Kind.LEAF, keep(piece.data)) if piece.apart else Item(Kind.BYTES, piece.data)
            for piece in pieces(payload.data, json=json)
        )
        smaller = packed(self._owners[0], payload, folded(items, keep))
        if smaller.ByteSize() >= payload.ByteSize():
            return payload
        put.update(own)
        return smaller

    def _stored(self, data: bytes) -> bytes:
        """The same bytes for the same bytes: so are the digests."""
        smaller = squeezed(data)
        return self._seal.close(smaller) if self._seal else smaller

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """See the class."""
        given = await self._then.decode(payloads) if self._then else payloads
        decoded = list(given)
        which = [(at, payload) for at, payload in enumerate(given) if is_packed(payload)]
        # one at a time: together they share most of their pieces
        for at, payload in which:
            decoded[at] = await self._unpacked(payload)
        return decoded

    async def _unpacked(self, payload: Payload) -> Payload:
        try:
            parts = unpacked(payload)
            contents = await self._fetched(parts.items)
            data = bytearray()
            _join(parts.items, contents, data)
        except Malformed as error:
            raise ContentsError(
                f"a payload that refers to contents in {self._store.name} is damaged: {error}."
            ) from None
        if len(data) != parts.size:
            raise ContentsError(f"contents in {self._store.name} make up {len(data)} bytes, {parts.size} were stored.")
        await self._hold(parts, list(contents))
        return Payload(metadata=parts.metadata.metadata, data=bytes(data))

    async def _fetched(self, items: Sequence[Item]) -> dict[str, bytes]:
        """Everything that the items refer to, level by level."""
        contents: dict[str, bytes] = {}
        wanted: dict[str, Kind] = {item.data.hex(): item.kind for item in items if item.kind != Kind.BYTES}
        size = 0
        for _ in range(CONTENTS_NESTING):
            if not wanted:
                return contents
            await self._fetch(wanted, contents)
            size += sum(len(contents[digest]) for digest in wanted)
            if size > CONTENTS_UNPACKED_MAX:
                raise Malformed(f"it makes up more than {CONTENTS_UNPACKED_MAX} bytes")
            nodes = [contents[digest] for digest, kind in wanted.items() if kind == Kind.NODE]
            below = (item for node in nodes for item in read(node) if item.kind != Kind.BYTES)
            wanted = {item.data.hex(): item.kind for item in below if item.data.hex() not in contents}
        raise Malformed("it is nested too deep")

    async def _fetch(self, wanted: dict[str, Kind], contents: dict[str, bytes]) -> None:
        asked = []
        for digest in wanted:
            known = self._recent.get(digest)
            if known is None:
                asked.append(digest)
            else:
                contents[digest] = known
        if not asked:
            return
        for digest, stored in (await self._store.get(asked)).items():
            if hashlib.sha256(stored).hexdigest() != digest:
                raise ContentDamaged(digest, self._store.name)
            contents[digest] = expanded(self._seal.open(stored) if self._seal else stored)
            self._recent.put(digest, contents[digest])

    async def _hold(self, parts: Packed, digests: list[str]) -> None:
        """Contents that came from elsewhere, such as a schedule's arguments, are held by who got them as well."""
        missing = self._held.missing(self._owners, digests)
        if missing and parts.mark != mark(self._owners[0]):
            await self._store.keep(missing, self._owners)
        self._held.add(self._owners[:1], missing)


def _owners(context: SerializationContext) -> tuple[Owner, ...]:
    """The workflow whose history the payload goes into, and its parent's, which gets its result."""
    if not isinstance(context, (WorkflowSerializationContext, ActivitySerializationContext)) or not context.workflow_id:
        return _NOBODY
    own = Owner(context.namespace, context.workflow_id)
    parent = parent_of(own) if isinstance(context, WorkflowSerializationContext) else None
    return (own, parent) if parent and parent != own else (own,)


def _join(items: Sequence[Item], contents: dict[str, bytes], out: bytearray) -> None:
    for item in items:
        if item.kind == Kind.BYTES:
            out += item.data
        elif item.kind == Kind.LEAF:
            out += contents[item.data.hex()]
        else:
            _join(list(read(contents[item.data.hex()])), contents, out)
        if len(out) > CONTENTS_UNPACKED_MAX:
            raise Malformed(f"it makes up more than {CONTENTS_UNPACKED_MAX} bytes")
