"""`outlive ledger`, `quota`, `budget` and `cost`, as people use them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client

from outlive.config import ServerConfig
from outlive.ledger.client import HttpLedger
from outlive.server import Server

OUTLIVE = [sys.executable, "-m", "outlive"]
WITHOUT = {key: value for key, value in os.environ.items() if not key.startswith("OUTLIVE_")}


def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*OUTLIVE, *arguments], capture_output=True, text=True, timeout=30, check=False, env={**WITHOUT, **more}
    )


@contextmanager
def started(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process with a ledger, and the ledger's address."""
    child = subprocess.Popen(
        [*OUTLIVE, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=WITHOUT
    )
    try:
        assert child.stdout is not None
        address = None
        while address is None:
            line = child.stdout.readline()
            assert line, child.stderr.read() if child.stderr else ""
            address = re.match(r"Ledger: (\S+)", line)
        yield child, address[1]
    finally:
        child.kill()
        child.communicate()


def test_quotas_budgets_and_costs_on_a_ledger_alone(tmp_path: Path) -> None:
    database = str(tmp_path / "ledger.db")
    with started("ledger", "--db", database, "--port", "0") as (child, address):
        at = {"OUTLIVE_LEDGER": address}
        assert "No quotas" in run("quota", "list", **at).stdout
        assert run("quota", "set", "openai", "--scope", "model=gpt-5", "--tokens", "60000", **at).returncode == 0
        assert (
            run("budget", "set", "teams", "--scope", "team=*", "--hard", "0.50", "--soft", "0.4", **at).returncode == 0
        )
        listed = json.loads(run("quota", "list", "-o", "json", **at).stdout)
        assert [(use["quota"]["name"], use["quota"]["tokens"]) for use in listed] == [("openai", 60_000)]
        request = urllib.request.Request(
            f"{address}/v1/record",
            json.dumps(
                {
                    "call": {"key": "k", "model": "gpt-5", "team": "red", "workflow_type": "Chat"},
                    "result": {"usage": {"input": 1000, "output": 100}, "cost": 450_000_000},
                }
            ).encode(),
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        table = run("budget", "list", **at).stdout
        assert "team=red" in table
        assert "90%" in table
        assert "warned" in table
        raised = json.loads(run("budget", "raise", "teams", "--by", "1", "-o", "json", **at).stdout)
        assert raised["hard"] == 1_500_000_000
        (row,) = json.loads(run("cost", "--by", "type", "-o", "json", **at).stdout)
        assert (row["group"], row["calls"], row["cost"]) == ("Chat", 1, 450_000_000)
        assert "$0.45" in run("cost", **at).stdout
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    with started("ledger", "--db", database, "--port", "0") as (_, address):
        (use,) = json.loads(run("budget", "list", "-o", "json", "--ledger", address).stdout)
        assert use["spent"] == 450_000_000
        assert run("budget", "delete", "teams", "--ledger", address).returncode == 0


def test_the_inbox(tmp_path: Path) -> None:
    with started("ledger", "--db", str(tmp_path / "ledger.db"), "--port", "0") as (_, address):
        at = {"OUTLIVE_LEDGER": address}
        assert "Nothing waits" in run("approval", "list", **at).stdout
        for name in ("one", "two"):
            asked = {"approval": {"id": name, "title": f"Send {name}?", "details": {"to": "x"}, "assignee": "ann"}}
            body = json.dumps(asked).encode()
            urllib.request.urlopen(f"{address}/v1/ask_approval", body, timeout=10).close()
        assert "Send one?" in run("approval", "list", **at).stdout
        assert '"to": "x"' in run("approval", "show", "one", **at).stdout
        edits = '{"to": "y"}'
        done = run("approval", "approve", "one", "--edits", edits, "--by", "ann", "-o", "json", **at)
        assert (json.loads(done.stdout)["state"], json.loads(done.stdout)["edits"]) == ("approved", {"to": "y"})
        assert run("approval", "reject", "two", "--reason", "no", "--by", "bob", **at).returncode == 0
        late = run("approval", "approve", "two", **at)
        assert late.returncode == 1
        assert "rejected already by bob" in late.stderr
        assert len(json.loads(run("approval", "list", "--all", "-o", "json", **at).stdout)) == 2


def test_a_server_has_a_ledger_that_is_made_when_it_is_used(tmp_path: Path) -> None:
    database = tmp_path / "outlive.db"
    beside = tmp_path / "outlive.ledger.db"
    arguments = (
        "server",
        "start-dev",
        "--headless",
        "--port",
        "0",
        "--ledger-port",
        "0",
        "--db-filename",
        str(database),
    )
    with started(*arguments) as (child, address):
        assert not beside.exists()
        assert run("quota", "set", "q", "--requests", "5", "--ledger", address).returncode == 0
        assert beside.exists()
        child.send_signal(signal.SIGTERM)
        assert child.wait(10) == 0
    with started(*arguments) as (_, address):
        assert "5/min" in run("quota", "list", "--ledger", address).stdout


async def test_contents_go_with_their_runs(tmp_path: Path) -> None:
    """By `outlive ledger gc` for a run that the server never knew, by itself for one that is deleted."""
    server = Server(ServerConfig(port=0, database=tmp_path / "outlive.db", ledger=True, ledger_port=0))
    await server.start()
    try:
        client = await Client.connect(f"127.0.0.1:{server.port}")
        handle = await client.start_workflow("Nothing", id="w", task_queue="q")
        async with HttpLedger(f"http://127.0.0.1:{server.ledger_port}") as ledger:
            run_id = handle.first_execution_run_id or ""
            never = "0198c5a2-0000-7000-8000-000000000000"
            for owner in (run_id, never, "a name of its own"):
                await ledger.put_content(owner.encode(), owner=owner)
            collect = await asyncio.create_subprocess_exec(
                *OUTLIVE, "ledger", "gc", "--older", "0", "--address", f"127.0.0.1:{server.port}",
                env={**WITHOUT, "OUTLIVE_LEDGER": ledger.address}, stdout=asyncio.subprocess.PIPE,
            )  # fmt: skip
            said = (await asyncio.wait_for(collect.communicate(), 30))[0].decode()
            assert said.startswith("1 of 3 runs are gone: 36 bytes released")
            assert {owner.owner for owner in await ledger.content_owners()} == {run_id, "a name of its own"}
            await client.workflow_service.delete_workflow_execution(
                DeleteWorkflowExecutionRequest(
                    namespace="default", workflow_execution=WorkflowExecution(workflow_id="w", run_id=run_id)
                )
            )
            while run_id in {owner.owner for owner in await ledger.content_owners()}:
                await asyncio.sleep(0.02)
    finally:
        await server.stop(0)


def test_a_server_without_one() -> None:
    child = subprocess.Popen(
        [*OUTLIVE, "server", "start-dev", "--headless", "--port", "0", "--no-ledger"],
        stdout=subprocess.PIPE,
        text=True,
        env=WITHOUT,
    )
    try:
        assert child.stdout is not None
        lines = []
        while not lines or not lines[-1].startswith("Data:"):
            lines.append(child.stdout.readline())
            assert lines[-1]
        assert lines[0].startswith("Server:")
        assert not [line for line in lines if line.startswith("Ledger:")]
    finally:
        child.kill()
        child.communicate()


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["ledger", "--db", "/no/such/folder/x.db", "--port", "0"], 2, "does not exist"),
        (["ledger", "--db", "postgresql://nobody@127.0.0.1:1/x", "--port", "0"], 2, "cannot be opened"),
        (["quota", "list", "--ledger", "http://127.0.0.1:1"], 1, "outlive ledger"),
        (["quota", "list", "--ledger", "ftp://x"], 2, "not an address"),
        (["quota", "set", "q", "--scope", "model"], 2, "LABEL=VALUE"),
        (["budget", "set", "b", "--hard", "lots"], 2, "5 or 0.25"),
        (["budget", "set", "b", "--hard", "lots", "--unit", "tokens"], 2, "2M"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(arguments: list[str], status: int, words: str) -> None:
    ended = run(*arguments)
    assert ended.returncode == status
    assert words in " ".join(ended.stderr.split())
    assert "Traceback" not in ended.stderr
