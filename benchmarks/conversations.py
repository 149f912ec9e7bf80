"""What a long chat stores, with and without contents outside its history: `make bench-conversations`.

Two shapes: an agent's loop (each turn is one model call whose answer goes into the list of messages), and a chat (each
exchange is a message that comes as a signal and an answer). A turn is one message of 1,000 bytes of words that never
repeat. Counted: the history's size as the server reports it, and every byte in the store, lists of owners as well.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from outlive.ai.contents import ContentsPlugin, store_at
from outlive.config import ServerConfig
from outlive.server import Server

TURN = 1_000  # bytes


def _words(seed: str) -> str:
    chosen = random.Random(seed)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = " ".join("".join(chosen.choices(letters, k=chosen.randint(2, 9))) for _ in range(400))
    return words[:TURN]


@activity.defn
async def model(messages: list[dict[str, str]]) -> str:
    return _words(f"answer {len(messages)}")


@workflow.defn
class Agent:
    """Calls a model, puts what it says into the list, calls again."""

    @workflow.run
    async def run(self, turns: int) -> int:
        messages: list[dict[str, str]] = []
        for _ in range(turns):
            said = await workflow.execute_activity(model, messages, start_to_close_timeout=timedelta(seconds=30))
            messages.append({"role": "assistant", "content": said})
        return len(messages)


@workflow.defn
class Chat:
    """A person and a model by turns."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    @workflow.run
    async def run(self, turns: int) -> int:
        messages: list[dict[str, str]] = []
        while len(messages) < turns:
            await workflow.wait_condition(lambda: bool(self.asked))
            messages.append({"role": "user", "content": self.asked.pop(0)})
            said = await workflow.execute_activity(model, messages, start_to_close_timeout=timedelta(seconds=30))
            messages.append({"role": "assistant", "content": said})
        return len(messages)

    @workflow.signal
    def say(self, words: str) -> None:
        self.asked.append(words)

    @workflow.query
    def heard(self) -> int:
        return len(self.asked)


@dataclass(slots=True)
class Stored:
    """Bytes of one chat."""

    history: int
    contents: int
    files: int


async def _run(client: Client, shape: str, turns: int) -> int:
    kind: Any = {"agent": Agent, "chat": Chat}[shape]
    handle = await client.start_workflow(kind.run, turns, id=shape, task_queue="q")
    if shape == "chat":
        for number in range(turns // 2):
            await handle.signal(Chat.say, _words(f"question {number}"))
            while await handle.query(Chat.heard):  # noqa: ASYNC110 (the workflow is in another process's hands)
                await asyncio.sleep(0.005)
    assert await handle.result() == turns
    described = await handle.describe()
    return described.raw_description.workflow_execution_info.history_size_bytes


async def measured(shape: str, turns: int, *, apart: bool) -> Stored:
    """Run the chat on a server of its own."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(ServerConfig(port=0, database=Path(folder) / "outlive.db"))
        await server.start()
        try:
            place = Path(folder) / "contents"
            plugins = [ContentsPlugin(store_at(str(place)))] if apart else []
            client = await Client.connect(f"127.0.0.1:{server.port}", plugins=plugins)
            async with Worker(client, task_queue="q", workflows=[Agent, Chat], activities=[model]):
                history = await _run(client, shape, turns)
            files = [path for path in place.rglob("*") if path.is_file()]
            return Stored(history, sum(path.stat().st_size for path in files), len(files))
        finally:
            await server.stop(0)


async def main(turns: int) -> None:
    transcript = turns * TURN
    print(f"{turns} turns of {TURN} bytes: a transcript of {transcript:,} bytes\n")
    print(f"{'':24}{'history':>14}{'store':>12}{'files':>8}{'together':>14}{'of transcript':>15}")
    for shape in ("agent", "chat"):
        for apart in (False, True):
            stored = await measured(shape, turns, apart=apart)
            together = stored.history + stored.contents
            print(
                f"{shape + (', stored once' if apart else ', plain'):24}{stored.history:>14,}{stored.contents:>12,}"
                f"{stored.files:>8}{together:>14,}{together / transcript:>14.2f}x"
            )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", type=int, default=200)
    asyncio.run(main(parser.parse_args().turns))
