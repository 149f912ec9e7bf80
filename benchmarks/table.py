"""The table, as Markdown that reads well in a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.measure import Figures
from benchmarks.metrics import METRICS, Metric

WORDS_SHOWN = 28


def table(columns: Sequence[tuple[str, Figures]]) -> str:
    """One row for each metric that any system has; ratios are to the first column.

    Words longer than a cell are cut there and given in full below the table.
    """
    first = columns[0][1] if columns else {}
    rows = [["", *(title for title, _ in columns)]]
    notes: list[str] = []
    for metric in METRICS:
        if any(metric.key in figures for _, figures in columns):
            rows.append([metric.label, *(_cell(metric, one, first, notes) for one in columns)])
    return "\n".join([*_aligned(rows), *([""] if notes else []), *dict.fromkeys(notes)])


def _cell(metric: Metric, column: tuple[str, Figures], first: Figures, notes: list[str]) -> str:
    title, figures = column
    text = metric.cell(figures.get(metric.key), first.get(metric.key))
    if len(text) <= WORDS_SHOWN:
        return text
    notes.append(f"- {title}: {text}")
    return f"{text[: WORDS_SHOWN - 3].strip()}..."


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = [f"| {' | '.join(_padded(row, widths))} |" for row in rows]
    rule = "|".join(("-" * (width + 1) + ":") if index else "-" * (width + 2) for index, width in enumerate(widths))
    return [lines[0], f"|{rule}|", *lines[1:]]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    return [row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))]
