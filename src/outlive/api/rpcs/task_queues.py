"""Task queues: describing and configuring them."""

from __future__ import annotations

from outlive.api import validation as v
from outlive.api.rpcs import Rpcs
from outlive.engine.engine import Engine


def rpcs(engine: Engine) -> Rpcs:
    queues = engine.task_queues
    return {
        "DescribeTaskQueue": (v.task_queues.describe, queues.describe_task_queue),
        "ListTaskQueuePartitions": (v.task_queues.partitions, queues.list_task_queue_partitions),
        "UpdateTaskQueueConfig": (v.task_queues.configure, queues.update_task_queue_config),
    }
