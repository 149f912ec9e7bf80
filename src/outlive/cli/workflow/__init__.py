"""`outlive workflow`: start, watch, ask and change runs, with the words of Temporal's command line."""

from __future__ import annotations

import click

from outlive.cli.lazy import LazyGroup

_HERE = "outlive.cli.workflow"


@click.group(
    cls=LazyGroup,
    lazy={
        "start": (f"{_HERE}.start:start", "Start a workflow."),
        "execute": (f"{_HERE}.start:execute", "Start a workflow, show its events, wait for its result."),
        "signal-with-start": (f"{_HERE}.start:signal_with_start", "Signal a workflow, starting it if none runs."),
        "list": (f"{_HERE}.look:list_", "List runs, by a filter."),
        "count": (f"{_HERE}.look:count", "Count runs, by a filter."),
        "describe": (f"{_HERE}.look:describe", "What a run is and what it waits for."),
        "show": (f"{_HERE}.look:show", "The events of a run; --follow goes on with new ones."),
        "result": (f"{_HERE}.look:result", "Wait for the end of a run and print its result."),
        "stack": (f"{_HERE}.ask:stack", "Where a workflow's code stands now."),
        "query": (f"{_HERE}.ask:query", "Ask a workflow something."),
        "signal": (f"{_HERE}.ask:signal", "Send a workflow a message."),
        "update": (f"{_HERE}.ask:update", "Have a workflow handle an update, and print what comes of it."),
        "cancel": (f"{_HERE}.change:cancel", "Ask workflows to stop."),
        "terminate": (f"{_HERE}.change:terminate", "Stop workflows at once."),
        "delete": (f"{_HERE}.change:delete", "Remove runs and their histories."),
        "reset": (f"{_HERE}.change:reset", "Run a workflow again from a point of its history."),
        "pause": (f"{_HERE}.change:pause", "Hold a workflow: no new tasks until it is unpaused."),
        "unpause": (f"{_HERE}.change:unpause", "Let a paused workflow go on."),
    },
)
def workflow() -> None:
    """Start, watch, ask and change workflows."""
