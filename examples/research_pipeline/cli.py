"""The commands: run a worker, start a pipeline, answer it, search what it has read."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console
from rich.markup import escape
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError

from examples.research_pipeline.contract import (
    DEFAULT_QUESTION,
    INSTALLED_PACKAGES,
    TASK_QUEUE,
    Approval,
    ResearchRequest,
    ResearchResult,
)
from examples.research_pipeline.display import Display
from examples.research_pipeline.models import ModelRefused
from examples.research_pipeline.settings import (
    DataFolder,
    analyst_from_environment,
    embedder_from_environment,
)
from examples.research_pipeline.store.library import as_blob
from examples.research_pipeline.store.stores import open_stores
from examples.research_pipeline.worker import run_worker, stop_on_signals
from examples.research_pipeline.workflows import ResearchWorkflow
from outlive.ledger.client import connect

T = TypeVar("T")

_POLL_SECONDS = 0.25
_QUERY_TIMEOUT = timedelta(seconds=2)

_address = click.option(
    "--address",
    default="localhost:7233",
    envvar="TEMPORAL_ADDRESS",
    show_default=True,
    help="The server's host:port.",
)
_namespace = click.option(
    "--namespace",
    default="default",
    envvar="TEMPORAL_NAMESPACE",
    show_default=True,
    help="The server's namespace.",
)
_data = click.option(
    "--data",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("research-data"),
    show_default=True,
    help="The folder of the pipeline's database, call log and reports.",
)


@click.group()
def main() -> None:
    """A durable research pipeline: documents in, a cited report out."""


@main.command()
@_address
@_namespace
@_data
@click.option("--pace", type=float, default=0.0, help="Seconds that each call of the stand-in lasts.")
@click.option("--ledger", "ledger_address", envvar="OUTLIVE_LEDGER", help="URL of a ledger for model calls.")
def worker(address: str, namespace: str, data: Path, pace: float, ledger_address: str | None) -> None:
    """Do the work of the pipelines until stopped."""

    async def serve() -> None:
        analyst, embedder = analyst_from_environment(pace), embedder_from_environment()
        client = await Client.connect(address, namespace=namespace)
        click.echo(f"worker on {address}, task queue {TASK_QUEUE}: {analyst.name}; {embedder.name}")
        async with AsyncExitStack() as stack:
            ledger = await stack.enter_async_context(connect(ledger_address)) if ledger_address else None
            stop = stop_on_signals()
            await run_worker(client, DataFolder(data), analyst, embedder, stop, ledger=ledger)

    _run(serve(), address)


@main.command()
@click.argument("sources", nargs=-1)
@_address
@_namespace
@click.option("--question", default=DEFAULT_QUESTION, show_default=True, help="What to ask of every document.")
@click.option("--limit", type=click.IntRange(1), default=40, show_default=True, help="At most this many documents.")
@click.option("--concurrency", type=click.IntRange(1), default=4, show_default=True, help="Documents analysed at once.")
@click.option("--approval-seconds", type=float, default=0.0, help="Wait this long for `approve`; 0 asks nobody.")
@click.option("--id", "workflow_id", help="The workflow's id; made from the time if not given.")
def start(
    sources: tuple[str, ...],
    address: str,
    namespace: str,
    question: str,
    limit: int,
    concurrency: int,
    approval_seconds: float,
    workflow_id: str | None,
) -> None:
    """Start a pipeline over SOURCES and follow it to its report.

    SOURCES are files, folders (text, Markdown, reStructuredText, HTML, PDF) and URLs; without any, the
    documentation of the Python packages installed here. Stop following with Ctrl-C: the pipeline goes on,
    and the same --id follows it again.
    """
    named = [_absolute(source) for source in sources] or [INSTALLED_PACKAGES]
    request = ResearchRequest(question, named, limit, concurrency, approval_seconds)
    name = workflow_id or f"research-{datetime.now():%Y%m%d-%H%M%S}"

    async def follow() -> None:
        client = await Client.connect(address, namespace=namespace)
        handle = await client.start_workflow(
            ResearchWorkflow.run,
            request,
            id=name,
            task_queue=TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        console = Console()
        console.print(f"started [bold]{escape(name)}[/]", highlight=False)
        with Display(console) as display:
            result = await follow_to_end(handle, display)
        console.print(f"report: {escape(result.report)}", soft_wrap=True, highlight=False)

    _run(follow(), address)


@main.command()
@click.argument("workflow_id")
@_address
@_namespace
@click.option("--reject", is_flag=True, help="Reject the result instead.")
@click.option("--by", required=True, help="Who decides.")
@click.option("--note", default="", help="A remark for the report.")
def approve(workflow_id: str, address: str, namespace: str, reject: bool, by: str, note: str) -> None:
    """Approve (or reject) the result that a pipeline is waiting to store."""

    async def send() -> None:
        client = await Client.connect(address, namespace=namespace)
        handle = client.get_workflow_handle_for(ResearchWorkflow.run, workflow_id)
        await handle.signal(ResearchWorkflow.decide, Approval(not reject, by, note))
        click.echo(f"{'rejected' if reject else 'approved'} {workflow_id}")

    _run(send(), address)


@main.command()
@click.argument("words", nargs=-1, required=True)
@_data
@click.option("--count", type=click.IntRange(1), default=5, show_default=True, help="How many passages.")
def search(words: tuple[str, ...], data: Path, count: int) -> None:
    """Search everything the pipelines have read, by words and by vector."""
    question = " ".join(words)
    embedder = embedder_from_environment()
    vector = as_blob(asyncio.run(embedder.embed([question])).values[0])
    console = Console()
    with open_stores(DataFolder(data).database) as stores:
        library = stores.library
        found = library.search(question, vector, embedder.name, count)
        for passage in found:
            title = escape(f"{library.title(passage.document_id)} · {passage.heading}".rstrip(" ·"))
            console.print(f"\n[bold]{title}[/]", highlight=False)
            console.print(escape(passage.text), highlight=False)
    if not found:
        click.echo(f"nothing found in {data}: start a pipeline on that folder first, or try other words", err=True)


async def follow_to_end(handle: WorkflowHandle[ResearchWorkflow, ResearchResult], display: Display) -> ResearchResult:
    """Show a run's progress until it ends. Raises WorkflowFailureError if it fails."""
    result = asyncio.create_task(handle.result())
    while not result.done():
        try:
            display.show(await handle.query(ResearchWorkflow.progress, rpc_timeout=_QUERY_TIMEOUT))
        except RPCError:
            display.note_silence()  # no worker answers just now; the run itself is safe with the server
        await asyncio.wait([result], timeout=_POLL_SECONDS)
    return result.result()


def _absolute(source: str) -> str:
    """A path as the worker can open it, wherever it runs; URLs and `packages` as they are."""
    is_path = not source.startswith(("http://", "https://")) and source != INSTALLED_PACKAGES
    return str(Path(source).expanduser().resolve()) if is_path else source


def _run(work: Coroutine[Any, Any, None], address: str) -> None:
    """Run a command. What a person can put right is one sentence and exit code 2; a failed run, 1."""
    try:
        asyncio.run(work)
    except ModelRefused as error:
        _fail(str(error), 2)
    except RuntimeError as error:
        if "onnect" not in str(error):
            raise
        _fail(f"no server answers at {address} ({error}). Start one: outlive server start", 2)
    except RPCError as error:
        _fail(f"the server at {address} answered: {error.message}", 2)
    except WorkflowFailureError as error:
        _fail(f"the run failed: {error.cause}", 1)
    except KeyboardInterrupt:
        sys.exit(130)


def _fail(message: str, code: int) -> None:
    click.echo(message, err=True)
    sys.exit(code)
