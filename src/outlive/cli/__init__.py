"""The `outlive` command. Importing this is cheap: what a command needs is imported when it runs."""

from __future__ import annotations

import click

from outlive import __version__
from outlive.cli.server import server

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@click.group(context_settings=CONTEXT)
@click.version_option(__version__, "-v", "--version", prog_name="outlive")
def main() -> None:
    """Durable execution for AI pipelines: your function outlives the process that runs it.

    Start with `outlive server start`, then point any Temporal SDK at localhost:7233.
    """


main.add_command(server)
