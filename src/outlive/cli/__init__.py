"""The `outlive` command. Importing this is cheap: what a command needs is imported when it runs."""

from __future__ import annotations

import click

from outlive import __version__
from outlive.cli.lazy import LazyGroup
from outlive.cli.server import server
from outlive.cli.test_server import test_server

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Commands(LazyGroup):
    """The commands by name; a port alone starts a test server, which is how SDKs ask for one."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0].isdecimal():
            return "", test_server, args
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings=CONTEXT,
    lazy={
        "workflow": ("outlive.cli.workflow:workflow", "Start, watch, ask and change workflows."),
        "why": ("outlive.cli.why:why", "Why a run does not move, and what to do about it."),
        "quota": ("outlive.cli.quota:quota", "Limits on model calls: requests, tokens, calls at the same time."),
        "budget": ("outlive.cli.budget:budget", "How much model calls may spend."),
        "cost": ("outlive.cli.cost:cost", "What model calls came to."),
        "approval": ("outlive.cli.approval:approval", "Questions that workflows ask people."),
        "ui": ("outlive.cli.ui:ui", "The web pages alone, for instance of a Temporal cluster."),
        "fake-provider": (
            "outlive.cli.fake_provider:fake_provider",
            "A model provider for tests: OpenAI's and Anthropic's protocols, no model.",
        ),
        "contents": ("outlive.cli.contents:contents", "Payloads that are stored outside of histories."),
        "ledger": ("outlive.cli.ledger:ledger", "Run the ledger alone, for instance beside a Temporal cluster."),
    },
)
@click.version_option(__version__, "-v", "--version", prog_name="outlive")
def main() -> None:
    """Durable execution for AI pipelines: your function outlives the process that runs it.

    Start with `outlive server start`, then point any Temporal SDK at localhost:7233.
    `outlive PORT` starts a server for tests, whose clock can be skipped.
    """


main.add_command(server)
