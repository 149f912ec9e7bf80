"""Where contents lie: in the ledger's own database, in a folder, or in a store that speaks S3. One port."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from outlive.base_errors import StartupError
from outlive.ledger.store.port import Database
from outlive.whole_files import write_whole


class Blobs(Protocol):
    """Bytes by their digest. All of it may be repeated."""

    async def put(self, digest: str, data: bytes) -> bytes | None:
        """Keep the bytes; what is to be kept in the content's row, None where they lie elsewhere."""
        ...

    async def get(self, digest: str) -> bytes | None: ...

    async def delete(self, digest: str) -> None: ...


class OwnBlobs:
    """In the ledger's database, beside the content's row."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, digest: str, data: bytes) -> bytes | None:
        return data

    async def get(self, digest: str) -> bytes | None:
        rows = await self._database.read("SELECT data FROM content WHERE digest = ?", (digest,))
        return bytes(rows[0][0]) if rows and rows[0][0] is not None else None

    async def delete(self, digest: str) -> None:
        """It goes with its row."""


class FolderBlobs:
    """Files in a folder, 256 sub-folders wide. A file is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, digest: str) -> Path:
        return self._folder / digest[:2] / digest

    async def put(self, digest: str, data: bytes) -> bytes | None:
        await asyncio.to_thread(self._write, digest, data)
        return None

    def _write(self, digest: str, data: bytes) -> None:
        path = self._path(digest)
        if path.exists():
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, data, path.with_suffix(f".{os.getpid()}.part"))

    async def get(self, digest: str) -> bytes | None:
        def read() -> bytes | None:
            try:
                return self._path(digest).read_bytes()
            except FileNotFoundError:
                return None

        return await asyncio.to_thread(read)

    async def delete(self, digest: str) -> None:
        await asyncio.to_thread(self._path(digest).unlink, missing_ok=True)


class S3Blobs:
    """Objects in a bucket, by boto3 (`pip install 'outlive[s3]'`), which finds keys where it always does."""

    def __init__(self, bucket: str, prefix: str = "", endpoint: str | None = None) -> None:
        try:
            import boto3
        except ImportError:
            raise StartupError("contents on S3 need one more package: pip install 'outlive[s3]'.") from None
        self._client: Any = boto3.client("s3", endpoint_url=endpoint)
        self._bucket = bucket
        self._prefix = prefix.strip("/")

    def _name(self, digest: str) -> str:
        return f"{self._prefix}/{digest}" if self._prefix else digest

    async def put(self, digest: str, data: bytes) -> bytes | None:
        await asyncio.to_thread(self._client.put_object, Bucket=self._bucket, Key=self._name(digest), Body=data)
        return None

    async def get(self, digest: str) -> bytes | None:
        def read() -> bytes | None:
            try:
                body: bytes = self._client.get_object(Bucket=self._bucket, Key=self._name(digest))["Body"].read()
                return body
            except self._client.exceptions.NoSuchKey:
                return None

        return await asyncio.to_thread(read)

    async def delete(self, digest: str) -> None:
        await asyncio.to_thread(self._client.delete_object, Bucket=self._bucket, Key=self._name(digest))


def blobs_at(place: str, database: Database) -> Blobs:
    """`own` (the database), a folder's path, or `s3://bucket/prefix?endpoint=https://...`. Raises StartupError."""
    if place == "own":
        return OwnBlobs(database)
    if not place.startswith("s3://"):
        return FolderBlobs(Path(place))
    parts = urlsplit(place)
    if not parts.netloc:
        raise StartupError(f"{place} names no bucket: write s3://BUCKET/PREFIX.")
    return S3Blobs(parts.netloc, parts.path, parse_qs(parts.query).get("endpoint", [""])[0] or None)
