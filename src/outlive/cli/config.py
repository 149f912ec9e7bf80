"""`outlive server config`: the keys of the dynamic configuration, and which values count."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from outlive.cli.dynamic import dynamic_options

if TYPE_CHECKING:
    from outlive.dynamic.config import Setting

BAD_USE = 2
COLUMNS = ("KEY", "VALUE", "DEFAULT", "SET BY", "MEANING")


@click.command("config")
@click.argument("pattern", default="")
@dynamic_options
@click.option("--json", "as_json", is_flag=True, help="As JSON: key, value, default, meaning, where set.")
def config(pattern: str, dynamic_config: dict[str, object], dynamic_config_file: Path | None, as_json: bool) -> None:
    """List the keys of the dynamic configuration with the values that a server started with the same options
    would use. PATTERN keeps the keys that contain it.
    """
    from outlive.dynamic.config import DynamicConfig
    from outlive.dynamic.files import read_file
    from outlive.errors import StartupError

    try:
        filed = read_file(dynamic_config_file) if dynamic_config_file is not None else {}
        settings = list(DynamicConfig(dynamic_config, filed).settings())
    except StartupError as error:
        print(f"outlive: {error}", file=sys.stderr)
        raise SystemExit(BAD_USE) from None
    rows = [_row(setting) for setting in settings if pattern.lower() in setting.key.name.lower()]
    if as_json:
        click.echo(json.dumps(rows, indent=2, ensure_ascii=False))
    elif rows:
        _table(rows)
    else:
        click.echo(f"No key contains {pattern!r}.")


def _row(setting: Setting) -> dict[str, Any]:
    key, where = setting.key, setting.where
    constraints = {"namespace": where.namespace, "taskQueueName": where.task_queue, "taskQueueType": where.task_type}
    return {
        "key": key.name,
        "value": key.kind.show(setting.value),
        "default": key.kind.show(key.default),
        "kind": key.kind.name,
        "meaning": key.meaning,
        "setBy": setting.source,
        "constraints": {name: value for name, value in constraints.items() if value},
    }


def _cells(row: dict[str, Any]) -> Sequence[str]:
    only = " ".join(f"{name}={value}" for name, value in row["constraints"].items())
    set_by = " ".join(part for part in (row["setBy"], f"({only})" if only else "") if part)
    return row["key"], _said(row["value"]), _said(row["default"]), set_by, row["meaning"]


def _said(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _table(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, no_wrap=column == "KEY", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    console = Console()
    if not console.is_terminal:  # a pipe cuts nothing off
        console = Console(width=10_000)
    console.print(table)
