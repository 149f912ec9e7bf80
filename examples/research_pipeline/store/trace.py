"""What every step took: each attempt of each activity, and each model call with its answer."""

from __future__ import annotations

import os
from dataclasses import dataclass

import apsw

from examples.research_pipeline.models import Usage


@dataclass(frozen=True)
class Attempt:
    """One start of an activity. `ended_at` None: its process died under it."""

    step: str
    subject: str
    attempt: int
    pid: int
    started_at: float
    ended_at: float | None
    outcome: str | None


@dataclass(frozen=True)
class StepCost:
    """What all model calls of a step took. `priced` counts the calls whose price is known."""

    step: str
    calls: int
    input_tokens: int
    output_tokens: int
    ms: float
    cost_usd: float
    priced: int


class Trace:
    """Attempts and model calls."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._db = connection

    def begin_attempt(self, run: str, step: str, subject: str, attempt: int, now: float) -> int:
        """Note that an attempt has started; returns its id."""
        self._db.execute(
            "INSERT INTO attempts (run, step, subject, attempt, pid, started_at) VALUES (?, ?, ?, ?, ?, ?)",
            (run, step, subject, attempt, os.getpid(), now),
        )
        return self._db.last_insert_rowid()

    def end_attempt(self, attempt_id: int, outcome: str, now: float) -> None:
        """Note how an attempt ended: `done`, or what went wrong."""
        self._db.execute("UPDATE attempts SET ended_at = ?, outcome = ? WHERE id = ?", (now, outcome, attempt_id))

    def attempts(self, run: str) -> list[Attempt]:
        """All attempts of a run in the order they started."""
        rows = self._db.execute(
            "SELECT step, subject, attempt, pid, started_at, ended_at, outcome FROM attempts WHERE run = ? "
            "ORDER BY started_at, id",
            (run,),
        )
        return [Attempt(*row) for row in rows]

    def save_call(self, key: str, run: str, step: str, model: str, usage: Usage, ms: float, answer: str | None) -> None:
        """Store what a model call took and its answer, if that is to be used again. The first one stands."""
        self._db.execute(
            "INSERT INTO model_calls VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (key, run, step, model, usage.input_tokens, usage.output_tokens, usage.cost_usd, ms, answer),
        )

    def answer(self, key: str) -> str | None:
        """The stored answer of a call that has completed, if it has."""
        found = self._db.execute("SELECT answer FROM model_calls WHERE key = ?", (key,)).get
        return None if found is None else str(found)

    def costs(self, run: str) -> list[StepCost]:
        """What the model calls of a run took, by step."""
        rows = self._db.execute(
            "SELECT step, count(*), sum(input_tokens), sum(output_tokens), sum(ms), total(cost_usd), "
            "count(cost_usd) FROM model_calls WHERE run = ? GROUP BY step ORDER BY min(rowid)",
            (run,),
        )
        return [StepCost(*row) for row in rows]
