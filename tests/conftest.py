"""A real server for every test that wants one: real gRPC, real SQLite, a free port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from outlive.config import ServerConfig
from outlive.server import Server

ATTRIBUTES = {
    "CustomKeywordField": "Keyword",
    "CustomTextField": "Text",
    "CustomIntField": "Int",
    "CustomDoubleField": "Double",
    "CustomBoolField": "Bool",
    "CustomDatetimeField": "Datetime",
    "CustomKeywordListField": "KeywordList",
}


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server on a file of its own."""
    server = Server(ServerConfig(port=0, database=tmp_path / "outlive.db", search_attributes=ATTRIBUTES))
    await server.start()
    yield server
    await server.stop(0)


@pytest.fixture
async def client(server: Server) -> Client:
    """The official SDK's client of it."""
    return await Client.connect(f"127.0.0.1:{server.port}")
