"""`outlive budget`: how much may be spent."""

from __future__ import annotations

from typing import Any, Literal

import click

from outlive.cli.ledger_client import amount_of, ask, bar, ledger_options, said_amount, said_scope, scope_option, show


@click.group()
def budget() -> None:
    """How much model calls may spend: money or tokens, in all or in a period, for whatever you choose."""


@budget.command("list")
@ledger_options
def list_budgets(address: str, secret: str, output: str | None) -> None:
    """Show every budget, and what has been spent of it."""
    uses = ask(address, secret, lambda ledger: ledger.budgets())
    rows = []
    for use in uses:
        unit, limit = use.budget.unit, use.budget.hard
        state = "over" if limit is not None and use.spent >= limit else "warned" if use.warned_at else "ok"
        rows.append(
            [
                use.budget.name,
                said_scope(use.scope or use.budget.scope),
                use.budget.period,
                said_amount(use.spent, unit),
                said_amount(use.reserved, unit),
                said_amount(use.budget.soft, unit),
                said_amount(limit, unit) + (" strict" if use.budget.strict else ""),
                bar(use.spent + use.reserved, limit),
                state,
            ]
        )
    columns = ["BUDGET", "CALLS", "PERIOD", "SPENT#", "RESERVED#", "SOFT#", "HARD#", "USED#", "STATE"]
    show(output, uses, columns, rows, "No budgets. Set one: outlive budget set NAME --hard 10 --scope team=*")


@budget.command("set")
@click.argument("name")
@scope_option
@click.option("--hard", help="What may be spent at most: dollars, or tokens with --unit tokens.")
@click.option("--soft", help="From here on a warning is given.")
@click.option("--unit", type=click.Choice(["usd", "tokens"]), default="usd", show_default=True)
@click.option(
    "--period", type=click.Choice(["total", "hour", "day", "week", "month"]), default="total", show_default=True
)
@click.option("--strict", is_flag=True, help="Count the most that a call can cost, so that it is never passed.")
@ledger_options
def set_budget(name: str, address: str, secret: str, output: str | None, **values: Any) -> None:
    """Set a budget, in the place of the one of that name."""
    from outlive.ledger.client import Budget

    values["hard"] = amount_of(values["hard"], values["unit"])
    values["soft"] = amount_of(values["soft"], values["unit"])
    made = Budget(name, **values)
    ask(address, secret, lambda ledger: ledger.put_budget(made))
    show(output, made, ["BUDGET", "CALLS"], [[name, said_scope(made.scope)]], "")


@budget.command("raise")
@click.argument("name")
@click.option("--by", help="How much more.")
@click.option("--to", help="The new hard limit.")
@ledger_options
def raise_budget(name: str, by: str | None, to: str | None, address: str, secret: str, output: str | None) -> None:
    """Raise a budget's hard limit; what waits for it goes on."""

    async def raised(ledger: Any) -> Any:
        units = {use.budget.name: use.budget.unit for use in await ledger.budgets()}
        unit: Literal["usd", "tokens"] = units.get(name, "usd")
        return await ledger.raise_budget(name, by=amount_of(by, unit), to=amount_of(to, unit))

    new = ask(address, secret, raised)
    show(output, new, ["BUDGET", "HARD#"], [[name, said_amount(new.hard, new.unit)]], "")


@budget.command("delete")
@click.argument("name")
@ledger_options
def delete_budget(name: str, address: str, secret: str, output: str | None) -> None:
    """Delete a budget, with what has been counted for it."""
    if not ask(address, secret, lambda ledger: ledger.delete_budget(name)):
        raise click.ClickException(f"there is no budget {name}: `outlive budget list` shows those that are.")
    show(output, {"deleted": name}, ["DELETED"], [[name]], "")
