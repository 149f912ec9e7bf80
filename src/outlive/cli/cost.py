"""`outlive cost`: what the calls came to."""

from __future__ import annotations

import time
from typing import Any

import click

from outlive.cli.ledger_client import ask, ledger_options, said_amount, show

_BY = ("model", "day", "type", "run", "team", "provider", "workflow", "namespace")


@click.command()
@click.option("--by", type=click.Choice(_BY), default="model", show_default=True)
@click.option("--days", type=click.FloatRange(min=0, min_open=True), help="Only the last so many days.")
@click.option("--run", default="", help="Only this run.")
@click.option("--workflow-id", default="", help="Only this workflow id.")
@click.option("--type", "workflow_type", default="", help="Only this workflow type.")
@click.option("--model", default="", help="Only this model.")
@click.option("--team", default="", help="Only this team.")
@click.option("--namespace", default="", help="Only this namespace.")
@ledger_options
def cost(by: str, days: float | None, address: str, secret: str, output: str | None, **where: Any) -> None:
    """Show what model calls came to: money, tokens, and what cache and replays saved."""
    from outlive.ledger.client import Filter

    since = round((time.time() - days * 86_400) * 1000) if days is not None else None
    rows = ask(address, secret, lambda ledger: ledger.costs(by, Filter(**where, since=since)))
    shown = [
        [
            row.group or "(none)",
            f"{row.calls:,}",
            f"{row.failed:,}",
            f"{row.cache_hits:,}",
            f"{row.input:,}",
            f"{row.output:,}",
            said_amount(row.cost, "usd"),
            said_amount(row.saved, "usd"),
        ]
        for row in rows
    ]
    columns = [by.upper(), "CALLS#", "FAILED#", "CACHED#", "INPUT#", "OUTPUT#", "COST#", "SAVED#"]
    if len(rows) > 1 and output != "json":
        totals = [
            sum(getattr(row, name) for row in rows) for name in ("calls", "failed", "cache_hits", "input", "output")
        ]
        money = [said_amount(sum(getattr(row, name) for row in rows), "usd") for name in ("cost", "saved")]
        shown.append(["total", *(f"{total:,}" for total in totals), *money])
    show(output, rows, columns, shown, "The book has no calls yet.")
