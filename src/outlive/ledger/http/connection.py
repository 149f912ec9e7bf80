"""The client's side of HTTP/1.1: connections that stay open, used one request at a time."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Final
from urllib.parse import urlsplit

IDLE_MAX: Final = 64  # connections kept for the next requests


class Unanswered(Exception):
    """Nobody answered. `sent`: the request may have arrived all the same."""

    def __init__(self, why: str, *, sent: bool) -> None:
        super().__init__(why)
        self.sent = sent


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.used = False


class Pool:
    """Requests to one address, such as `http://127.0.0.1:9233` or `https://ledger.example/outlive`."""

    def __init__(self, address: str, headers: dict[str, str] | None = None) -> None:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{address!r} is not an address of a ledger, such as http://127.0.0.1:9233")
        self._host = parts.hostname
        self._tls = ssl.create_default_context() if parts.scheme == "https" else None
        self._port = parts.port or (443 if self._tls else 80)
        self._prefix = parts.path.rstrip("/")
        more = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        self._head = f"Host: {parts.netloc}\r\n{more}"
        self._idle: deque[_Connection] = deque()

    async def request(self, method: str, path: str, body: bytes = b"", *, timeout: float) -> tuple[int, bytes]:
        """Status and body of the answer. Raises Unanswered."""
        while True:
            connection = self._idle.pop() if self._idle else await self._connect(timeout)
            try:
                async with asyncio.timeout(timeout):
                    status, answer, keep = await self._exchange(connection, method, path, body)
            except (OSError, EOFError, ValueError, asyncio.IncompleteReadError) as error:
                connection.writer.close()
                if connection.used and not isinstance(error, TimeoutError):
                    continue  # the other side had closed it while it was idle
                why = "no answer in time" if isinstance(error, TimeoutError) else str(error) or "cut off"
                raise Unanswered(why, sent=True) from None
            except BaseException:
                connection.writer.close()
                raise
            if keep and len(self._idle) < IDLE_MAX:
                connection.used = True
                self._idle.append(connection)
            else:
                connection.writer.close()
            return status, answer

    async def _connect(self, timeout: float) -> _Connection:
        try:
            async with asyncio.timeout(min(timeout, 10.0)):
                reader, writer = await asyncio.open_connection(self._host, self._port, ssl=self._tls)
        except OSError as error:
            why = "no connection in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
            raise Unanswered(why, sent=False) from None
        return _Connection(reader, writer)

    async def _exchange(self, connection: _Connection, method: str, path: str, body: bytes) -> tuple[int, bytes, bool]:
        head = f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._head}Content-Length: {len(body)}\r\n\r\n"
        connection.writer.write(head.encode("latin-1") + body)
        lines = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split(" ", 2)[1])
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        keep = headers.get("connection", "").lower() != "close"
        if "content-length" in headers:
            answer = await connection.reader.readexactly(int(headers["content-length"]))
        elif status == 204:
            answer = b""
        else:
            answer, keep = await connection.reader.read(), False
        return status, answer, keep

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().writer.close()
