"""`outlive PORT`: a server for tests, started the way SDKs start Temporal's test server."""

from __future__ import annotations

import click

from outlive.cli.logs import FORMATS, LEVELS


@click.command("PORT")
@click.argument("port", type=click.IntRange(0, 65535))
@click.option("--enable-time-skipping", is_flag=True, help="Skip time from the start, not once a client unlocks it.")
@click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--log-level", type=click.Choice(LEVELS), default="warn", show_default=True)
@click.option("--log-format", type=click.Choice(FORMATS), default="text", show_default=True)
def test_server(port: int, enable_time_skipping: bool, ip: str, log_level: str, log_format: str) -> None:
    """Start a test server: data in memory, a clock that clients skip by the protocol's TestService."""
    from outlive.cli.serve import serve
    from outlive.config import ServerConfig, TimeSkipping

    skipping = TimeSkipping.UNLOCKED if enable_time_skipping else TimeSkipping.LOCKED
    raise SystemExit(serve(ServerConfig(ip=ip, port=port, time_skipping=skipping), log_level, log_format))
