"""Servers in other processes, as tests meet them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from temporalio.client import Client

START_SECONDS = 30


async def connected(address: str, plugins: Sequence[Any] = (), **options: Any) -> Client:
    """A client of the server, once it answers. Raises TimeoutError if it does not in `START_SECONDS`."""
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                return await Client.connect(address, plugins=list(plugins), **options)
            except RuntimeError:
                await asyncio.sleep(0.1)
