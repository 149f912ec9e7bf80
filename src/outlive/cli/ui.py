"""`outlive ui`: the web pages alone, of any server of Temporal's API."""

from __future__ import annotations

import asyncio
import signal
import sys

import click

from outlive.cli.remote.session import Failed, Session, remote

USAGE = 2


@click.command()
@click.option(
    "-p", "--port", type=click.IntRange(0, 65535), default=8233, show_default=True, help="0 picks a free one."
)
@click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--public-path", default="", help="Path that a proxy puts before the pages.")
@click.option(
    "--host", "hosts", multiple=True, help="A name that browsers reach the pages by, beside localhost. Repeatable."
)
@click.option(
    "--ledger", envvar="OUTLIVE_LEDGER", default="", help="Address of a ledger, such as http://127.0.0.1:9233."
)
@click.option("--ledger-secret", envvar="OUTLIVE_LEDGER_SECRET", default="", help="The ledger's secret, if it has one.")
@remote
async def ui(
    session: Session, port: int, ip: str, public_path: str, hosts: tuple[str, ...], ledger: str, ledger_secret: str
) -> None:
    """Show the web pages of a server, until Ctrl-C.

    `outlive server start` has them built in. This is for a Temporal cluster, or for pages on another machine:

        outlive ui --address my-temporal:7233
    """
    from outlive.errors import StartupError
    from outlive.web.serve import WebServer

    web = WebServer(session.address, ip, port, public_path, ledger, ledger_secret, hosts=hosts, client=session.client)
    try:
        await web.start()
    except StartupError as error:
        raise Failed(str(error).replace("--ui-port", "--port"), code=USAGE) from None
    print(f"UI: http://{ip}:{web.port}{public_path} of {session.address}", flush=True)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        if sys.platform != "win32":
            loop.add_signal_handler(number, stopping.set)
    await stopping.wait()
    await web.stop()
