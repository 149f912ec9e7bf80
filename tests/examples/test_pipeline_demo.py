"""The demo itself: two processes killed half-way, and the proof that its exit code stands for."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from examples.research_pipeline.calls import Event, read_log

_ROOT = Path(__file__).parents[2]
_SECONDS = 120


def demo(*options: str) -> subprocess.CompletedProcess[str]:
    """Run it in a pipe, as `make demo` in CI does."""
    command = [sys.executable, "-m", "examples.research_pipeline.demo", *options]
    return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, timeout=_SECONDS, check=False)


@pytest.mark.timeout(_SECONDS + 10)  # two processes, each started twice, on a machine that may be busy
def test_no_completed_call_runs_twice_when_everything_is_killed(
    server_command: list[str], topics: Path, tmp_path: Path
) -> None:
    data = tmp_path / "demo"
    shown = demo(str(topics), "--server", shlex.join(server_command), "--data", str(data), "--pace", "0.5")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "PROVED: no completed call ran twice." in shown.stdout
    assert re.search(r"kill -9 of worker and server, with [1-7] of 8 analyses recorded", shown.stdout)
    # The proof, counted once more and more simply.
    ended = [line.key for line in read_log(data / "model-calls.jsonl") if line.event is Event.END]
    assert len(ended) == len(set(ended)) == 9
    assert len({line.pid for line in read_log(data / "model-calls.jsonl")}) == 2
    assert re.search(r"[1-4] calls? waits? for a turn: the quota holds", shown.stdout)
    assert re.search(r"The budget of \$0\.\d+ has stopped the run: [1-4] calls? waits? for money", shown.stdout)
    assert "It is raised, as by `outlive budget raise research" in shown.stdout
    assert re.search(r"\$0\.0000  the second run: 9 of 9 answers were kept from the first", shown.stdout)
    report = Path(shown.stdout.split("The report: ")[1].splitlines()[1].strip())
    assert "worker died" in report.read_text()


def test_a_server_that_cannot_be_started_is_one_sentence(tmp_path: Path) -> None:
    shown = demo("--server", str(tmp_path / "no-such-server"), "--data", str(tmp_path / "demo"))
    assert shown.returncode == 1
    assert "cannot be run" in shown.stdout
    assert "Traceback" not in shown.stdout + shown.stderr


def test_a_server_that_dies_shows_its_last_words(tmp_path: Path) -> None:
    script = tmp_path / "server.py"
    script.write_text("raise SystemExit('the disk is full')")
    server = shlex.join([sys.executable, str(script)])
    shown = demo("--server", server, "--data", str(tmp_path / "demo"))
    assert shown.returncode == 1
    assert "the disk is full" in shown.stdout
    assert "Traceback" not in shown.stdout + shown.stderr
