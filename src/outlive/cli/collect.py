"""`outlive ledger gc`: contents whose runs are gone."""

from __future__ import annotations

import time
from typing import Any

import click

from outlive.cli.remote.session import Session, remote

_ASKED_AT_ONCE = 50  # runs of one question to the server


@click.command("gc")
@click.option("--ledger", "ledger_address", envvar="OUTLIVE_LEDGER", default="", help="Default: http://127.0.0.1:9233")
@click.option("--secret", envvar="OUTLIVE_LEDGER_SECRET", default="", help="The ledger's secret, if it has one.")
@click.option("--older", type=click.FloatRange(0), default=24.0, show_default=True, help="Hours that an owner is old.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@remote
async def gc(session: Session, ledger_address: str, secret: str, older: float, dry_run: bool) -> None:
    """Release the contents of runs that the server does not know any more.

    An outlive server does so by itself for its own ledger. Beside a Temporal cluster run this now and then.
    """
    from outlive.cli.remote.session import Failed
    from outlive.ledger.client import LedgerError, connect

    before = round((time.time() - older * 3600) * 1000)
    try:
        async with connect(ledger_address, secret) as ledger:
            owners = await ledger.content_owners(session.namespace, before=before)
            unknown = await _unknown(session, [owner.owner for owner in owners])
            gone = [owner for owner in owners if owner.owner in unknown]
            for owner in gone:
                if not dry_run:
                    await ledger.release_content(namespace=session.namespace, owner=owner.owner)
    except LedgerError as error:
        raise Failed(error.message) from None
    size = sum(owner.size for owner in gone)
    done = "would be released" if dry_run else "released"
    click.echo(f"{len(gone)} of {len(owners)} runs are gone: {size:,} bytes {done}.")


async def _unknown(session: Session, run_ids: list[str]) -> set[str]:
    """Those that are run ids and that the server does not list."""
    from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

    unknown: set[str] = set()
    asked = [run_id for run_id in run_ids if _is_run_id(run_id)]
    for at in range(0, len(asked), _ASKED_AT_ONCE):
        some = asked[at : at + _ASKED_AT_ONCE]
        query = f"RunId IN ({', '.join(repr(run_id) for run_id in some)})"
        request = ListWorkflowExecutionsRequest(namespace=session.namespace, query=query, page_size=_ASKED_AT_ONCE)
        answer: Any = await session.client.list_workflow_executions(request)
        unknown |= set(some) - {execution.execution.run_id for execution in answer.executions}
    return unknown


def _is_run_id(text: str) -> bool:
    return len(text) == 36 and all(letter in "0123456789abcdef-" for letter in text)
