"""Every system, every round: rounds are interleaved, so that a slow minute hits all systems alike."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.install import BUILD
from benchmarks.measure import Figures, Shape, measure, median_figures
from benchmarks.plan import Plan
from benchmarks.processes import ROOT
from benchmarks.protocol.latency import measure_latencies
from benchmarks.protocol.replay import measure_replay
from benchmarks.protocol.server import ProtocolSystem
from benchmarks.protocol.sleepers import measure_sleepers
from benchmarks.systems.base import Running, System, Unavailable

TEN = 10
IN_WORKER = "in the worker"


@dataclass
class Result:
    """One system's column. `problem` says why it has none; `failures` what went wrong on the way."""

    system: System
    version: str = ""
    problem: str = ""
    rounds: list[Figures] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def figures(self) -> Figures:
        """The medians over the rounds."""
        return median_figures(self.rounds)


async def run_all(systems: Sequence[System], plan: Plan) -> list[Result]:
    """Prepare each system, run the rounds, then what is measured once."""
    results = [_prepare(system) for system in systems]
    able = [result for result in results if not result.problem]
    for number in range(1, plan.rounds + 1):
        for result in able:
            figures: Figures = {}
            result.rounds.append(figures)
            await _part(result, f"round {number} of {plan.rounds}", figures, _round, plan)
    for result in able:
        for name, part in (("ready", _ready), ("calls", _calls), ("sleepers", _sleepers)):
            await _part(result, name, result.rounds[0], part, plan)
    return results


def _prepare(system: System) -> Result:
    result = Result(system)
    try:
        result.version = system.prepare()
    except Unavailable as reason:
        result.problem = str(reason)
    return result


Part = Callable[[System, Path, Plan, Figures], Awaitable[None]]


async def _part(result: Result, name: str, figures: Figures, part: Part, plan: Plan) -> None:
    """One part on fresh data. What fails is noted and its logs kept: the other parts and systems go on."""
    said, started = "interrupted", time.perf_counter()
    BUILD.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"run-{result.system.key}-", dir=BUILD))
    try:
        await part(result.system, folder, plan, figures)
        said = "ok"
    except Exception as failure:
        said = f"failed: {_reason(failure)}"
        result.failures.append(f"{name}: {_reason(failure)} (logs in {folder.relative_to(ROOT)})")
    finally:
        if not said.startswith("failed"):
            shutil.rmtree(folder)
    seconds = time.perf_counter() - started
    print(f"{result.system.title}, {name}: {said}, {seconds:.1f} s", file=sys.stderr, flush=True)


def _reason(failure: BaseException) -> str:
    """The innermost reason, of the first failure where there are several."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return f"{type(failure).__name__} {failure}".strip()


async def _round(system: System, folder: Path, plan: Plan, figures: Figures) -> None:
    """The three loads, and memory before and after."""
    running = await system.start(folder)
    try:
        figures["idle_rss"] = float(running.idle_rss)
        await _load(running, plan, figures, "one", 1)
        await _load(running, plan, figures, "ten", TEN)
        await _chain(running, plan, figures)
        engine = running.server or running.worker
        figures["loaded_rss"] = float(engine.rss())
    finally:
        await running.stop()


async def _load(running: Running, plan: Plan, figures: Figures, name: str, steps: int) -> None:
    """Warm up, see how fast it goes, then measure as many workflows as fill the plan's seconds."""
    warm = Shape(steps, plan.in_flight // steps, plan.in_flight // steps)
    cost = await measure(running, warm, plan.timeout)
    count = plan.count_for(warm.count / cost.seconds, plan.least, plan.most)
    await _measure(running, plan, figures, name, Shape(steps, count, plan.in_flight))


async def _chain(running: Running, plan: Plan, figures: Figures) -> None:
    """Sequential steps of one workflow."""
    cost = await measure(running, Shape(TEN, 1, 1), plan.timeout)
    steps = plan.count_for(TEN / cost.seconds, TEN, plan.most_chain_steps)
    await _measure(running, plan, figures, "chain", Shape(steps, 1, 1))


async def _measure(running: Running, plan: Plan, figures: Figures, name: str, shape: Shape) -> None:
    """Rates and CPU of one load: per workflow for one step each, else per step."""
    cost = await measure(running, shape, plan.timeout)
    pieces = shape.count * shape.steps
    figures[f"{name}_count"] = float(pieces)
    figures[f"{name}_rate"] = pieces / cost.seconds
    figures[f"{name}_server_cpu"] = cost.server_cpu / pieces if running.server else IN_WORKER
    figures[f"{name}_worker_cpu"] = cost.worker_cpu / pieces
    figures[f"{name}_total_cpu"] = (cost.server_cpu + cost.worker_cpu) / pieces


async def _ready(system: System, folder: Path, plan: Plan, figures: Figures) -> None:
    """Median time to the first answer over several starts, each on fresh data."""
    taken = []
    for number in range(plan.starts):
        fresh = folder / str(number)
        fresh.mkdir()
        taken.append(await system.ready_seconds(fresh))
    figures["ready"] = statistics.median(taken)


async def _calls(system: System, folder: Path, plan: Plan, figures: Figures) -> None:
    """Latencies of single calls and the long history: the protocol's own, so for its servers only."""
    if not isinstance(system, ProtocolSystem):
        return
    running = await system.start(folder)
    try:
        async with asyncio.timeout(plan.timeout):
            figures |= await measure_latencies(running, plan.latency_calls)
            figures |= await measure_replay(running, folder, plan.replay_events, plan.timeout)
    finally:
        await running.stop()


async def _sleepers(system: System, folder: Path, plan: Plan, figures: Figures) -> None:
    """Many workflows asleep: the protocol's servers only."""
    if isinstance(system, ProtocolSystem):
        async with asyncio.timeout(plan.timeout):
            figures |= await measure_sleepers(system, folder, plan)
