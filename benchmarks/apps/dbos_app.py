"""DBOS on SQLite: the engine, the work and the client in one process, as that library is used.

Synchronous workflows on threads: faster here than its asynchronous ones for short workflows, and as
fast for long ones. Run with the folder of the database; requests come as lines (see `lines`).
"""

from __future__ import annotations

import asyncio
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pysqlite3  # type: ignore[import-not-found]

sys.modules["sqlite3"] = pysqlite3  # before DBOS: it needs a newer SQLite than some Pythons link

from dbos import DBOS  # type: ignore[import-not-found]  # noqa: E402

from benchmarks.apps.lines import answer_lines  # noqa: E402


@DBOS.step()  # type: ignore[untyped-decorator]
def step(done: int) -> int:
    """One step that costs nothing."""
    return done + 1


@DBOS.workflow()  # type: ignore[untyped-decorator]
def chain(steps: int) -> int:
    """Sequential steps; the result is how many there were."""
    done = 0
    for _ in range(steps):
        done = step(done)
    return done


def run_one(steps: int) -> None:
    """Start a workflow, wait for its result, check it."""
    result = DBOS.start_workflow(chain, steps).get_result()
    if result != steps:
        raise ValueError(f"a workflow answered {result!r} in place of {steps}")


def run_load(steps: int, count: int, in_flight: int) -> None:
    """Run `count` workflows, `in_flight` at once."""
    with ThreadPoolExecutor(in_flight) as pool:
        for _ in pool.map(run_one, [steps] * count):
            continue


async def answer(request: dict[str, Any]) -> None:
    """Run the load that a line asks for."""
    await asyncio.to_thread(run_load, request["steps"], request["count"], request["in_flight"])


def main(folder: Path) -> None:
    """Launch the engine and serve the lines."""
    DBOS(
        config={
            "name": "bench",
            "system_database_url": f"sqlite:///{folder / 'dbos.sqlite'}",
            "log_level": "ERROR",
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    asyncio.run(answer_lines(answer))
    DBOS.destroy()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
