"""``python -m benchmarks``: the table; ``python -m benchmarks profile``: where the server's time goes."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.measure import Shape
from benchmarks.plan import FULL, QUICK
from benchmarks.profile import Sampling, profile_process, profile_system
from benchmarks.report import as_json, report
from benchmarks.runner import run_all
from benchmarks.systems.base import Unavailable
from benchmarks.systems.registry import SYSTEMS, UnknownSystem, choose

SHAPES = {"one": Shape(1, 200, 50), "ten": Shape(10, 50, 50), "chain": Shape(100, 1, 1)}


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(prog="python -m benchmarks", description="Benchmarks of outlive and its rivals.")
    top.add_argument("--only", help="comma-separated systems: " + ", ".join(each.key for each in SYSTEMS))
    top.add_argument("--quick", action="store_true", help="small counts, one round: two to three minutes")
    top.add_argument("--json", type=Path, metavar="FILE", help="write every figure of every round to this file")
    top.add_argument("--sleepers", type=int, help="workflows put to sleep (default: 5,000, quick 300)")
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


def run_table(arguments: argparse.Namespace) -> int:
    """The table; 1 when a system that is here failed a part, else 0."""
    systems = choose(arguments.only.split(",")) if arguments.only else list(SYSTEMS)
    plan = QUICK if arguments.quick else FULL
    if arguments.sleepers:
        plan = replace(plan, sleepers=arguments.sleepers)
    machine = describe()
    results = asyncio.run(run_all(systems, plan))
    print(report(results, plan, machine))
    if arguments.json:
        arguments.json.write_text(json.dumps(as_json(results, plan, machine), indent=2) + "\n")
    return 1 if any(result.failures for result in results) else 0


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line says; the exit code."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # so that servers are stopped too
    top = parser()
    arguments = top.parse_args(words)
    try:
        if arguments.mode == "profile":
            run_profile(arguments)
            return 0
        return run_table(arguments)
    except UnknownSystem as unknown:
        top.error(str(unknown))
    except Unavailable as reason:
        print(f"can't run: {reason}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
