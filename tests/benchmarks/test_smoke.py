"""One small load against the server of this repository, as the benchmark runs it."""

from pathlib import Path

from benchmarks.measure import Shape, measure
from benchmarks.protocol.latency import measure_latencies
from benchmarks.systems.outlive import Outlive


async def test_a_load_is_run_checked_and_measured(tmp_path: Path) -> None:
    system = Outlive(durable=True)
    system.prepare()
    running = await system.start(tmp_path)
    try:
        cost = await measure(running, Shape(steps=2, count=5, in_flight=3), timeout=30)
        assert 0 < cost.seconds < 30
        figures = await measure_latencies(running, 3)
        assert {"start_p50", "signal_p50", "query_p50"} <= figures.keys()
        assert running.idle_rss > 0
    finally:
        await running.stop()
    assert running.server.ended()
    assert running.worker.ended()
