"""docs/testing.md: what it says is done as it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "testing.md"
BLOCK = re.compile(r"^```(python|sh)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLUGIN = "outlive.pytest_plugin"


def blocks(kind: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE.read_text()) if found == kind]


@pytest.mark.timeout(300)
def test_its_programs_and_commands_run(tmp_path: Path) -> None:
    for text in blocks("python"):
        name = re.match(r"# (\w+\.py)\n", text)
        assert name is not None, f"a block begins with the name of its file: {text[:40]!r}"
        (tmp_path / name[1]).write_text(text)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    if not any(each.value == PLUGIN for each in entry_points(group="pytest11")):
        environment["PYTEST_PLUGINS"] = PLUGIN  # the project is installed without its entry points
    commands = [line for text in blocks("sh") for line in text.splitlines()]
    assert len(commands) >= 3
    for command in commands:
        program, *arguments = shlex.split(command)
        run = [sys.executable, "-m", program] if program == "pytest" else [sys.executable]
        ended = subprocess.run(
            [*run, *arguments], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert ended.returncode == 0, f"{command}\n{ended.stdout}\n{ended.stderr}"
