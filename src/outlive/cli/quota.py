"""`outlive quota`: limits on requests, tokens and calls at the same time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from outlive.cli.ledger_client import ask, ledger_options, said_scope, scope_option, show


@click.group()
def quota() -> None:
    """Limits on model calls, shared by all workers: requests and tokens per minute, calls at the same time."""


@quota.command("list")
@ledger_options
def list_quotas(address: str, secret: str, output: str | None) -> None:
    """Show every quota, and how much of it is used now."""
    uses = ask(address, secret, lambda ledger: ledger.quotas())
    rows = []
    for use in uses:
        per = "min" if use.quota.per == 60 else f"{use.quota.per:g}s"
        rows.append(
            [
                use.quota.name,
                said_scope(use.scope or use.quota.scope),
                _of(use.requests, use.quota.requests, per),
                _of(use.tokens, use.quota.tokens, per),
                _of(use.open, use.quota.concurrency, ""),
                str(use.waiting),
                _moment(use.blocked_until),
            ]
        )
    columns = ["QUOTA", "CALLS", "REQUESTS#", "TOKENS#", "AT ONCE#", "WAITING#", "BLOCKED UNTIL"]
    show(output, uses, columns, rows, "No quotas. Set one: outlive quota set NAME --scope model=MODEL --tokens 60000")


@quota.command("set")
@click.argument("name")
@scope_option
@click.option("--requests", type=click.IntRange(0), help="Requests per period.")
@click.option("--tokens", type=click.IntRange(0), help="Tokens per period.")
@click.option("--concurrency", type=click.IntRange(0), help="Calls at the same time.")
@click.option("--per", type=click.FloatRange(0.001, 86_400), default=60.0, help="Seconds of a period. Default: 60.")
@ledger_options
def set_quota(name: str, address: str, secret: str, output: str | None, **values: Any) -> None:
    """Set a quota, in the place of the one of that name."""
    from outlive.ledger.client import Quota

    made = Quota(name, **values)
    ask(address, secret, lambda ledger: ledger.put_quota(made))
    show(output, made, ["QUOTA", "CALLS"], [[name, said_scope(made.scope)]], "")


@quota.command("delete")
@click.argument("name")
@ledger_options
def delete_quota(name: str, address: str, secret: str, output: str | None) -> None:
    """Delete a quota; what waits for it goes on."""
    if not ask(address, secret, lambda ledger: ledger.delete_quota(name)):
        raise click.ClickException(f"there is no quota {name}: `outlive quota list` shows those that are.")
    show(output, {"deleted": name}, ["DELETED"], [[name]], "")


def _of(used: int, limit: int | None, per: str) -> str:
    if limit is None:
        return "-"
    return f"{used:,} of {limit:,}{'/' + per if per else ''}"


def _moment(milliseconds: int) -> str:
    if not milliseconds:
        return "-"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%H:%M:%S UTC")
