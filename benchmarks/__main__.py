"""``python -m benchmarks``: the table; ``python -m benchmarks profile``: where the server's time goes."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from pathlib import Path

from benchmarks.measure import Shape
from benchmarks.profile import Sampling, profile_process, profile_system
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
    profile.add_argument("--gil", action="store_true", help="only threads that hold the interpreter lock")
    profile.add_argument("--output", type=Path, help="keep the collapsed stacks in this file")
    return top


def run_profile(arguments: argparse.Namespace) -> None:
    """The profile mode."""
    sampling = Sampling(
        seconds=arguments.seconds,
        rate=arguments.rate,
        native=arguments.native,
        gil=arguments.gil,
        top=arguments.top,
    )
    if arguments.pid:
        return profile_process(arguments.pid, sampling, arguments.output)
    system = choose([arguments.system])[0]
    asyncio.run(profile_system(system, SHAPES[arguments.workload], sampling, arguments.output))


def main(words: Sequence[str] | None = None) -> None:
    """Run what the command line says."""
    arguments = parser().parse_args(words)
    if arguments.mode == "profile":
        run_profile(arguments)


if __name__ == "__main__":
    main()
