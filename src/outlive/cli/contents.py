"""`outlive contents`: payloads that a codec keeps outside of histories (docs/conversations.md)."""

from __future__ import annotations

import click

from outlive.cli.remote.session import Session, remote


@click.group()
def contents() -> None:
    """Payloads that are stored outside of histories."""


@contents.command("gc")
@click.option(
    "--store",
    "place",
    envvar="OUTLIVE_CONTENTS",
    required=True,
    help="A folder, s3://BUCKET/PREFIX?endpoint=URL, ledger: or ledger:URL.",
)
@click.option(
    "--older", type=click.FloatRange(0), default=24.0, show_default=True, help="Hours: what is newer is left alone."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@remote
async def gc(session: Session, place: str, older: float, dry_run: bool) -> None:
    """Remove the contents of workflows that the server does not know any more.

    Works on any Temporal server. Run it now and then, once for each namespace that uses the store.
    """
    from outlive.ai.contents import ContentsError, collect, store_at
    from outlive.cli.remote.session import Failed
    from outlive.ledger.client import LedgerError

    try:
        found = await collect(store_at(place), session.client, session.namespace, grace=older * 3600, dry_run=dry_run)
    except (ContentsError, LedgerError) as error:
        raise Failed(str(error)) from None
    done = "would go" if dry_run else "released"
    removed = "would be removed" if dry_run else "removed"
    click.echo(
        f"{len(found.gone)} of {found.owners} workflows are gone: {done}."
        f" {found.swept.contents} contents that nobody holds, {found.swept.size:,} bytes: {removed}."
    )
