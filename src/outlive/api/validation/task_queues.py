"""Task queues: what may be asked of them, and set."""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind

from outlive.api.validation.common import Scope, check_queue_name
from outlive.errors import InvalidArgument


def describe(request: Any, scope: Scope) -> None:
    """DescribeTaskQueue: also of the server's own queues."""
    check_queue_name(request.task_queue, request.HasField("task_queue"))
    enhanced = request.api_mode == DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
    if enhanced and request.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        raise InvalidArgument(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue."
        )
