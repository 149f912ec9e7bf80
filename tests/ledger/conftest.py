"""Ledgers for tests: in this process and over HTTP, on SQLite and on a real PostgreSQL where there is one."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from outlive.ledger.client import HttpLedger, Ledger
from outlive.ledger.http.routes import Routes
from outlive.ledger.http.server import HttpServer
from outlive.ledger.service import Service
from outlive.ledger.store.port import Database
from outlive.ledger.store.postgres import PostgresDatabase
from outlive.ledger.store.sqlite import SqliteDatabase

Open = Callable[[], Database]


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a PostgreSQL server that lives as long as the test run."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
    binaries = found[-1].parent if found else None
    if binaries is None and (there := shutil.which("postgres")):
        binaries = Path(there).parent
    if binaries is None:
        pytest.skip("no PostgreSQL here: install Debian's package `postgresql` to run these")
    pytest.importorskip("psycopg", reason="no psycopg here: pip install 'outlive[postgres]'")
    folder = tmp_path_factory.mktemp("postgres")
    prefix = _as_somebody(folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    data = folder / "data"

    def run(*command: str | Path) -> None:
        subprocess.run([*prefix, *command], check=True, capture_output=True, timeout=60)

    run(binaries / "initdb", "-D", data, "-U", "outlive", "-A", "trust", "-N")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
    run(binaries / "pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "start")
    server = int((data / "postmaster.pid").read_text().split()[0])
    try:
        yield f"postgresql://outlive@127.0.0.1:{port}"
    finally:
        os.kill(server, signal.SIGQUIT)


def _as_somebody(folder: Path) -> list[str]:
    """What goes before a command: PostgreSQL refuses root, so it runs as the user that Debian's package made."""
    if os.getuid() != 0:
        return []
    try:
        owner = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("PostgreSQL does not run as root, and there is no user postgres")
    os.chown(folder, owner.pw_uid, owner.pw_gid)
    for parent in folder.parents:
        if parent.stat().st_uid == os.getuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)
    return ["runuser", "-u", "postgres", "--"]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Makes a database object; each one that is made has the same data."""
    if request.param == "sqlite":
        return lambda: SqliteDatabase(tmp_path / "ledger.db")
    import psycopg

    address = request.getfixturevalue("postgres")
    name = f"t{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(f"{address}/postgres", autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name}".encode())
        admin.execute(f"CREATE DATABASE {name}".encode())
    return lambda: PostgresDatabase(f"{address}/{name}")


@pytest.fixture
async def service(database: Open) -> AsyncIterator[Service]:
    """A ledger in this process."""
    async with Service(database()) as service:
        yield service


@pytest.fixture(params=["here", "http"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger in both forms, on SQLite."""
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(Service(SqliteDatabase(tmp_path / "ledger.db")))
        if request.param == "here":
            yield service
            return
        server = HttpServer(Routes(service).answer, "127.0.0.1", 0)
        await server.start()
        stack.push_async_callback(server.stop, 0)
        yield await stack.enter_async_context(HttpLedger(f"http://127.0.0.1:{server.port}"))
