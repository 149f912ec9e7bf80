"""The systems by the words that `--only` takes."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.systems.base import System
from benchmarks.systems.dbos import Dbos
from benchmarks.systems.outlive import Outlive
from benchmarks.systems.restate import Restate
from benchmarks.systems.temporal import Temporal

SYSTEMS: tuple[System, ...] = (
    Outlive(durable=True),
    Outlive(durable=False),
    Temporal(durable=True),
    Temporal(durable=False),
    Dbos(),
    Restate(),
)


class UnknownSystem(Exception):
    """A word that names no system."""


def choose(words: Sequence[str]) -> list[System]:
    """The systems that the words name: a key, or a family's first word ("temporal" is both of its own).

    Raises `UnknownSystem` for a word that names none.
    """
    chosen: list[System] = []
    for word in words:
        named = [each for each in SYSTEMS if each.key == word or each.key.startswith(f"{word}-")]
        if not named:
            known = ", ".join(each.key for each in SYSTEMS)
            raise UnknownSystem(f"no system is called {word!r}; there are: {known}")
        chosen += [each for each in named if each not in chosen]
    return chosen
