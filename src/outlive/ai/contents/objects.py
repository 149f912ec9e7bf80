"""A store on anything that keeps named objects, such as a folder or S3.

`contents/ab/abcd...` are the bytes. `owners/NAMESPACE/WORKFLOW/NAME` says what a workflow holds: its id, then digests,
one a line; one object for each time it came to hold something. A content is written again unless this process knows
that it is held: writing renews its age, which keeps a sweep that runs meanwhile from taking it.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from stat import S_ISREG
from typing import Final, NamedTuple, Protocol, TypeVar
from urllib.parse import quote, unquote

from outlive.ai.contents.errors import ContentMissing
from outlive.ai.contents.store import Owner, Swept
from outlive.whole_files import write_whole

_AT_ONCE: Final = 16  # operations under way
_SWEPT: Final = ("contents", "parts")
_DELETED_AT_ONCE: Final = 1000  # S3 takes no more in one request
T = TypeVar("T")
R = TypeVar("R")


class Entry(NamedTuple):
    """An object of a listing."""

    name: str
    changed: float  # Unix seconds
    size: int


class Objects(Protocol):
    """Named objects. The operations block; threads run them."""

    @property
    def name(self) -> str:
        """For messages."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """The object is whole and durable, and its age begins anew, once this returns."""
        ...

    def read(self, name: str) -> bytes | None:
        """None if there is no such object."""
        ...

    def list(self, prefix: str) -> Iterator[Entry]:
        """The objects in the folder of that name and in those below it."""
        ...

    def delete(self, names: Sequence[str]) -> None:
        """They need not be there."""
        ...


class ObjectStore:
    """A `Store` on named objects."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self.name = objects.name

    async def put(self, contents: Mapping[str, bytes], owners: Sequence[Owner]) -> None:
        """See Store. Bytes first, so that what is held is there."""
        await _each(lambda pair: self._objects.write(_content(pair[0]), pair[1]), contents.items())
        await self.keep(list(contents), owners)

    async def keep(self, digests: Sequence[str], owners: Sequence[Owner]) -> None:
        """See Store."""
        lines = sorted(set(digests))
        name = hashlib.sha256("".join(lines).encode()).hexdigest()[:32]

        def write(owner: Owner) -> None:
            self._objects.write(f"{_folder(owner)}/{name}", "\n".join([quote(owner.workflow_id), *lines]).encode())

        await _each(write, owners)

    async def get(self, digests: Sequence[str]) -> dict[str, bytes]:
        """See Store."""

        def read(digest: str) -> tuple[str, bytes]:
            data = self._objects.read(_content(digest))
            if data is None:
                raise ContentMissing(digest, self.name)
            return digest, data

        return dict(await _each(read, digests))

    async def owners(self, namespace: str, before: float) -> list[str]:
        """See Store."""
        return await asyncio.to_thread(self._owners, namespace, before)

    def _owners(self, namespace: str, before: float) -> list[str]:
        newest: dict[str, Entry] = {}
        for entry in self._objects.list(f"owners/{quote(namespace, safe='')}"):
            folder = entry.name.rpartition("/")[0]
            if folder not in newest or newest[folder].changed < entry.changed:
                newest[folder] = entry
        found = []
        for entry in newest.values():
            if entry.changed < before and (data := self._objects.read(entry.name)) is not None:
                found.append(_unquoted(data))
        return found

    async def release(self, owners: Sequence[Owner]) -> None:
        """See Store."""

        def delete(owner: Owner) -> None:
            self._delete([entry.name for entry in self._objects.list(_folder(owner))])

        await _each(delete, owners)

    async def sweep(self, before: float, *, dry_run: bool = False) -> Swept:
        """See Store: every owner's list is read."""
        return await asyncio.to_thread(self._sweep, before, dry_run)

    def _sweep(self, before: float, dry_run: bool) -> Swept:
        # Contents before owners: what is held after it was listed has been written again, or its holder is in the list.
        # What is in `parts` was being written by a process that died.
        old = [entry for kind in _SWEPT for entry in self._objects.list(kind) if entry.changed < before]
        held: set[str] = set()
        for entry in self._objects.list("owners"):
            held.update((self._objects.read(entry.name) or b"").decode().splitlines()[1:])
        gone = [entry for entry in old if entry.name.rpartition("/")[2] not in held]
        if gone and not dry_run:
            still = {entry.name for kind in _SWEPT for entry in self._objects.list(kind) if entry.changed < before}
            gone = [entry for entry in gone if entry.name in still]  # the lists took time: some may be new again
            self._delete([entry.name for entry in gone])
        return Swept(len(gone), sum(entry.size for entry in gone))

    def _delete(self, names: list[str]) -> None:
        for at in range(0, len(names), _DELETED_AT_ONCE):
            self._objects.delete(names[at : at + _DELETED_AT_ONCE])


def _content(digest: str) -> str:
    return f"contents/{digest[:2]}/{digest}"


def _folder(owner: Owner) -> str:
    """A workflow's id can be longer than a file's name may be."""
    hashed = hashlib.sha256(owner.workflow_id.encode()).hexdigest()[:32]
    return f"owners/{quote(owner.namespace, safe='')}/{hashed}"


def _unquoted(data: bytes) -> str:
    return unquote(data.decode().split("\n", 1)[0])


async def _each(what: Callable[[T], R], things: Iterable[T]) -> list[R]:
    """Do it for each, several at a time; the first failure ends it."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(thing: T) -> R:
        async with gate:
            return await asyncio.to_thread(what, thing)

    return await asyncio.gather(*(one(thing) for thing in things))


class FolderObjects:
    """Files in a folder. A file is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.name = str(folder)

    def write(self, name: str, data: bytes) -> None:
        """See Objects."""
        path = self._folder / name
        if path.exists():  # its bytes follow from its name
            os.utime(path)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        part = self._folder / "parts" / f"{path.name}.{os.getpid()}.{os.urandom(4).hex()}"
        part.parent.mkdir(exist_ok=True)
        write_whole(path, data, part)

    def read(self, name: str) -> bytes | None:
        """See Objects."""
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None

    def list(self, prefix: str) -> Iterator[Entry]:
        """See Objects."""
        for path in (self._folder / prefix).rglob("*"):
            try:
                found = path.stat()
            except FileNotFoundError:
                continue  # somebody else has removed it
            if S_ISREG(found.st_mode):
                yield Entry(path.relative_to(self._folder).as_posix(), found.st_mtime, found.st_size)

    def delete(self, names: Sequence[str]) -> None:
        """See Objects."""
        for name in names:
            (self._folder / name).unlink(missing_ok=True)
