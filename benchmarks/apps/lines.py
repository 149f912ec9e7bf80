"""The other side of `Managed.ask`: one JSON line in, one JSON line out. Needs nothing but Python."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from typing import Any


async def answer_lines(answer: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Say ``ready``, then answer each line until standard input ends; failures go back under ``error``."""
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        reply: dict[str, str] = {}
        try:
            await answer(json.loads(line))
        except Exception as failure:
            reply["error"] = f"{type(failure).__name__}: {failure}"
        print(json.dumps(reply), flush=True)
