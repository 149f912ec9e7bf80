"""`outlive ledger`: the ledger alone, for instance beside a Temporal cluster."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click

from outlive.cli.folders import data_folder
from outlive.cli.lazy import LazyGroup
from outlive.cli.logs import FORMATS, LEVELS, set_up


@click.group(
    cls=LazyGroup,
    invoke_without_command=True,
    lazy={"gc": ("outlive.cli.collect:gc", "Release the contents of runs that are gone.")},
)
@click.option("--db", help="SQLite file, or postgresql://USER@HOST/NAME. Default: a file in your data folder.")
@click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), default=9233, show_default=True, help="0 picks a free one."
)
@click.option(
    "--secret",
    envvar="OUTLIVE_LEDGER_SECRET",
    default="",
    help="What requests must carry. Better in the environment, as OUTLIVE_LEDGER_SECRET.",
)
@click.option(
    "--contents",
    default="own",
    show_default=True,
    help="Where contents lie: own (the database), a folder, or s3://BUCKET/PREFIX?endpoint=URL.",
)
@click.option("--log-level", type=click.Choice(LEVELS), default="warn", show_default=True)
@click.option("--log-format", type=click.Choice(FORMATS), default="text", show_default=True)
@click.pass_context
def ledger(
    context: click.Context,
    db: str | None,
    ip: str,
    port: int,
    secret: str,
    contents: str,
    log_level: str,
    log_format: str,
) -> None:
    """Run the ledger alone: quotas, budgets, the book of model calls, cache, contents, streams, approvals.

    `outlive server` has one built in; beside a Temporal cluster run this one.
    """
    if context.invoked_subcommand is not None:
        return
    from outlive.base_errors import StartupError

    set_up(log_level, log_format)
    if db is None:
        folder = data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        db = str(folder / "ledger.db")
    try:
        status = asyncio.run(_serve(db, ip, port, secret, contents))
    except StartupError as error:
        print(f"outlive: {error}", file=sys.stderr)
        status = 2
    raise SystemExit(status)


async def _serve(db: str, ip: str, port: int, secret: str, contents: str) -> int:
    from outlive.ledger.run import RunningLedger

    loop = asyncio.get_running_loop()
    stopping, failed = asyncio.Event(), loop.create_future()

    def fail(error: BaseException) -> None:
        if not failed.done():
            failed.set_result(error)

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Windows: Ctrl-C ends the process, the file is safe all the same
            break
    place = db if "://" in db else Path(db)
    running = RunningLedger(place, ip, port, secret=secret, contents=contents, on_failure=fail)
    await running.start()
    shown = db if isinstance(place, Path) else "PostgreSQL"  # an address may hold a password
    print(f"Ledger: http://{ip}:{running.port}\nData:   {shown}", flush=True)
    stop = asyncio.ensure_future(stopping.wait())
    await asyncio.wait({stop, failed}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    await running.stop(4.0)
    if failed.done():
        print(f"outlive: stopped, since {failed.result()}. Nothing acknowledged is lost.", file=sys.stderr)
        return 1
    return 0
