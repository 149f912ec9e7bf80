"""Task queues: what may be asked of them, and set."""

from __future__ import annotations

import json
from typing import Any

from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue

from outlive.api.validation.common import RESERVED_QUEUE, Scope, check_queue_name, length
from outlive.errors import InvalidArgument
from outlive.limits import BUILD_IDS_REACHED_MAX, FAIRNESS_KEY_MAX, FAIRNESS_OVERRIDES_MAX, ID_LENGTH_MAX


def describe(request: Any, scope: Scope) -> None:
    """DescribeTaskQueue: also of the server's own queues, and of what other servers have as partitions."""
    queue = request.task_queue
    check_queue_name(queue, request.HasField("task_queue"))
    enhanced = request.api_mode == DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
    partition = queue.name.startswith(RESERVED_QUEUE)
    if enhanced and partition:
        raise InvalidArgument(f"task queue name cannot start with reserved prefix {RESERVED_QUEUE}")
    if partition and not _is_partition(queue.name):
        raise InvalidArgument(f"invalid task queue partition name {queue.name}")
    if request.report_task_reachability and len(request.versions.build_ids) > BUILD_IDS_REACHED_MAX:
        raise InvalidArgument(
            f"Too many build ids queried at once with ReportTaskReachability==true, limit: {BUILD_IDS_REACHED_MAX}"
        )
    if enhanced and queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        raise InvalidArgument(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue."
        )
    if request.report_stats and not enhanced and (partition or _is_sticky(queue)):
        raise InvalidArgument("DescribeTaskQueue stats are only supported for the root partition")


def _is_partition(name: str) -> bool:
    """/_sys/<queue>/<number>"""
    root, _, number = name.removeprefix(RESERVED_QUEUE).rpartition("/")
    return bool(root) and number.isascii() and number.isdecimal() and int(number) > 0


def _is_sticky(queue: TaskQueue) -> bool:
    return queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY and bool(queue.normal_name)


def partitions(request: Any, scope: Scope) -> None:
    """ListTaskQueuePartitions."""
    check_queue_name(request.task_queue, request.HasField("task_queue"))
    if request.task_queue.name.startswith(RESERVED_QUEUE):
        raise InvalidArgument(f"task queue name cannot start with reserved prefix {RESERVED_QUEUE}")


def configure(request: Any, scope: Scope) -> None:
    """UpdateTaskQueueConfig."""
    workflows = request.task_queue_type == TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    for update, name, words in (
        (request.update_queue_rate_limit, "UpdateQueueRateLimit", "rate limit"),
        (
            request.update_fairness_key_rate_limit_default,
            "UpdateFairnessKeyRateLimitDefault",
            "fairness key rate limit",
        ),
    ):
        if workflows and update.HasField("rate_limit"):
            raise InvalidArgument(f"Setting {words} on workflow task queues is not allowed.")
        if not update.rate_limit.requests_per_second >= 0:  # so that NaN is refused too
            raise InvalidArgument(f"RequestsPerSecond for {name} rate limit must be non-negative.")
        if length(update.reason) > ID_LENGTH_MAX:
            raise InvalidArgument(f"{name}.Reason field too long (max {ID_LENGTH_MAX} characters).")
    if length(request.identity) > ID_LENGTH_MAX:
        raise InvalidArgument(f"Identity field too long (max {ID_LENGTH_MAX} characters).")
    _check_weights(request)
    if request.task_queue.startswith(RESERVED_QUEUE):
        raise InvalidArgument(f"task queue family name cannot have prefix {RESERVED_QUEUE} {request.task_queue}")


def _check_weights(request: Any) -> None:
    given, taken = request.set_fairness_weight_overrides, request.unset_fairness_weight_overrides
    total = len(given) + len(taken)
    if total > FAIRNESS_OVERRIDES_MAX:
        raise InvalidArgument(
            f"too many fairness weight overrides in request: got {total}, maximum {FAIRNESS_OVERRIDES_MAX}"
        )
    for key in (*given, *taken):
        if not key:
            raise InvalidArgument("fairness weight override key must not be empty")
        if length(key) > FAIRNESS_KEY_MAX:
            raise InvalidArgument("fairness key length exceeds limit")
        if key in given and not given[key] > 0:
            raise InvalidArgument(
                f"invalid fairness weight weight for key {json.dumps(key)}: must be greater than zero"
            )
        if key in given and key in taken:
            raise InvalidArgument(f"fairness weight override key {json.dumps(key)} present in both set and unset lists")
