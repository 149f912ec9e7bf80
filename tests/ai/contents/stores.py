"""Stores for tests: a folder, a bucket over HTTP, a ledger over HTTP."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from outlive.ai.contents import store_at
from outlive.ai.contents.store import Store
from outlive.ledger.http.message import Request, Response
from outlive.ledger.http.server import HttpServer
from outlive.ledger.run import RunningLedger

_NO_KEY = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>"
_PAGE = 3  # keys of one page, so that there are pages


class Bucket:
    """As much of S3 as contents need: objects by name, lists in pages, several deleted at once."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, float]] = {}

    async def answer(self, request: Request) -> Response:
        if not request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 "):
            return Response(401, b"")
        name = unquote(request.path).removeprefix("/bucket").removeprefix("/")
        if request.method == "PUT":
            self.objects[name] = request.body, time.time()
            return Response(200, b"", headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
        if request.method == "POST":
            for key in re.findall(rb"<Key>(.*?)</Key>", request.body):
                self.objects.pop(key.decode(), None)
            return Response(200, b"<DeleteResult/>", "text/xml")
        if not name:
            return Response(200, self._listing(request), "text/xml")
        found = self.objects.get(name)
        return Response(200, found[0], "binary/octet-stream") if found else Response(404, _NO_KEY, "text/xml")

    def _listing(self, request: Request) -> bytes:
        prefix, after = request.query.get("prefix", ""), request.query.get("continuation-token", "")
        names = sorted(name for name in self.objects if name.startswith(prefix) and name > after)
        page = names[:_PAGE]
        rows = "".join(
            f"<Contents><Key>{name}</Key><Size>{len(self.objects[name][0])}</Size><LastModified>"
            f"{datetime.fromtimestamp(self.objects[name][1], UTC).isoformat()}</LastModified></Contents>"
            for name in page
        )
        more = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if len(names) > _PAGE else ""
        truncated = str(bool(more)).lower()
        return f"<ListBucketResult><IsTruncated>{truncated}</IsTruncated>{more}{rows}</ListBucketResult>".encode()


@asynccontextmanager
async def opened(kind: str, folder: Path) -> AsyncIterator[Store]:
    """A store of the kind, empty."""
    if kind == "folder":
        yield store_at(str(folder / "contents"))
    elif kind == "s3":
        server = HttpServer(Bucket().answer, "127.0.0.1", 0)
        await server.start()
        yield store_at(f"s3://bucket/some/where?endpoint=http://127.0.0.1:{server.port}")
        await server.stop(0)
    else:
        running = RunningLedger(folder / "ledger.db", "127.0.0.1", 0)
        await running.start()
        yield store_at(f"ledger:http://127.0.0.1:{running.port}")
        await running.stop(0)
