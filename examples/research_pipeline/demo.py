"""The whole story in one terminal: start, kill everything in the middle, start again, finish, prove it.

python -m examples.research_pipeline.demo
"""

from __future__ import annotations

import asyncio
import os
import shlex
import signal
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import NoReturn

import click
from rich.console import Console
from rich.markup import escape
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.service import RPCError

from examples.research_pipeline.calls import read_log
from examples.research_pipeline.contract import (
    INSTALLED_PACKAGES,
    TASK_QUEUE,
    TASK_TIMEOUT,
    Approval,
    Progress,
    ResearchRequest,
    ResearchResult,
    Stage,
    call_key,
)
from examples.research_pipeline.display import Display
from examples.research_pipeline.models import ModelRefused
from examples.research_pipeline.processes import ChildProcess, free_port
from examples.research_pipeline.proof import Proof, prove
from examples.research_pipeline.settings import (
    MODEL_VARIABLE,
    DataFolder,
    analyst_from_environment,
    embedder_from_environment,
)
from examples.research_pipeline.spending import Spending, dollars
from examples.research_pipeline.workflows import ResearchWorkflow
from outlive.ledger.client import CostRow, LedgerError

_KILL_AT = 0.4
"""Everything is killed once this share of the documents has been analysed."""
_POLL_SECONDS = 0.1
_START_SECONDS = 30
"""How long the server, and then the worker, may take to answer."""
_RUN_SECONDS = 900
"""How long either half of the run may take; a real model over 40 documents takes minutes."""
_QUERY_TIMEOUT = timedelta(seconds=2)

Handle = WorkflowHandle[ResearchWorkflow, ResearchResult]


class DemoFailed(Exception):
    """The demo could not show what it is for; the message says why."""


@dataclass(frozen=True)
class Kill:
    """The state of things at the kill, as witnessed from outside."""

    log_lines: int
    recorded: list[str]
    """Ids of the documents whose analysis the server had listed as completed."""
    documents: int


@dataclass(frozen=True)
class Stage2:
    """How the run ended after the restart."""

    result: ResearchResult
    proof: Proof
    restart_seconds: float
    """From the kill to the first analysis that completed after it."""


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--server", help="The command that starts the server; --port and --db-filename are added to it.")
@click.option("--data", type=click.Path(file_okay=False, path_type=Path), help="Folder for the run's files.")
@click.option("--limit", type=click.IntRange(5), default=40, show_default=True, help="At most this many documents.")
@click.option("--pace", type=float, default=0.7, show_default=True, help="Seconds a call of the stand-in lasts.")
def main(sources: tuple[str, ...], server: str | None, data: Path | None, limit: int, pace: float) -> None:
    """Run a pipeline, kill -9 its worker and its server half-way, start both again, and count the calls.

    SOURCES are files, folders and URLs; without any, the documentation of the installed Python packages.
    """
    console = Console()
    folder = data or Path(".demo") / f"{datetime.now():%Y%m%d-%H%M%S}"
    command = shlex.split(server) if server else _default_server()
    # So that the children are stopped when the demo is, however that happens.
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        names = analyst_from_environment(pace).name, embedder_from_environment().name
        named = [s if s.startswith(("http://", "https://")) else str(Path(s).resolve()) for s in sources]
        demo = Demo(console, _own_folder(folder), command, names, pace)
        holds = asyncio.run(demo.run(named or [INSTALLED_PACKAGES], limit))
    except (DemoFailed, LedgerError, ModelRefused) as error:
        _fail(console, str(error))
    except WorkflowFailureError as error:
        _fail(console, f"the pipeline failed: {error.cause}")
    except KeyboardInterrupt:
        _fail(console, f"stopped; the files are in {folder}")
    sys.exit(0 if holds else 1)


class Demo:
    """One showing: its folder, its two child processes, and what it says on the way."""

    def __init__(self, console: Console, folder: Path, server: list[str], names: tuple[str, str], pace: float) -> None:
        self._console = console
        self._data = DataFolder(folder)
        self._names = names
        self._started = time.monotonic()
        port = free_port()
        self._address = f"127.0.0.1:{port}"
        self._server_file = folder / "server.db"
        self._server = ChildProcess(
            "server",
            [*server, "--port", str(port), "--db-filename", str(self._server_file)],
            folder / "server.log",
        )
        worker = [sys.executable, "-m", "examples.research_pipeline", "worker", "--address", self._address]
        self._spending = Spending(folder)
        options = ["--data", str(folder), "--pace", str(pace), "--ledger", self._spending.address]
        self._worker = ChildProcess("worker", [*worker, *options], folder / "worker.log")

    async def run(self, sources: list[str], limit: int) -> bool:
        """Show it; true if the proof holds. Raises DemoFailed, WorkflowFailureError."""
        with ExitStack() as children, Display(self._console) as display:
            for process in (self._server, self._spending.process, self._worker):
                children.enter_context(process)
            self._introduce(display)
            client = await self._start_processes(display)
            name = f"research-{datetime.now():%Y%m%d-%H%M%S}"
            handle = await client.start_workflow(
                ResearchWorkflow.run,
                ResearchRequest(sources=sources, limit=limit, approval_seconds=300),
                id=name,
                task_queue=TASK_QUEUE,
                task_timeout=TASK_TIMEOUT,
            )
            display.say(f"[bold]2[/]  The pipeline {name} is started.")
            kill = await self._kill_half_way(handle, display)
            end = await self._finish(handle, kill, display)
            again = await self._again(client, sources, limit, display)
            money = await self._spending.of_workflow(name), await self._spending.of_workflow(again.id)
            await self._spending.close()
        self._report_proof(end, kill)
        self._report_money(*money)
        self._say_what_next(end.result)
        return end.proof.holds

    def _introduce(self, display: Display) -> None:
        model, embedder = self._names
        display.say(
            "\n[bold]A durable pipeline, killed half-way[/]\n"
            f"   model: {escape(model)}\n   embeddings: {escape(embedder)}\n"
        )

    async def _start_processes(self, display: Display) -> Client:
        began = time.monotonic()
        try:
            self._server.start()
        except OSError as error:
            raise DemoFailed(
                f"the server command {shlex.join(self._server.command)} cannot be run ({error.strerror}): "
                "install outlive in this environment (make setup), or name another with --server"
            ) from error
        client = await self._connect()
        took = time.monotonic() - began
        self._spending.process.start()
        quota = await self._spending.begin(_START_SECONDS)
        self._worker.start()
        display.say(
            f"[bold]1[/]  Server (pid {self._server.pid}, ready in {took:.1f} s), worker (pid {self._worker.pid}) and "
            f"ledger are up, processes beside this one.\n   {quota}"
        )
        return client

    async def _connect(self) -> Client:
        """A client, once the server answers for its namespace. Raises DemoFailed if it does not in time."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                client = await Client.connect(self._address)
                await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace="default"))
                return client
            except (RuntimeError, RPCError) as error:
                if failure := self._server.failure():
                    raise DemoFailed(failure) from error
                if time.monotonic() > deadline:
                    raise DemoFailed(f"the server did not answer within {_START_SECONDS} s: {error}") from error
                await asyncio.sleep(_POLL_SECONDS)

    async def _kill_half_way(self, handle: Handle, display: Display) -> Kill:
        """Watch until the fan-out is well under way, then SIGKILL worker and server at once."""
        while True:
            progress = await self._progress(handle, display)
            if progress is None:
                continue
            if progress.stage in (Stage.SUMMARISING, Stage.WAITING, Stage.STORING, Stage.DONE):
                raise DemoFailed("the fan-out was over before it could be interrupted: give it a longer --pace")
            await self._look_at_money(display)
            if progress.documents and progress.analysed >= _KILL_AT * progress.documents and progress.running:
                break
            await asyncio.sleep(_POLL_SECONDS)
        # The server's own word, asked for over the network: what it lists here it must never forget.
        recorded = await _recorded_documents(handle)
        self._worker.kill()
        self._server.kill()
        lines = len(read_log(self._data.call_log))
        display.say(
            f"[bold]3[/]  [bold red]kill -9[/] of worker and server, with {len(recorded)} of "
            f"{progress.documents} analyses recorded and {len(progress.running)} under way."
        )
        return Kill(lines, recorded, progress.documents)

    async def _finish(self, handle: Handle, kill: Kill, display: Display) -> Stage2:
        killed_at = time.monotonic()
        self._server.start()
        await self._connect()
        budget = await self._spending.tighten()
        self._worker.start()
        display.say(
            f"[bold]4[/]  Both are started again on the same file (pids {self._server.pid} and "
            f"{self._worker.pid}). Nobody tells the pipeline.\n   {budget}"
        )
        first_after = None
        approved = False
        while True:
            progress = await self._progress(handle, display)
            if progress is None:
                continue
            await self._look_at_money(display)
            if first_after is None and progress.analysed > len(kill.recorded):
                first_after = time.monotonic() - killed_at
            if progress.stage is Stage.WAITING and not approved:
                note = "sent by the demo; no person has read this report"
                await handle.signal(ResearchWorkflow.decide, Approval(True, "make demo", note))
                display.say("[bold]5[/]  The pipeline waits for approval; the demo sends the signal.")
                approved = True
            if progress.stage is Stage.DONE:
                break
            await asyncio.sleep(_POLL_SECONDS)
        result = await handle.result()
        proof = self._prove(result.run, kill)
        return Stage2(result, proof, first_after or time.monotonic() - killed_at)

    async def _look_at_money(self, display: Display) -> None:
        for sentence in await self._spending.look():
            display.say(f"   {escape(sentence)}")

    async def _again(self, client: Client, sources: list[str], limit: int, display: Display) -> Handle:
        """The same question once more, in a run of its own. Raises WorkflowFailureError, DemoFailed."""
        display.say("[bold]6[/]  The same pipeline once more, as a new run.")
        handle = await client.start_workflow(
            ResearchWorkflow.run,
            ResearchRequest(sources=sources, limit=limit),
            id=f"again-{datetime.now():%Y%m%d-%H%M%S}",
            task_queue=TASK_QUEUE,
            task_timeout=TASK_TIMEOUT,
        )
        try:
            await asyncio.wait_for(handle.result(), _RUN_SECONDS)
        except TimeoutError:
            raise DemoFailed(f"the second run did not end; see {self._worker.log}") from None
        return handle

    async def _progress(self, handle: Handle, display: Display) -> Progress | None:
        """The run's progress, shown; None if nobody answered. Raises DemoFailed if nobody will."""
        try:
            progress = await handle.query(ResearchWorkflow.progress, rpc_timeout=_QUERY_TIMEOUT)
        except RPCError as error:
            for process in (self._server, self._worker):
                if failure := process.failure():
                    raise DemoFailed(failure) from error
            if time.monotonic() - self._started > _RUN_SECONDS:
                raise DemoFailed(f"nobody answers for the pipeline: {error}; see {self._worker.log}") from error
            display.note_silence()
            await asyncio.sleep(_POLL_SECONDS)
            return None
        display.show(progress)
        return progress

    def _prove(self, run: str, kill: Kill) -> Proof:
        recorded = [call_key(run, "analyse", document_id) for document_id in kill.recorded]
        return prove(read_log(self._data.call_log), kill.log_lines, recorded)

    def _report_proof(self, end: Stage2, kill: Kill) -> None:
        proof, say = end.proof, self._say
        verdict = "[bold green]PROVED[/]" if proof.holds else "[bold red]BROKEN[/]"
        log = escape(_short(self._data.call_log))
        say(f"\n[bold]The proof[/], counted from {log}, which neither server nor pipeline reads:")
        say(f"   {proof.completed_before:>4}  calls had completed before the kill")
        say(f"   {len(proof.completed_twice):>4}  of them were made again")
        say(f"   {proof.recorded:>4}  analyses the server had recorded before the kill")
        say(f"   {len(proof.recorded_but_touched):>4}  of them ran again in any form")
        say(
            f"   {proof.in_flight:>4}  calls were in flight at the kill, their answers lost with the worker; "
            f"{proof.repeated} were made again (the honest price)"
        )
        if proof.reused:
            say(f"   {proof.reused:>4}  answers were stored but not yet recorded; used again, not asked again")
        say(f"   {verdict}: no completed call ran twice." if proof.holds else f"   {verdict}: see the keys below.")
        for key in proof.completed_twice + proof.recorded_but_touched:
            say(f"         {escape(key)}")
        say(
            f"\n   {proof.made} calls in all for {proof.distinct} answers. Starting over would have made "
            f"{proof.begun_before + proof.distinct}: [bold]{proof.saved} calls saved[/]."
        )
        say(
            f"   First analysis {end.restart_seconds:.1f} s after the kill; "
            f"the whole demo {time.monotonic() - self._started:.1f} s."
        )

    def _report_money(self, first: CostRow, second: CostRow) -> None:
        made_up = "" if MODEL_VARIABLE in os.environ else " (the stand-in is free: its prices are made up)"
        self._say(f"\n[bold]The money[/], from the ledger{made_up}:")
        self._say(f"   {dollars(first.cost)}  the first run, {first.calls} attempts")
        self._say(f"   {dollars(self._spending.spent_at_kill)}  of it were paid before the kill, and not paid again")
        self._say(
            f"   {dollars(second.cost)}  the second run: {second.cache_hits} of {second.calls} answers were kept from "
            f"the first, {dollars(second.saved)} saved"
        )

    def _say_what_next(self, result: ResearchResult) -> None:
        say = self._say
        module = f"{escape(_short(Path(sys.executable)))} -m examples.research_pipeline"
        server = escape(shlex.join([_short(Path(self._server.command[0])), *self._server.command[1:-4]]))
        say(f"\n[bold]The report[/]: {result.documents} documents, {result.findings} findings")
        say(f"   {escape(result.report)}")
        say("\n[bold]What to type next[/]")
        say("   this run's history, in a browser at http://localhost:8233:")
        say(f"      {server} --db-filename {escape(_short(self._server_file))}")
        say("   search what was read:")
        say(f"      {module} search --data {escape(_short(self._data.folder))} async http client")
        say("   your own documents, in three terminals:")
        say(f"      {server} --db-filename research.db")
        say(f"      {module} worker")
        say(f"      {module} start ~/papers --question 'What do they disagree on?'")
        if MODEL_VARIABLE not in os.environ:
            say("   the same with a real model, its key in the environment as its provider names it:")
            say(f"      {MODEL_VARIABLE}=anthropic:claude-haiku-5-5 make demo")
        say("")

    def _say(self, text: str) -> None:
        self._console.print(text, highlight=False, soft_wrap=True)


async def _recorded_documents(handle: Handle) -> list[str]:
    """Ids of the documents whose child workflow the server's history says has completed."""
    prefix = f"{handle.id}-"
    recorded = []
    async for event in handle.fetch_history_events():
        if event.event_type == EventType.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
            child = event.child_workflow_execution_completed_event_attributes.workflow_execution.workflow_id
            recorded.append(child.removeprefix(prefix))
    return recorded


def _default_server() -> list[str]:
    return [str(Path(sys.executable).with_name("outlive")), "server", "start-dev"]


def _own_folder(folder: Path) -> Path:
    """Make the folder; the default one tells git to leave it alone."""
    folder.mkdir(parents=True, exist_ok=True)
    if folder.parent.name == ".demo":
        (folder.parent / ".gitignore").write_text("*\n")
    return folder.resolve()


def _short(path: Path) -> str:
    """The path as one would type it here."""
    return os.path.relpath(path) if path.is_absolute() and path.is_relative_to(Path.cwd()) else str(path)


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt


def _fail(console: Console, message: str) -> NoReturn:
    console.print(f"[bold red]The demo failed[/]: {escape(message)}", highlight=False, soft_wrap=True)
    sys.exit(1)


def run() -> NoReturn:
    """Run the command, and end without tearing the interpreter down.

    The SDK's runtime has threads of its own; on some Pythons one of them aborts the process if it comes
    back while the interpreter is ending, and the exit status would be the abort's.
    """
    try:
        main(standalone_mode=True)
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
