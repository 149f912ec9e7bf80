"""One POST: what is sent, and what counts as an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from outlive.http_post import post


@asynccontextmanager
async def answering(answer: bytes, seen: Callable[[bytes], None] = lambda data: None) -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_the_request() -> None:
    seen: list[bytes] = []
    async with answering(b"HTTP/1.1 200 OK\r\n\r\n", seen.append) as url:
        assert await post(f"{url.replace('//', '//user:pw@')}/a/b?c=d", [("X-A", "é\tb")], b"") == 200
    host = url.removeprefix("http://")
    assert seen[0].decode() == (
        f"POST /a/b?c=d HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: 0\r\nX-A: é\tb\r\n\r\n"
    )


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.0 500\r\n", 500),
        (b"HTTP/1.1 404 \n", 404),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 201 Created\r\n\r\n", 201),
    ],
)
async def test_answers(answer: bytes, status: int) -> None:
    async with answering(answer) as url:
        assert await post(url, [], b"") == status


@pytest.mark.parametrize(
    "answer",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/2 200\r\n", b"HTTP/1.1 20\r\n", b"x" * 100_000, b"HTTP/1.1 100 C\r\n\r\n" * 50],
)
async def test_what_is_no_answer(answer: bytes) -> None:
    async with answering(answer) as url:
        with pytest.raises(OSError):
            await asyncio.wait_for(post(url, [], b""), 5)


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        ("ftp://127.0.0.1/", []),
        ("http:///x", []),
        ("http://127.0.0.1:1/a b", []),
        ("http://127.0.0.1:1/é", []),
        ("http://127.0.0.1:x/", []),
        ("http://127.0.0.1:1/", [("a b", "c")]),
        ("http://127.0.0.1:1/", [("a", "b\r\nc: d")]),
    ],
)
async def test_what_can_be_no_request(url: str, headers: list[tuple[str, str]]) -> None:
    with pytest.raises(ValueError):
        await post(url, headers, b"")
