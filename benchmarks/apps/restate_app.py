"""Restate's side of the work. ``worker PORT``: the service. ``client URL``: drives loads, asked by lines."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import aiohttp  # type: ignore[import-not-found]
import restate  # type: ignore[import-not-found]
from hypercorn.asyncio import serve  # type: ignore[import-not-found]
from hypercorn.config import Config  # type: ignore[import-not-found]

from benchmarks.apps.lines import answer_lines

bench = restate.Service("bench")


async def step(done: int) -> int:
    """One step that costs nothing."""
    return done + 1


@bench.handler()  # type: ignore[untyped-decorator]
async def chain(ctx: restate.Context, steps: int) -> int:
    """Sequential durable steps; the result is how many there were."""
    done = 0
    for _ in range(steps):
        done = await ctx.run_typed("step", step, done=done)
    return done


async def work(port: str) -> None:
    """Serve the handler until killed."""
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.accesslog = None
    await serve(restate.app(services=[bench]), config)


async def drive(ingress: str) -> None:
    """Run the loads that the lines ask for, by the server's HTTP ingress."""
    async with aiohttp.ClientSession(ingress) as http:

        async def run_one(steps: int) -> None:
            async with http.post("/bench/chain", json=steps) as response:
                result = await response.json()
                if response.status != 200 or result != steps:
                    raise ValueError(f"a handler answered {response.status} {result!r} in place of {steps}")

        async def answer(request: dict[str, Any]) -> None:
            waiting = iter(range(request["count"]))

            async def lane() -> None:
                for _ in waiting:
                    await run_one(request["steps"])

            await asyncio.gather(*(lane() for _ in range(request["in_flight"])))

        await answer_lines(answer)


if __name__ == "__main__":
    asyncio.run({"worker": work, "client": drive}[sys.argv[1]](sys.argv[2]))
