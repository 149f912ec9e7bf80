"""`outlive approval`: the inbox of questions that workflows ask people."""

from __future__ import annotations

import getpass
import json
from datetime import UTC, datetime
from typing import Any

import click

from outlive.cli.ledger_client import ask, ledger_options, plain, show


@click.group()
def approval() -> None:
    """Questions that workflows ask people: list them, look at them, approve or reject them."""


@approval.command("list")
@click.option("--all", "every", is_flag=True, help="Those that are decided too.")
@click.option("--assignee", default="", help="Only those for this person.")
@click.option("--namespace", default="", help="Only those of this namespace.")
@ledger_options
def list_approvals(every: bool, assignee: str, namespace: str, address: str, secret: str, output: str | None) -> None:
    """Show the questions that are open, newest first."""
    state = None if every else "open"
    found = ask(address, secret, lambda ledger: ledger.approvals(namespace=namespace, state=state, assignee=assignee))
    rows = [
        [
            one.id,
            one.state,
            one.title,
            one.assignee or "-",
            one.workflow_id or "-",
            _moment(one.asked_at),
            _moment(one.deadline),
        ]
        for one in found
    ]
    columns = ["APPROVAL", "STATE", "TITLE", "FOR", "WORKFLOW", "ASKED", "UNTIL"]
    show(output, found, columns, rows, "Nothing waits for a decision.")


@approval.command("show")
@click.argument("approval_id")
@ledger_options
def show_approval(approval_id: str, address: str, secret: str, output: str | None) -> None:
    """Show one question whole."""
    found = ask(address, secret, lambda ledger: ledger.approval(approval_id))
    if output == "json":
        click.echo(json.dumps(plain(found), indent=2, ensure_ascii=False))
        return
    click.echo(f"{found.title}\n")
    lines = {
        "State": found.state,
        "For": found.assignee,
        "Workflow": found.workflow_id,
        "Run": found.run,
        "Options": ", ".join(found.options),
        "Asked": _moment(found.asked_at),
        "Until": _moment(found.deadline),
        "Decided": f"{found.choice} by {found.decided_by} at {_moment(found.decided_at)}" if found.decided_by else "",
        "Reason": found.reason,
    }
    for name, value in lines.items():
        if value and value != "-":
            click.echo(f"{name + ':':<10}{value}")
    for name, value in (
        ("Details", found.details),
        ("Form", found.form),
        ("Schema", found.schema),
        ("Edits", found.edits),
    ):
        if value is not None:
            click.echo(
                f"\n{name}:\n{value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)}"
            )


@approval.command("approve")
@click.argument("approval_id")
@click.option("--choice", help="One of the options; without it the first.")
@click.option("--edits", help="JSON: what you change, as the approval's schema says.")
@click.option("--reason", default="")
@click.option("--by", help="Who decides. Default: your user name.")
@ledger_options
def approve(
    approval_id: str, choice: str | None, edits: str | None, reason: str, by: str | None,
    address: str, secret: str, output: str | None,
) -> None:  # fmt: skip
    """Approve, as it is or with edits."""
    try:
        changed = json.loads(edits) if edits is not None else None
    except ValueError:
        raise click.BadParameter('--edits is not JSON: write it like \'{"to": "ann@example.com"}\'.') from None
    _decide(address, secret, output, approval_id, lambda one: choice or one.options[0], by, reason, changed)


@approval.command("reject")
@click.argument("approval_id")
@click.option("--reason", required=True, help="Why: the workflow is told.")
@click.option("--by", help="Who decides. Default: your user name.")
@ledger_options
def reject(approval_id: str, reason: str, by: str | None, address: str, secret: str, output: str | None) -> None:
    """Reject, with a reason."""
    _decide(address, secret, output, approval_id, lambda one: one.options[-1], by, reason, None)


def _decide(
    address: str,
    secret: str,
    output: str | None,
    approval_id: str,
    choose: Any,
    by: str | None,
    reason: str,
    edits: Any,
) -> None:
    async def decided(ledger: Any) -> Any:
        from outlive.ledger.client import Decision

        one = await ledger.approval(approval_id)
        return await ledger.decide(approval_id, Decision(choose(one), by or getpass.getuser(), reason, edits))

    found = ask(address, secret, decided)
    show(output, found, ["APPROVAL", "STATE", "BY"], [[found.id, found.state, found.decided_by]], "")


def _moment(milliseconds: int) -> str:
    if not milliseconds:
        return "-"
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
