"""Where the server's time goes under load: ``python -m benchmarks profile``.

py-spy samples the server process while the workload runs; only threads that are running count.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.install import python_environment
from benchmarks.measure import Shape
from benchmarks.processes import Managed, spawn
from benchmarks.systems.base import Running, System

REQUIREMENTS = ["py-spy==0.4.3"]


@dataclass(frozen=True)
class Sampling:
    """How py-spy samples. `gil`: only threads that hold the interpreter lock. `top`: functions to print."""

    seconds: int
    rate: int
    native: bool
    gil: bool
    top: int


def sampler(pid: int, sampling: Sampling, output: Path, folder: Path) -> Managed:
    """py-spy on a process, writing collapsed stacks (one a line, with its count) to `output`."""
    binary = python_environment("py-spy", REQUIREMENTS) / "py-spy"
    command: list[str | Path] = [binary, "record", "--pid", str(pid), "--duration", str(sampling.seconds)]
    command += ["--rate", str(sampling.rate), "--format", "raw", "--function", "--output", output]
    command += ["--native"] if sampling.native else []
    command += ["--gil"] if sampling.gil else []
    return spawn("py-spy", command, folder)


def count_functions(collapsed: str) -> tuple[int, Counter[str], Counter[str]]:
    """Samples in all, and by function: on top of the stack, and anywhere on it."""
    total, own, within = 0, Counter[str](), Counter[str]()
    for line in collapsed.splitlines():
        stack, _, count = line.rpartition(" ")
        frames = stack.split(";")
        samples = int(count)
        total += samples
        own[frames[-1]] += samples
        for frame in set(frames):
            within[frame] += samples
    return total, own, within


def print_top(collapsed: str, top: int) -> None:
    """The functions that cost most, by their own time and with what they call."""
    total, own, within = count_functions(collapsed)
    if not total:
        print("no samples: the process was idle, or ended")
        return
    for title, counts in (("own time", own), ("with callees", within)):
        print(f"\n{title}, of {total} samples")
        for function, samples in counts.most_common(top):
            print(f"  {samples / total:6.1%}  {function}")


async def profile_system(system: System, shape: Shape, sampling: Sampling, output: Path | None) -> None:
    """Load a system with `shape` while its server is sampled, and print the profile."""
    system.prepare()
    with tempfile.TemporaryDirectory(prefix="bench-profile-") as name:
        folder = Path(name)
        running = await system.start(folder)
        try:
            await running.run(shape.steps, max(1, shape.count // 4), shape.in_flight)
            process = running.server or running.worker
            stacks = output or folder / "stacks.txt"
            spy = sampler(process.pid, sampling, stacks, folder)
            try:
                workflows, cpu = await _load_until_end(running, process, shape, spy)
            finally:
                spy.stop()
            print(f"{system.title}: {workflows} workflows of {shape.steps} steps, {shape.in_flight} in flight,")
            print(f"{cpu * 1000 / workflows:.2f} ms of server CPU each (while sampled)")
            print_top(stacks.read_text(), sampling.top)
        finally:
            await running.stop()


async def _load_until_end(running: Running, process: Managed, shape: Shape, spy: Managed) -> tuple[int, float]:
    workflows, before = 0, process.cpu()
    while not spy.ended():
        await running.run(shape.steps, shape.count, shape.in_flight)
        workflows += shape.count
    return workflows, process.cpu() - before


def profile_process(pid: int, sampling: Sampling, output: Path | None) -> None:
    """Print the profile of any running Python process."""
    with tempfile.TemporaryDirectory(prefix="bench-profile-") as name:
        stacks = output or Path(name) / "stacks.txt"
        spy = sampler(pid, sampling, stacks, Path(name))
        if not spy.wait(sampling.seconds + 30):
            spy.kill()
        if not stacks.exists():
            print(f"py-spy could not read process {pid}: {spy.log.read_text().strip()}", file=sys.stderr)
            raise SystemExit(1)
        print_top(stacks.read_text(), sampling.top)
