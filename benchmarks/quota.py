"""One quota, many callers, a provider that refuses what is above its limits: `make bench-quota`.

Fifty callers in four processes share 60,000 tokens and 100 requests a minute through one ledger. The provider counts
minutes by the clock and answers 429 above them. Told at the end: how much of what is permitted was used, how many calls
were refused, how long callers waited. A minute lasts `--minute` seconds; `--away` lets callers sleep and ask again, as
workflows do, where they would otherwise wait in a request.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from outlive.ledger.client import Call, Granted, Price, ProviderLimits, Quota, Result, Tokens, connect
from outlive.ledger.http.connection import Pool
from outlive.ledger.http.message import Request, Response
from outlive.ledger.http.server import HttpServer

TOKENS, REQUESTS, CALLERS, PROCESSES = 60_000, 100, 50, 4


def _provider(minute: float, ports: multiprocessing.Queue[int]) -> None:
    seen = {"answered": 0, "refused": 0, "tokens": 0}
    window = {"number": -1, "requests": 0, "tokens": 0}

    async def answer(request: Request) -> Response:
        if request.method == "GET":
            return Response(200, json.dumps(seen).encode())
        tokens = json.loads(request.body)["tokens"]
        number = int(time.monotonic() / minute)
        if window["number"] != number:
            window.update(number=number, requests=0, tokens=0)
        if window["requests"] + 1 > REQUESTS or window["tokens"] + tokens > TOKENS:
            seen["refused"] += 1
            return Response(429, b"{}")
        window["requests"] += 1
        window["tokens"] += tokens
        seen["answered"] += 1
        seen["tokens"] += tokens
        await asyncio.sleep(random.uniform(0.5, 2) * minute / 60)
        return Response(200, b"{}")

    async def serve() -> None:
        server = HttpServer(answer, "127.0.0.1", 0)
        await server.start()
        ports.put(server.port)
        await asyncio.Event().wait()

    asyncio.run(serve())


async def _caller(ledger: Any, provider: Pool, name: str, options: argparse.Namespace, until: float) -> list[float]:
    chance, waits, number = random.Random(name), [], 0
    while time.monotonic() < until:
        number += 1
        key, asked = f"{name}/{number}", time.monotonic()
        call = Call(key=key, model="m", run=name, estimate=Tokens(400, 600), price=Price(1, 1))
        answer = await ledger.reserve(call, wait=0 if options.away else 20)
        while not isinstance(answer, Granted):
            if options.away:
                await asyncio.sleep(answer.retry_after)
            answer = await ledger.reserve(call, wait=0 if options.away else 20)
        waits.append(time.monotonic() - asked)
        tokens = chance.randrange(300, 900)
        status, _ = await provider.request("POST", "/", json.dumps({"tokens": tokens}).encode(), timeout=60)
        limited = ProviderLimits(limited=True, retry_after=options.minute / 60)
        done = Result(usage=Tokens(tokens, 0)) if status == 200 else Result(outcome="error", limits=limited)
        await ledger.settle(key, done)
    return waits


def _worker(
    place: int, address: str, port: int, options: argparse.Namespace, until: float, waits: multiprocessing.Queue[Any]
) -> None:
    async def work() -> list[float]:
        async with connect(address) as ledger:
            provider = Pool(f"http://127.0.0.1:{port}")
            names = [f"run-{number}" for number in range(place, CALLERS, PROCESSES)]
            found = await asyncio.gather(*(_caller(ledger, provider, name, options, until) for name in names))
        return [wait for some in found for wait in some]

    waits.put(asyncio.run(work()))


def _measure(address: str, port: int, options: argparse.Namespace) -> dict[str, float]:
    async def prepare() -> None:
        async with connect(address) as ledger:
            await ledger.put_quota(Quota("q", {"model": "m"}, requests=REQUESTS, tokens=TOKENS, per=options.minute))

    async def seen() -> Any:
        return json.loads((await Pool(f"http://127.0.0.1:{port}").request("GET", "/", timeout=10))[1])

    asyncio.run(prepare())
    until = time.monotonic() + options.minute * options.minutes
    queue: multiprocessing.Queue[Any] = multiprocessing.Queue()
    workers = [
        multiprocessing.Process(target=_worker, args=(place, address, port, options, until, queue), daemon=True)
        for place in range(PROCESSES)
    ]
    for worker in workers:
        worker.start()
    time.sleep(max(0.0, until - time.monotonic()))
    found = asyncio.run(seen())
    waits = sorted(wait for _ in workers for wait in queue.get(timeout=options.minute * 2 + 60))
    middle = statistics.median(waits)
    return {
        "used_of_permitted": round(found["tokens"] / (TOKENS * options.minutes), 4),
        "refused_share": round(found["refused"] / max(1, found["refused"] + found["answered"]), 4),
        "calls": found["answered"],
        "median_wait_s": round(middle, 2),
        "longest_wait_s": round(waits[-1], 2),
        "longest_over_median": round(waits[-1] / max(middle, 1e-9), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minute", type=float, default=6.0, help="seconds that a minute lasts")
    parser.add_argument("--minutes", type=int, default=10)
    parser.add_argument("--away", action="store_true", help="callers sleep and ask again")
    options = parser.parse_args()
    ports: multiprocessing.Queue[int] = multiprocessing.Queue()
    multiprocessing.Process(target=_provider, args=(options.minute, ports), daemon=True).start()
    port = ports.get(timeout=30)
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "outlive", "ledger", "--db", str(Path(folder) / "ledger.db"), "--port", "0"]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert child.stdout is not None
            address = re.match(r"Ledger: (\S+)", child.stdout.readline())
            assert address is not None, "the ledger did not start"
            print(json.dumps(_measure(address[1], port, options), indent=2))
        finally:
            child.terminate()
            child.wait(20)


if __name__ == "__main__":
    main()
