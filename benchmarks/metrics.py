"""The rows of the table: what each figure means, and how it is shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.measure import Figure

Shown = Callable[[float], str]


def _decimal(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def _mebibytes(value: float) -> str:
    return _decimal(value / 2**20)


def _kibibytes(value: float) -> str:
    return _decimal(value / 2**10)


def _milliseconds(value: float) -> str:
    return _decimal(value * 1000)


def _whole(value: float) -> str:
    return f"{value:,.0f}"


@dataclass(frozen=True)
class Metric:
    """One row. `compared`: whether a ratio to the first system makes sense."""

    key: str
    label: str
    shown: Shown = _decimal
    compared: bool = True

    def cell(self, figure: Figure | None, first: Figure | None) -> str:
        """A figure as text, with its ratio to the first system's."""
        if figure is None:
            return "-"
        if isinstance(figure, str):
            return figure
        text = self.shown(figure)
        if not self.compared or not isinstance(first, float) or first <= 0 or figure is first:
            return text
        return f"{text} ({_decimal(figure / first)}x)"


METRICS: tuple[Metric, ...] = (
    Metric("one_rate", "one-step workflows, per second"),
    Metric("one_server_cpu", "  server CPU per workflow, ms", _milliseconds),
    Metric("one_worker_cpu", "  worker CPU per workflow, ms", _milliseconds),
    Metric("one_total_cpu", "  server + worker CPU, ms", _milliseconds),
    Metric("ten_rate", "ten-step workflows, steps per second"),
    Metric("ten_server_cpu", "  server CPU per step, ms", _milliseconds),
    Metric("ten_worker_cpu", "  worker CPU per step, ms", _milliseconds),
    Metric("ten_total_cpu", "  server + worker CPU, ms", _milliseconds),
    Metric("chain_rate", "one workflow, steps per second"),
    Metric("chain_server_cpu", "  server CPU per step, ms", _milliseconds),
    Metric("ready", "ready after the command, ms", _milliseconds),
    Metric("idle_rss", "resident when idle, MiB", _mebibytes),
    Metric("loaded_rss", "resident after the load, MiB", _mebibytes),
    Metric("start_p50", "start a workflow, p50 ms"),
    Metric("start_p99", "  p99 ms"),
    Metric("signal_p50", "signal, p50 ms"),
    Metric("signal_p99", "  p99 ms"),
    Metric("query_p50", "query, p50 ms"),
    Metric("query_p99", "  p99 ms"),
    Metric("update_p50", "update, p50 ms"),
    Metric("update_p99", "  p99 ms"),
    Metric("sleepers", "workflows put to sleep", _whole, compared=False),
    Metric("sleeper_rate", "  put to sleep, per second"),
    Metric("sleeper_bytes", "  memory growth for each, KiB", _kibibytes),
    Metric("sleeper_bytes_later", "  the same, without the first tenth", _kibibytes),
    Metric("sleeper_bytes_restarted", "  the same, after a restart", _kibibytes, compared=False),
    Metric("restart", "  kill -9 to the first answer, ms", _milliseconds, compared=False),
    Metric("replay_events", "long history, events", _whole, compared=False),
    Metric("replay_answers", "  answers that carry it", _whole, compared=False),
    Metric("replay_largest", "  largest answer, KiB", _kibibytes, compared=False),
    Metric("replay_pages_ms", "  reading its pages, ms"),
    Metric("replay_ms", "  replayed by a fresh worker, ms"),
)
