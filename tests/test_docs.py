"""What the pages say is so: the README's workflow runs as printed, and every command in them exists."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import sys
from pathlib import Path

import click
import pytest

from examples.research_pipeline.processes import free_port
from outlive.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*/README.md"))
    if path.name != "CHANGELOG.md"
)
_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.DOTALL | re.MULTILINE)
_OUTLIVE = str(Path(sys.executable).with_name("outlive"))


def _blocks(page: Path) -> list[tuple[str, str]]:
    """(language, text) of each fenced block."""
    return _BLOCK.findall(page.read_text())


def _commands(page: Path, *programs: str) -> list[list[str]]:
    """The lines of shell blocks that call one of the programs, as words without comments."""
    lines = [line for language, text in _blocks(page) if language in ("", "sh", "bash") for line in text.splitlines()]
    words = [shlex.split(line.removeprefix("$ "), comments=True) for line in lines if _is_command(line)]
    return [each for each in words if each and each[0] in programs]


def _is_command(line: str) -> bool:
    return bool(re.match(r"(\$ )?(make|outlive)\b", line)) and not line.endswith("\\")


def test_the_pages_are_found() -> None:
    assert {"README.md", "architecture.md", "compatibility.md"} <= {page.name for page in PAGES}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_outlive_command_of_a_page_exists_with_its_flags(page: Path) -> None:
    for words in _commands(page, "outlive"):
        _parse(main, words[1:], " ".join(words))


def _parse(command: click.Command, words: list[str], line: str) -> None:
    """Parse the words down to the command that would run, without running it."""
    try:
        context = command.make_context(line, list(words))
        if isinstance(command, click.Group):
            _, following, rest = command.resolve_command(context, [*context._protected_args, *context.args])
            assert following is not None
            _parse(following, rest, line)
    except click.exceptions.Exit:
        return  # --help, --version
    except click.UsageError as error:
        raise AssertionError(f"`{line}`: {error.format_message()}") from None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_of_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {words[1] for words in _commands(page, "make")} | set(re.findall(r"`make ([a-z-]+)", page.read_text()))
    assert named <= targets


async def test_the_workflow_of_the_readme_runs_as_printed_on_the_server_of_the_readme(tmp_path: Path) -> None:
    code = next(text for language, text in _blocks(ROOT / "README.md") if language == "python")
    port = free_port()
    assert "localhost:7233" in code
    script = tmp_path / "digest.py"
    script.write_text(code.replace("localhost:7233", f"localhost:{port}"))
    environment = {**os.environ, "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    server = await asyncio.create_subprocess_exec(
        *(_OUTLIVE, "server", "start", "--port", str(port), "--ui-port", "0"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert server.stdout is not None
        async with asyncio.timeout(30):
            while b"Server:" not in await server.stdout.readline():
                assert server.returncode is None
            run = await asyncio.create_subprocess_exec(
                *(sys.executable, str(script)), env=environment, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await run.communicate()
        assert out.decode().strip() == "['One', 'Three']"
    finally:
        server.terminate()
        await server.wait()
    kept = [path for path in tmp_path.rglob("*.db") if path.stat().st_size]
    assert kept, "the data folder holds the server's file"
