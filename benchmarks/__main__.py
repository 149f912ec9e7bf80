"""``python -m benchmarks``: the table; ``python -m benchmarks profile``: where the server's time goes."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Shape
from benchmarks.profile import profile_process, profile_system
from benchmarks.systems.registry import SYSTEMS, choose

SHAPES = {"one": Shape(1, 200, 50), "ten": Shape(10, 50, 50), "chain": Shape(100, 1, 1)}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmarks of outlive and its rivals.")
    modes = top.add_subparsers(dest="mode")
    profile = modes.add_parser("profile", help="sample the server under load and print its top functions")
    profile.add_argument("--system", default="outlive", help="key of the system (default: outlive, on a file)")
    profile.add_argument("--workload", choices=SHAPES, default="one", help="one step, ten steps, or one chain")
    profile.add_argument("--pid", type=int, help="profile this Python process in place of starting a system")
    profile.add_argument("--seconds", type=int, default=10, help="how long to sample (default: 10)")
    profile.add_argument("--rate", type=int, default=250, help="samples a second (default: 250)")
    profile.add_argument("--top", type=int, default=40, help="functions to print (default: 40)")
    profile.add_argument("--native", action="store_true", help="frames of C extensions too (slower)")
    profile.add_argument("--output", type=Path, help="keep the collapsed stacks in this file")
    return top


def run_profile(arguments: argparse.Namespace) -> None:
    """The profile mode."""
    seconds, rate, top = arguments.seconds, arguments.rate, arguments.top
    native, output = arguments.native, arguments.output
    if arguments.pid:
        profile_process(arguments.pid, seconds=seconds, native=native, rate=rate, top=top, output=output)
        return
    system = choose([arguments.system])[0]
    shape = SHAPES[arguments.workload]
    asyncio.run(
        profile_system(system, shape, seconds=seconds, native=native, rate=rate, top=top, output=output)
    )


def main(words: Sequence[str] | None = None) -> None:
    """Run what the command line says."""
    arguments = parser().parse_args(words)
    if arguments.mode == "profile":
        run_profile(arguments)


if __name__ == "__main__":
    main()
