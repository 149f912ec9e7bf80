"""Running a server in the foreground until it is told to stop."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING

from outlive.cli.logs import set_up
from outlive.config import ServerConfig
from outlive.lean import messages_only
from outlive.limits import GARBAGE_YOUNG

if TYPE_CHECKING:
    from outlive.server import Server

BAD_USE = 2  # exit status for what the person at the terminal can mend
FAILED = 1  # the server had to stop itself


def serve(config: ServerConfig, log_level: str, log_format: str) -> int:
    """Run until SIGINT or SIGTERM. Returns the exit status."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # its errors reach people through ours
    set_up(log_level, log_format)
    with messages_only():
        from outlive.errors import StartupError
        from outlive.server import Server
    try:
        return asyncio.run(_serve(Server(config)))
    except StartupError as error:
        print(f"outlive: {error}", file=sys.stderr)
        return BAD_USE


async def _serve(server: Server) -> int:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stopping.set)
        except NotImplementedError:  # Windows: Ctrl-C ends the process, the file is safe all the same
            break
    await server.start()
    if server.config.dynamic_config_file is not None and hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, server.reload_config)
    _announce(server.config, server)
    _collect_rarely()
    stop = asyncio.ensure_future(stopping.wait())
    failed = asyncio.ensure_future(server.wait_failed())
    await asyncio.wait({stop, failed}, return_when=asyncio.FIRST_COMPLETED)
    status = 0
    if failed.done():
        print(f"outlive: stopped, since {failed.result()}. Nothing acknowledged is lost.", file=sys.stderr)
        status = FAILED
    stop.cancel()
    failed.cancel()
    await server.stop()
    return status


def _collect_rarely() -> None:
    """Look for cyclic garbage less often than Python would, and never among what was there from the beginning.

    Messages and rows hold no cycles, so nearly all goes by reference counts; searching cost 5 % of the server's time.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_YOUNG)


def _announce(config: ServerConfig, server: Server) -> None:
    """Say where everything is; on a terminal also what to do next."""
    data = str(config.database) if config.database is not None else "in memory: it is gone when the server stops"
    lines = [f"Server: {config.ip}:{server.port}"]
    if server.ui_port is not None:
        lines.append(f"UI:     http://{config.ui_ip}:{server.ui_port}{config.ui_public_path}")
    if server.http_port is not None:
        lines.append(f"HTTP:   http://{config.ip}:{server.http_port}/api/v1")
    if server.ledger_port is not None:
        lines.append(f"Ledger: http://{config.ledger_ip}:{server.ledger_port}")
    lines.append(f"Data:   {data}")
    if sys.stdout.isatty():
        lines.append("")
        lines.append(
            f"Next: run a worker with any Temporal SDK against {config.ip}:{server.port}. Ctrl-C stops the server."
        )
    print("\n".join(lines), flush=True)
