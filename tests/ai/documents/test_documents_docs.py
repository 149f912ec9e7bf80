"""The page's code runs as printed."""

from __future__ import annotations

import re
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest
from temporalio.client import Client

from outlive.ai.documents import HashingEmbedder

PAGE = Path(__file__).parents[3] / "docs" / "documents.md"


async def test_the_pages_code_keeps_a_library(
    client: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    assert len(blocks) == 2
    script = tmp_path / "library_of_the_page.py"
    script.write_text("\n".join(blocks))
    spec = spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, script.stem, module)
    spec.loader.exec_module(module)
    folder = tmp_path / "papers"
    folder.mkdir()
    (folder / "boats.md").write_text("# Boats\n\nA boat crosses the river.")
    await module.update(client, str(folder), str(tmp_path / "library.db"), HashingEmbedder())
    assert capsys.readouterr().out == "1 read, 0 unchanged, 1 texts embedded\n"
    (hit,) = await module.ask(str(tmp_path / "library.db"), "boats", HashingEmbedder())
    assert (hit.heading, hit.text) == ("Boats", "A boat crosses the river.")
