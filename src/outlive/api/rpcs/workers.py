"""The registry of workers: heartbeats, lists, shutting down."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    workers = engine.workers
    return {
        "RecordWorkerHeartbeat": (v.workers.heartbeat, workers.record_worker_heartbeat),
        "ListWorkers": (v.nothing, workers.list_workers),
        "CountWorkers": (v.nothing, workers.count_workers),
        "DescribeWorker": (v.nothing, workers.describe_worker),
        "ShutdownWorker": (v.workers.shutdown, workers.shutdown_worker),
        "FetchWorkerConfig": (v.nothing, workers.fetch_worker_config),
        "UpdateWorkerConfig": (v.nothing, workers.update_worker_config),
    }
