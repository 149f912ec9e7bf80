"""Contents on a store that speaks S3, through boto3, over real HTTP."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from outlive.ledger.client import NotFound
from outlive.ledger.http.message import Request, Response
from outlive.ledger.http.server import HttpServer
from outlive.ledger.service import Service
from outlive.ledger.store.sqlite import SqliteDatabase

pytest.importorskip("boto3", reason="no boto3 here: pip install 'outlive[s3]'")

NO_KEY = b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code><Message>none</Message></Error>"


class Bucket:
    """As much of S3 as contents need: objects by name."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.signed = 0

    async def answer(self, request: Request) -> Response:
        self.signed += request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 ")
        if request.method == "PUT":
            self.objects[request.path] = request.body
            return Response(200, b"", headers={"ETag": f'"{hashlib.md5(request.body).hexdigest()}"'})
        if request.method == "DELETE":
            self.objects.pop(request.path, None)
            return Response(204)
        found = self.objects.get(request.path)
        return Response(200, found, "binary/octet-stream") if found is not None else Response(404, NO_KEY, "text/xml")


@pytest.fixture
async def bucket() -> AsyncIterator[tuple[Bucket, str]]:
    bucket = Bucket()
    server = HttpServer(bucket.answer, "127.0.0.1", 0)
    await server.start()
    yield bucket, f"s3://models/outlive?endpoint=http://127.0.0.1:{server.port}"
    await server.stop(0)


async def test_contents_lie_in_the_bucket(
    bucket: tuple[Bucket, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, place = bucket
    for name, value in (("ACCESS_KEY_ID", "k"), ("SECRET_ACCESS_KEY", "s"), ("DEFAULT_REGION", "us-east-1")):
        monkeypatch.setenv(f"AWS_{name}", value)
    async with Service(SqliteDatabase(tmp_path / "l.db"), contents=place) as service:
        data = b"a document" * 1000
        digest = await service.put_content(data, owner="run")
        assert kept.objects == {f"/models/outlive/{digest}": data}
        assert await service.get_content(digest) == data
        assert kept.signed == 2
        with pytest.raises(NotFound):
            await service.get_content("0" * 64)
