"""The options that set the dynamic configuration."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])


def pairs(what: str) -> Callable[[click.Context, click.Parameter, Sequence[str]], dict[str, str]]:
    """A callback that reads KEY=VALUE options."""

    def read(_context: click.Context, _parameter: click.Parameter, values: Sequence[str]) -> dict[str, str]:
        result = {}
        for value in values:
            key, equals, rest = value.partition("=")
            if not equals or not key:
                raise click.BadParameter(f"{value!r} is not {what}")
            result[key] = rest
        return result

    return read


def _values(context: click.Context, parameter: click.Parameter, values: Sequence[str]) -> dict[str, object]:
    """KEY=JSON options."""
    result: dict[str, object] = {}
    for key, text in pairs("KEY=JSON")(context, parameter, values).items():
        try:
            result[key] = json.loads(text)
        except ValueError:
            raise click.BadParameter(
                f"the value of {key} is not JSON: write text in quotes, {key}='\"text\"'"
            ) from None
    return result


def dynamic_options(command: Command) -> Command:
    """--dynamic-config-value and --dynamic-config-file."""
    for option in (
        click.option(
            "--dynamic-config-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help="YAML file of Temporal's dynamic configuration; read again when it changes, or on SIGHUP.",
        ),
        click.option(
            "--dynamic-config-value",
            "dynamic_config",
            multiple=True,
            callback=_values,
            help="KEY=JSON of Temporal's dynamic configuration. Repeatable. Goes before the file.",
        ),
    ):
        command = option(command)
    return command
