"""Large work, a part at a time, each on a server and a file of its own: `python -m benchmarks.large`.

Each line is one figure as it is measured; `--json FILE` writes all of them for programs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig

from benchmarks.large.fan_out import measure_fan_out
from benchmarks.large.harness import Figures, Sizes
from benchmarks.large.histories import measure_history
from benchmarks.large.payloads import measure_payloads
from benchmarks.large.pollers import measure_pollers
from benchmarks.large.rows import measure_rows
from benchmarks.large.schedules import measure_schedules
from benchmarks.large.sleepers import measure_many_sleepers

Part = Callable[[Path, Sizes], Awaitable[Figures]]

PARTS: dict[str, Part] = {
    "rows": measure_rows,
    "sleepers": measure_many_sleepers,
    "fan-out": measure_fan_out,
    "history": measure_history,
    "payloads": measure_payloads,
    "schedules": measure_schedules,
    "pollers": measure_pollers,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", help=f"comma-separated parts: {', '.join(PARTS)}")
    parser.add_argument("--scale", type=float, default=1.0, help="of every count (0.01 for a quick look)")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    chosen = options.only.split(",") if options.only else list(PARTS)
    unknown = [name for name in chosen if name not in PARTS]
    if unknown:
        parser.error(f"no such part: {', '.join(unknown)} (there are {', '.join(PARTS)})")
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter="ERROR"))))
    sizes = Sizes().scaled(options.scale)
    results: dict[str, Figures] = {}
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="outlive-large-") as folder:
            results[name] = asyncio.run(PARTS[name](Path(folder), sizes))
        for label, value in results[name].items():
            print(f"{name:10} {label:58} {value:>12,.2f}", flush=True)
    if options.json:
        options.json.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
