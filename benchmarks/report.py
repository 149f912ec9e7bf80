"""What a run says at its end: as text for people, as JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.plan import Plan
from benchmarks.runner import Result
from benchmarks.table import table


def report(results: Sequence[Result], plan: Plan, machine: Mapping[str, str]) -> str:
    """The machine, the table, the versions, and what could not be measured."""
    shown = [result for result in results if not result.problem]
    parts = [
        " · ".join(f"{name} {value}" for name, value in machine.items()),
        table([(result.system.title, result.figures()) for result in shown]),
        "\n".join(_notes(shown, plan)),
        "\n".join(f"- {result.system.title}: {result.version}" for result in shown),
        "\n".join(f"- {result.system.title} is missing: {result.problem}" for result in results if result.problem),
        "\n".join(f"- {result.system.title} failed, {text}" for result in shown for text in result.failures),
    ]
    return "\n\n".join(part for part in parts if part)


def _notes(results: Sequence[Result], plan: Plan) -> list[str]:
    first = results[0].system.title if results else ""
    return [
        f"(N x): the figure divided by that of {first}. Loads: median of {plan.rounds} interleaved "
        f"round{'s' if plan.rounds > 1 else ''}, {plan.in_flight} in flight; the rest measured once. "
        + ("One round is noisy: trust no difference under a third." if plan.rounds == 1 else ""),
        f"Counts in the last round: {_counts(results)}. Every workflow's result was checked.",
    ]


def _counts(results: Sequence[Result]) -> str:
    """How many workflows and steps each rate stands on: they follow each system's pace."""
    names = {"one_count": "one-step workflows", "ten_count": "steps in tens", "chain_count": "steps in one workflow"}
    said = []
    for key, name in names.items():
        numbers = [value for result in results for value in [result.rounds[-1].get(key)] if isinstance(value, float)]
        if numbers:
            said.append(f"{min(numbers):,.0f} to {max(numbers):,.0f} {name}")
    return ", ".join(said)


def as_json(results: Sequence[Result], plan: Plan, machine: Mapping[str, str]) -> dict[str, Any]:
    """Every figure: seconds and bytes, except where the key ends in ``_ms``, ``_p50`` or ``_p99`` (ms)."""
    return {
        "machine": dict(machine),
        "plan": asdict(plan),
        "systems": {
            result.system.key: {
                "title": result.system.title,
                "version": result.version,
                "problem": result.problem,
                "failures": result.failures,
                "median": result.figures() if result.rounds else {},
                "rounds": result.rounds,
            }
            for result in results
        },
    }
