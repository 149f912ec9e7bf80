"""Lists, counts and task queue descriptions. Filters are checked where they are parsed."""

from __future__ import annotations

from typing import Any

from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind

from outlive.api.validation.common import Scope, check_queue
from outlive.errors import InvalidArgument


def page(request: Any, scope: Scope) -> None:
    if request.page_size < 0:
        raise InvalidArgument("page_size is negative: give the number of rows, or 0 for as many as there may be")


def old_page(request: Any, scope: Scope) -> None:
    window = request.start_time_filter
    if (
        window.HasField("latest_time")
        and window.HasField("earliest_time")
        and window.latest_time.ToNanoseconds() < window.earliest_time.ToNanoseconds()
    ):
        raise InvalidArgument("EarliestTime in StartTimeFilter should not be larger than LatestTime.")


def count(request: Any, scope: Scope) -> None:
    """Nothing but the filter, which the engine parses."""


def task_queue(request: Any, scope: Scope) -> None:
    check_queue(request.task_queue, request.HasField("task_queue"))
    enhanced = request.api_mode == DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
    if enhanced and request.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        raise InvalidArgument(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue."
        )
