"""Progress for a person: bars on a terminal, plain lines in a pipe."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from examples.research_pipeline import contract

_LINES_PER_STAGE = 5
_TITLE_CHARS = 24


class Display:
    """Shows the progress of one run; a context manager, which leaves the last state on the screen."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live: Progress | None = None
        self._last = ""
        if console.is_terminal:
            self._live = Progress(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("[dim]{task.fields[running]}"),
                console=console,
            )
            self._bar = self._live.add_task("starting", total=None, running="")

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def say(self, text: str) -> None:
        """A line (rich markup) that stays."""
        self._console.print(text, highlight=False, soft_wrap=True)

    def show(self, progress: contract.Progress) -> None:
        """The state of the run now."""
        done, total = _of_stage(progress)
        if self._live:
            running = ", ".join(title[:_TITLE_CHARS] for title in progress.running)
            self._live.update(
                self._bar, description=f"{progress.stage:<22}", completed=done, total=total, running=running
            )
            return
        line = f"{progress.stage}" + (f": {_rounded(done, total)} of {total}" if total else "")
        self._say_once(line)

    def note_silence(self) -> None:
        """Nobody answers at the moment."""
        if self._live:
            self._live.update(self._bar, running="waiting for a worker to answer")
        else:
            self._say_once("waiting for a worker to answer")

    def _say_once(self, line: str) -> None:
        if line != self._last:
            self._last = line
            self.say(line)


def _of_stage(progress: contract.Progress) -> tuple[int, int | None]:
    """What the stage counts: how many are done, and of how many (None: it counts nothing)."""
    match progress.stage:
        case contract.Stage.EMBEDDING:
            return progress.embedded, progress.documents
        case contract.Stage.ANALYSING:
            return progress.analysed + progress.failed, progress.documents
        case _:
            return 0, None


def _rounded(done: int, total: int) -> int:
    """`done` on a grid of a few lines a stage, so that a log stays short."""
    size = max(1, total // _LINES_PER_STAGE)
    return done if done == total else done - done % size
