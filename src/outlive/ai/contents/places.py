"""Stores by a word, as commands and settings name them."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from outlive.ai.contents.errors import ContentsError
from outlive.ai.contents.ledger import LedgerStore
from outlive.ai.contents.objects import FolderObjects, ObjectStore
from outlive.ai.contents.store import Store


def store_at(place: str) -> Store:
    """The store at a place.

    A folder's path, `s3://BUCKET/PREFIX?endpoint=URL`, `ledger:` (that of OUTLIVE_LEDGER, else the local one) or
    `ledger:URL`. Raises ContentsError.
    """
    if place.startswith("ledger:"):
        from outlive.ledger.client import connect

        return LedgerStore(connect(place.removeprefix("ledger:")))
    if not place.startswith("s3://"):
        if not place or "://" in place:
            raise ContentsError(f"{place!r} is no store: write a folder, s3://BUCKET/PREFIX or ledger:.")
        return ObjectStore(FolderObjects(Path(place)))
    from outlive.ai.contents.s3 import S3Objects

    parts = urlsplit(place)
    if not parts.netloc:
        raise ContentsError(f"{place} names no bucket: write s3://BUCKET/PREFIX.")
    return ObjectStore(S3Objects(parts.netloc, parts.path, parse_qs(parts.query).get("endpoint", [""])[0] or None))
