"""The service over real HTTP: secrets, bad requests, streams of events, files, and the page behind a link."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from outlive.ledger.client import (
    Approval,
    Call,
    HttpLedger,
    LedgerUnreachable,
    Price,
    Result,
    Tokens,
    Unauthorized,
    in_process,
)
from outlive.ledger.http.routes import Routes
from outlive.ledger.http.server import HttpServer
from outlive.ledger.service import Service


@pytest.fixture
async def service(tmp_path: Path) -> AsyncIterator[Service]:
    async with in_process(tmp_path / "ledger.db") as service:
        yield service


@pytest.fixture
async def address(service: Service) -> AsyncIterator[str]:
    server = HttpServer(Routes(service, "s3cret").answer, "127.0.0.1", 0)
    await server.start()
    yield f"http://127.0.0.1:{server.port}"
    await server.stop(0)


@pytest.fixture
async def http(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": "Bearer s3cret"}) as client:
        yield client


async def test_a_secret_is_asked_for(address: str) -> None:
    for secret in ("", "wrong"):
        async with HttpLedger(address, secret) as ledger:
            with pytest.raises(Unauthorized):
                await ledger.quotas()
    async with HttpLedger(address, "s3cret") as ledger:
        assert await ledger.quotas() == []
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(f"{address}/healthz")).json()["status"] == "ok"


async def test_other_sites_pages_are_not_answered(service: Service) -> None:
    server = HttpServer(Routes(service).answer, "127.0.0.1", 0)
    await server.start()
    own = f"127.0.0.1:{server.port}"
    async with httpx.AsyncClient(base_url=f"http://{own}") as browser:
        for host, origin, status in (
            (own, None, 200),
            (own, f"http://{own}", 200),
            (own, "https://elsewhere.example", 401),
            (own, "null", 401),
            ("rebound.example", "http://rebound.example", 401),
        ):
            headers = {"Host": host, **({"Origin": origin} if origin else {})}
            assert (await browser.post("/v1/quotas", headers=headers)).status_code == status
    await server.stop(0)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/v1/reserve", "not json", 400, "not JSON"),
        ("/v1/reserve", "[]", 400, "object"),
        ("/v1/reserve", "{}", 400, "needs call"),
        ("/v1/reserve", '{"call": {"key": "k"}}', 400, "lacks model"),
        ("/v1/reserve", '{"call": {"key": "k", "model": 7}}', 400, "call.model must be text"),
        ("/v1/reserve", '{"call": {"key": "k", "model": "m", "attempt": 1e400}}', 400, "whole number"),
        ("/v1/reserve", '{"call": {"key": "k", "model": "m", "attempt": 99999999999999999999}}', 400, "out of range"),
        ("/v1/reserve", '{"call": {"key": "k", "model": "m", "estimate": {"input": -5}}}', 400, "negative"),
        ("/v1/costs", '{"by": "colour"}', 400, "one of"),
        ("/v1/cache_put", '{"namespace": "n", "digest": "d", "value": "***"}', 400, "base64"),
        ("/v1/put_quota", '{"quota": {"name": "q"}}', 400, "limits nothing"),
        ("/v1/nothing", "{}", 404, "nothing at"),
        ("/v1/attempt", '{"key": "never"}', 404, "no attempt"),
    ],
)
async def test_what_is_wrong_is_said(http: httpx.AsyncClient, path: str, body: str, status: int, words: str) -> None:
    answer = await http.post(path, content=body)
    assert answer.status_code == status
    assert words in answer.json()["error"]["message"]
    assert (await http.get("/healthz")).status_code == 200


async def test_text_that_databases_refuse_does_no_harm(http: httpx.AsyncClient) -> None:
    text = '{"stream": "s", "chunks": ["a\\u0000b", "\\ud800"]}'
    assert (await http.post("/v1/append", content=text)).status_code == 200
    read = (await http.post("/v1/read", json={"stream": "s"})).json()["result"]
    assert [chunk["data"] for chunk in read["chunks"]] == ["a\ufffdb", "\ufffd"]


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/2.0\r\n\r\n",
        b"POST /v1/read HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST /v1/read HTTP/1.1\r\nContent-Length: 999999999999\r\n\r\n",
        b"POST /v1/read HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"GET /" + b"x" * 20_000,
        bytes(range(256)) * 80,
    ],
)
async def test_noise_ends_its_connection_alone(address: str, http: httpx.AsyncClient, sent: bytes) -> None:
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)
    writer.write_eof()
    assert (await asyncio.wait_for(reader.read(), 10)).startswith((b"HTTP/1.1 4", b""))
    writer.close()
    assert (await http.get("/healthz")).status_code == 200


async def test_a_stream_of_events_resumes_where_it_was_cut(service: Service, http: httpx.AsyncClient) -> None:
    await service.append("chat/1", ["Hel", "lo"])

    async def events(last: str = "") -> list[tuple[str, str]]:
        found, kind, number = [], "", ""
        headers = {"Last-Event-ID": last} if last else {}
        async with http.stream("GET", "/v1/streams/chat/1", headers=headers) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            async for line in answer.aiter_lines():
                if line.startswith("id: "):
                    number = line[4:]
                elif line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: ") and kind == "chunk":
                    found.append((number, json.loads(line[6:])["data"]))
                    if len(found) == 2 and not last:
                        return found
        return found

    assert await asyncio.wait_for(events(), 10) == [("1", "Hel"), ("2", "lo")]
    rest = asyncio.create_task(events("1"))
    await asyncio.sleep(0.05)
    await service.append("chat/1", [" there"], closed=True)
    assert await asyncio.wait_for(rest, 10) == [("2", "lo"), ("3", " there")]


async def test_the_book_as_a_file(service: Service, http: httpx.AsyncClient) -> None:
    price = Price(1_000_000_000, 1_000_000_000)
    for number in range(3):
        call = Call(key=f"k{number}", model="=cmd()", run=f"r{number % 2}", price=price)
        await service.record(call, Result(usage=Tokens(10, 5)))
    answer = await http.get("/v1/attempts.csv", params={"run": "r0"})
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["key"] for row in rows] == ["k2", "k0"]
    assert rows[0]["cost"] == "15000"
    assert rows[0]["model"] == "'=cmd()", "no formula for a spreadsheet"
    assert (await http.get("/v1/attempts.csv", params={"colour": "red"})).status_code == 400
    parquet = pytest.importorskip("pyarrow.parquet")
    answer = await http.get("/v1/attempts.parquet")
    table = parquet.read_table(io.BytesIO(answer.content))
    assert table.column("cost").to_pylist() == [15000] * 3


async def test_the_page_behind_a_link_decides_when_it_is_sent_not_when_it_is_looked_at(
    service: Service, address: str
) -> None:
    await service.ask_approval(Approval("a", "Send <b>it</b>?", details={"to": "<script>"}))
    link = await service.sign("a", "approve", by="ann")
    async with httpx.AsyncClient(base_url=address) as browser:  # without the secret
        page = await browser.get(link.path)
        assert page.status_code == 200
        assert "<script>" not in page.text
        assert "Send &lt;b&gt;" in page.text
        assert (await service.approval("a")).state == "open"
        done = await browser.post(link.path, data={"reason": "looks & right"})
        assert "Recorded" in done.text
        decided = await service.approval("a")
        assert (decided.state, decided.decided_by, decided.reason) == ("approved", "ann", "looks & right")
        other = await service.sign("a", "reject", by="bob")
        assert (await browser.post(other.path)).status_code == 409
        assert (await browser.get(link.path[:-3])).status_code == 401


async def test_nobody_answers(unused_tcp_port: int) -> None:
    async with HttpLedger(f"http://127.0.0.1:{unused_tcp_port}") as ledger:
        with pytest.raises(LedgerUnreachable, match="outlive ledger"):
            await ledger.quotas()
