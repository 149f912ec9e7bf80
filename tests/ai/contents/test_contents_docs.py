"""The page's code runs as printed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from outlive.server import Server

PAGE = Path(__file__).parents[3] / "docs" / "conversations.md"


async def test_the_pages_code_connects(server: Server, tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    names: dict[str, Any] = {}
    exec(code, names)
    client = await names["connect"](f"127.0.0.1:{server.port}", str(tmp_path))
    await client.start_workflow("Chat", "x" * 2000, id="chat", task_queue="q")
    assert [path for path in tmp_path.rglob("*") if path.is_file()]
