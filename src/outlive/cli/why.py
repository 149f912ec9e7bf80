"""`outlive why`: why a run does not move, in a sentence, with the next thing to do."""

from __future__ import annotations

import click

from outlive.cli.remote.session import Session, remote
from outlive.web.views import stuck
from outlive.web.views.groups import RunLink


@click.command()
@click.argument("workflow_id")
@click.option("-r", "--run-id", default="", help="One run of it; the last one otherwise.")
@remote
async def why(session: Session, workflow_id: str, run_id: str) -> None:
    """Why a run does not move, and what to do about it."""
    run = RunLink(namespace=session.namespace, workflow_id=workflow_id, run_id=run_id)
    found = await stuck.reasons(session.client, run)
    if session.output.form != "table":
        reasons = [
            {
                "reason": reason.words,
                "blocked": reason.blocked,
                "next": reason.step.words if reason.step else None,
                "command": (reason.step.command or None) if reason.step else None,
            }
            for reason in found
        ]
        session.output.item({"workflowId": workflow_id, "reasons": reasons})
        return
    for reason in found:
        session.output.text(reason.words, "reason")
        if reason.step is not None:
            session.output.text(f"  {reason.step.words} {reason.step.command}".rstrip(), "next")
