"""What the tests of the examples share: documents to read, a store, and a real server to run against."""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from temporalio.client import Client

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from examples.research_pipeline.processes import ChildProcess, free_port  # noqa: E402
from examples.research_pipeline.store.stores import Stores, open_stores  # noqa: E402

_TOPICS = {
    "kettle": "A kettle boils water for tea. It switches itself off once the water has reached the boil.",
    "bicycle": "A bicycle has two wheels and is moved by its rider. Its chain carries the force to the rear.",
    "lighthouse": "A lighthouse warns ships of rocks at night. Its lamp turns in a rhythm that is its own.",
    "bread": "Bread is made of flour, water, salt and yeast. The dough rests until it has doubled in size.",
    "violin": "A violin has four strings that are tuned in fifths. The bow is drawn across them for sound.",
    "glacier": "A glacier is a river of ice that moves downhill. It grinds the rock beneath it to flour.",
    "loom": "A loom holds the warp under tension for the weaver. The shuttle carries the weft across it.",
    "compass": "A compass needle points towards magnetic north. Iron nearby makes it point elsewhere.",
}


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    """An empty store in a file."""
    with open_stores(tmp_path / "pipeline.db") as opened:
        yield opened


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    """A folder of eight short Markdown documents."""
    folder = tmp_path / "topics"
    folder.mkdir()
    for name, text in _TOPICS.items():
        body = f"{text} This page about the {name} was written for the tests of an example and of nothing else."
        (folder / f"{name}.md").write_text(f"# The {name}\n\n{body}\n\n## Use\n\nEvery {name} has a use of its own.\n")
    return folder


@pytest.fixture(scope="session")
def server_command() -> list[str]:
    """The server under test: OUTLIVE_TEST_SERVER_COMMAND, or the `outlive` beside this Python."""
    named = os.environ.get("OUTLIVE_TEST_SERVER_COMMAND")
    return shlex.split(named) if named else [str(Path(sys.executable).with_name("outlive")), "server", "start-dev"]


@pytest.fixture(scope="session")
def server_address(server_command: list[str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of its own for these tests, as a process."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    options = ["--port", str(port), "--db-filename", str(folder / "server.db")]
    with ChildProcess("server", [*server_command, *options], folder / "server.log") as server:
        server.start()
        yield f"127.0.0.1:{port}"
        failure = server.failure()
    assert failure is None, failure


@pytest.fixture
async def client(server_address: str) -> AsyncIterator[Client]:
    """A client of that server, once it answers."""
    deadline = time.monotonic() + 20
    while True:
        try:
            yield await Client.connect(server_address)
            return
        except RuntimeError:
            assert time.monotonic() < deadline, f"no server answers at {server_address}"
