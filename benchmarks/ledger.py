"""The ledger under load, over real HTTP: `python -m benchmarks.ledger [--db postgresql://...]`, or `make bench-ledger`.

One pair is what a model call costs: reserve before it, settle after it, both on disk when they are answered. A quota
and two budgets hold for every call. Load comes from processes of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import re
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import psutil

from outlive.ledger.client import NANO, Budget, Call, Granted, Quota, Result, Tokens, connect


async def _caller(address: str, name: str, until: float, pairs: list[float]) -> None:
    async with connect(address) as ledger:
        number = 0
        while time.perf_counter() < until:
            number += 1
            key = f"{name}/{number}"
            began = time.perf_counter()
            call = Call(
                key=key, model="gpt-5-mini", provider="openai", run=name, team="bench",
                estimate=Tokens(1000, 200), maximum=Tokens(1000, 1000),
            )  # fmt: skip
            granted = await ledger.reserve(call, wait=5)
            assert isinstance(granted, Granted), granted
            await ledger.settle(key, Result(usage=Tokens(900, 100, cached=50)))
            pairs.append(time.perf_counter() - began)


def _load(address: str, callers: int, seconds: float, results: multiprocessing.Queue[list[float]]) -> None:
    async def load() -> list[float]:
        pairs: list[float] = []
        until = time.perf_counter() + seconds
        await asyncio.gather(*(_caller(address, uuid.uuid4().hex[:12], until, pairs) for _ in range(callers)))
        return pairs

    results.put(asyncio.run(load()))


def _measure(address: str, server: psutil.Process, callers: int, seconds: float) -> dict[str, float]:
    results: multiprocessing.Queue[list[float]] = multiprocessing.Queue()
    shares = [callers] if callers < 8 else [callers // 2, callers - callers // 2]
    before = server.cpu_times()
    began = time.perf_counter()
    processes = [
        multiprocessing.Process(target=_load, args=(address, share, seconds, results), daemon=True) for share in shares
    ]
    for process in processes:
        process.start()
    pairs = sorted(pair for _ in processes for pair in results.get(timeout=seconds + 60))
    took = time.perf_counter() - began
    after = server.cpu_times()
    for process in processes:
        process.join()
    cpu = (after.user - before.user) + (after.system - before.system)
    return {
        "callers": callers,
        "pairs_per_second": round(len(pairs) / seconds, 1),
        "p50_ms": round(1000 * pairs[len(pairs) // 2], 3),
        "p99_ms": round(1000 * pairs[len(pairs) * 99 // 100], 3),
        "server_cpu_ms_per_pair": round(1000 * cpu / len(pairs), 3),
        "server_cpu_share": round(cpu / took, 2),
        "pairs": len(pairs),
    }


async def _limits(address: str) -> None:
    async with connect(address) as ledger:
        await ledger.put_quota(Quota("model", {"model": "*"}, requests=10**9, tokens=10**12, concurrency=10_000))
        await ledger.put_budget(Budget("team", {"team": "*"}, hard=10**6 * NANO, strict=True, period="day"))
        await ledger.put_budget(Budget("run", {"run": "*"}, hard=10**6 * NANO))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--db", help="default: an SQLite file in a folder of its own")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        place = options.db or str(Path(folder) / "ledger.db")
        command = [sys.executable, "-m", "outlive", "ledger", "--db", place, "--port", "0"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            found = re.match(r"Ledger: (\S+)", child.stdout.readline())
            assert found is not None, "the ledger did not start"
            address = found[1]
            server = psutil.Process(child.pid)
            asyncio.run(_limits(address))
            _measure(address, server, 1, 1.0)  # the price table, connections, caches
            rows = [_measure(address, server, callers, options.seconds) for callers in (1, 8, 32)]
            resident = round(server.memory_info().rss / 1e6)
        finally:
            child.terminate()
            child.wait(20)
    if options.json:
        print(json.dumps({"rows": rows, "resident_mb": resident}, indent=2))
        return
    print(f"{'callers':>8} {'pairs/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'CPU ms/pair':>12}")
    for row in rows:
        print(
            f"{row['callers']:>8} {row['pairs_per_second']:>9} {row['p50_ms']:>8} {row['p99_ms']:>8}"
            f" {row['server_cpu_ms_per_pair']:>12}"
        )
    print(f"resident: {resident} MB")


if __name__ == "__main__":
    main()
