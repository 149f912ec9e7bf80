"""`outlive server`: start the server, for people (`start`) and for SDKs (`start-dev`)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from outlive.cli.dynamic import dynamic_options, pairs
from outlive.cli.folders import data_folder
from outlive.cli.lazy import LazyGroup
from outlive.cli.logs import FORMATS, LEVELS

Command = TypeVar("Command", bound=Callable[..., Any])
UI_OFFSET = 1000  # the pages' port is the gRPC port plus this, unless told otherwise


@click.group(
    cls=LazyGroup,
    lazy={"config": ("outlive.cli.config:config", "List the keys of the dynamic configuration and their values.")},
)
def server() -> None:
    """Start a server, and see how it is set up."""


def _options(command: Command) -> Command:
    """The options that both commands have: those of `temporal server start-dev`."""
    for option in reversed(
        (
            click.option("-p", "--port", type=click.IntRange(0, 65535), default=7233, show_default=True,
                         help="Port of the gRPC service; 0 picks a free one."),
            click.option("--ip", default="127.0.0.1", show_default=True, help="Address to listen on."),
            click.option("-n", "--namespace", "namespaces", multiple=True,
                         help="Namespace to create; 'default' is always there. Repeatable."),
            click.option("--headless", is_flag=True, help="No web pages."),
            click.option("--ui-port", type=click.IntRange(0, 65535), help="Port of the pages. Default: port + 1000."),
            click.option("--ui-ip", help="Address of the web pages. Default: 127.0.0.1."),
            click.option("--ui-public-path", default="", help="Path that a proxy puts before the pages."),
            click.option("--ui-host", multiple=True, help="A name that browsers reach the pages by. Repeatable."),
            click.option("--ui-asset-path", hidden=True),
            click.option("--ui-codec-endpoint", hidden=True),
            click.option("--ui-disable-news-fetch", is_flag=True, hidden=True),
            click.option("--http-port", type=click.IntRange(0, 65535), default=0,
                         help="Port of the HTTP API, /api/v1. Default: a free one."),
            click.option("--ledger-port", type=click.IntRange(0, 65535),
                         help="Port of the ledger. Default: port + 2000, or a free one."),
            click.option("--ledger-ip", default="127.0.0.1", show_default=True, help="Address of the ledger."),
            click.option("--ledger-secret", envvar="OUTLIVE_LEDGER_SECRET", default="", show_default=False,
                         help="What requests to the ledger must carry. Better in OUTLIVE_LEDGER_SECRET."),
            click.option("--no-ledger", is_flag=True, help="No ledger."),
            click.option("--metrics-port", type=click.IntRange(0, 65535), hidden=True),
            click.option("--search-attribute", "search_attributes", multiple=True, callback=pairs("NAME=TYPE"),
                         help="NAME=TYPE of a search attribute. Repeatable."),
            dynamic_options,
            click.option("--sqlite-pragma", "pragmas", multiple=True, callback=pairs("PRAGMA=VALUE"),
                         help="PRAGMA=VALUE for SQLite. Repeatable."),
            click.option("--log-level", type=click.Choice(LEVELS), default="warn", show_default=True),
            click.option("--log-format", type=click.Choice(FORMATS), default="text", show_default=True),
            click.option("--log-config", is_flag=True, help="Print the configuration to stderr."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


@server.command("start-dev")
@click.option("-f", "--db-filename", type=click.Path(path_type=Path), help="File for the data. Default: in memory.")
@_options
def start_dev(db_filename: Path | None, **options: Any) -> None:
    """Start a development server: data in memory unless --db-filename names a file.

    Takes the flags of `temporal server start-dev`, so SDKs start it as they start that one.
    """
    _run(db_filename, options)


@server.command("start")
@click.option("-f", "--db-filename", type=click.Path(path_type=Path), help="File for the data.")
@_options
def start(db_filename: Path | None, **options: Any) -> None:
    """Start the server, its data in your data folder unless --db-filename names another file."""
    if db_filename is None:
        folder = data_folder()
        folder.mkdir(parents=True, exist_ok=True)
        db_filename = folder / "outlive.db"
    _run(db_filename, options)


def _run(database: Path | None, options: dict[str, Any]) -> None:
    from outlive.cli.serve import serve
    from outlive.config import ServerConfig

    port, headless = options["port"], options["headless"]
    ui_port = options["ui_port"]
    if ui_port is None:
        ui_port = port + UI_OFFSET if 0 < port <= 65535 - UI_OFFSET else 0
    ip = "127.0.0.1" if options["ip"] == "localhost" else options["ip"]
    config = ServerConfig(
        ip=ip,
        port=port,
        ui_port=None if headless else ui_port,
        ui_ip=options["ui_ip"] or "127.0.0.1",
        ui_public_path=options["ui_public_path"],
        ui_hosts=tuple(options["ui_host"]),
        http_port=options["http_port"],
        ledger=not options["no_ledger"],
        ledger_ip=options["ledger_ip"],
        ledger_port=options["ledger_port"],
        ledger_secret=options["ledger_secret"],
        database=database,
        namespaces=tuple(options["namespaces"]),
        search_attributes=options["search_attributes"],
        dynamic_config=options["dynamic_config"],
        dynamic_config_file=options["dynamic_config_file"],
        sqlite_pragmas=options["pragmas"],
    )
    if options["log_config"]:
        click.echo(str(config), err=True)
    raise SystemExit(serve(config, options["log_level"], options["log_format"]))
