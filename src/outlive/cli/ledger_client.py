"""What commands about the ledger share: its address, output as tables or JSON, errors as sentences."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import fields, is_dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

if TYPE_CHECKING:
    from outlive.ledger.types import Unit

Command = TypeVar("Command", bound=Callable[..., Any])
FAILED = 1
NANO: Final = 1_000_000_000  # nano-dollars of one dollar


def ledger_options(command: Command) -> Command:
    """--ledger, --secret and -o."""
    for option in (
        click.option("-o", "--output", type=click.Choice(["table", "json"]), help="Default: a table."),
        click.option(
            "--secret", envvar="OUTLIVE_LEDGER_SECRET", default="", help="The ledger's secret, if it has one."
        ),
        click.option("--ledger", "address", envvar="OUTLIVE_LEDGER", default="", help="Default: http://127.0.0.1:9233"),
    ):
        command = option(command)
    return command


def ask(address: str, secret: str, what: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Do something with the ledger. What goes wrong is a sentence and exit status 1."""
    from outlive.ledger.client import LedgerError, connect

    async def asked() -> Any:
        async with connect(address, secret) as ledger:
            return await what(ledger)

    try:
        return asyncio.run(asked())
    except LedgerError as error:
        print(f"outlive: {error.message}", file=sys.stderr)
        raise SystemExit(FAILED) from None
    except ValueError as error:  # an address that is none
        raise click.BadParameter(str(error)) from None


def show(output: str | None, data: Any, columns: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """`data` as JSON, or `rows` as a table."""
    if output == "json":
        click.echo(json.dumps(plain(data), indent=2, ensure_ascii=False))
        return
    if not rows:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.removesuffix("#"), justify="right" if column.endswith("#") else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    if not console.is_terminal:  # a pipe cuts nothing off
        console = Console(width=10_000)
    console.print(table)


def plain(data: Any) -> Any:
    """Dataclasses with every field, so that what reads it finds the same names each time."""
    if is_dataclass(data) and not isinstance(data, type):
        return {field.name: plain(getattr(data, field.name)) for field in fields(data)}
    if isinstance(data, (list, tuple)):
        return [plain(item) for item in data]
    if isinstance(data, dict):
        return {key: plain(value) for key, value in data.items()}
    return data


def scope_option(command: Command) -> Command:
    """--scope LABEL=VALUE, repeatable."""
    return click.option(
        "--scope",
        multiple=True,
        callback=_scope,
        help="LABEL=VALUE that calls must have (model, provider, provider_key, team, run, workflow_type, namespace or "
        "one of your own); LABEL=* gives each value its own. Repeatable. Default: every call.",
    )(command)


def _scope(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    scope = {}
    for value in values:
        label, equals, rest = value.partition("=")
        if not equals or not label or not rest:
            raise click.BadParameter(f"{value!r} is not LABEL=VALUE")
        scope[label] = rest
    return scope


def said_scope(scope: Any) -> str:
    return " ".join(f"{label}={value}" for label, value in sorted(scope.items())) or "every call"


def amount_of(text: str | None, unit: Unit) -> int | None:
    """Dollars (5, 0.25, $5) as nano-dollars; tokens (50000, 50k, 2M) as they are."""
    if text is None:
        return None
    factors = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
    bare = text.strip().lstrip("$").replace(",", "").replace("_", "")
    factor = NANO if unit == "usd" else factors.get(bare[-1:].lower(), 1)
    if unit == "tokens" and bare[-1:].lower() in factors:
        bare = bare[:-1]
    try:
        amount = Decimal(bare) * factor
        if amount < 0 or amount != int(amount) or amount > 1 << 60:
            raise ValueError
    except (InvalidOperation, ValueError, OverflowError):
        example = "5 or 0.25" if unit == "usd" else "50000, 50k or 2M"
        raise click.BadParameter(f"{text!r} is no amount of {unit}: write it like {example}.") from None
    return int(amount)


def said_amount(amount: int | None, unit: str) -> str:
    if amount is None:
        return "-"
    if unit == "tokens":
        return f"{amount:,}"
    dollars = Decimal(amount) / NANO
    return f"${dollars:,.2f}" if dollars == 0 or dollars >= 1 else f"${dollars:,.6f}"


def bar(used: int, limit: int | None) -> str:
    """How full, in words as well: colour or length alone would not tell."""
    if not limit:
        return "-"
    return f"{100 * used // limit}%"
