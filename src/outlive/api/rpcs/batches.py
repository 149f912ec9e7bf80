"""Batch operations."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    batches = engine.batches
    return {
        "StartBatchOperation": (v.batches.start, batches.start_batch_operation),
        "StopBatchOperation": (v.batches.stop, batches.stop_batch_operation),
        "DescribeBatchOperation": (v.batches.describe, batches.describe_batch_operation),
        "ListBatchOperations": (v.nothing, batches.list_batch_operations),
    }
