"""Rivals and tools, each installed on demand into its own place under ``.bench/``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.processes import ROOT
from benchmarks.systems.base import Unavailable

BUILD = ROOT / ".bench"
INSTALL_SECONDS = 300


def _run(command: Sequence[str | Path]) -> None:
    words = [str(part) for part in command]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise Unavailable(f"{Path(words[0]).name}: {failure}") from failure
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise Unavailable(f"{Path(words[0]).name} {words[1]}: {lines[-1][:160]}")


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def python_environment(name: str, requirements: Sequence[str]) -> Path:
    """The ``bin`` folder of a virtual environment that holds exactly these pinned requirements.

    A second call is instant: a file in the environment records what was installed.
    Raises `Unavailable` when a package can't be had.
    """
    folder = BUILD / name
    record = folder / "installed.txt"
    wanted = "\n".join(requirements)
    if record.exists() and record.read_text() == wanted:
        return folder / "bin"
    python = folder / "bin" / "python"
    if uv := _uv():
        _run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
        _run([uv, "pip", "install", "--quiet", "--python", python, *requirements])
    else:
        _run([sys.executable, "-m", "venv", "--clear", folder])
        _run([python, "-m", "pip", "install", "--quiet", *requirements])
    record.write_text(wanted)
    return folder / "bin"


def node_packages(name: str, packages: Sequence[str]) -> Path:
    """The ``node_modules`` folder with these pinned npm packages. Raises `Unavailable`."""
    folder = BUILD / name
    record = folder / "installed.txt"
    wanted = "\n".join(packages)
    if not (record.exists() and record.read_text() == wanted):
        npm = shutil.which("npm")
        if npm is None:
            raise Unavailable("npm is not installed")
        folder.mkdir(parents=True, exist_ok=True)
        _run([npm, "install", "--prefix", folder, "--no-audit", "--no-fund", "--silent", *packages])
        record.write_text(wanted)
    return folder / "node_modules"
