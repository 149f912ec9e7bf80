"""Lists and counts. Filters are checked where they are parsed."""

from __future__ import annotations

from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import WorkflowExecutionStatus

from outlive.api.validation.common import Scope
from outlive.errors import InvalidArgument

_NOT_CLOSED = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
)


def window(request: Any, scope: Scope) -> None:
    """ListOpenWorkflowExecutions, and what ListClosedWorkflowExecutions shares with it."""
    times = request.start_time_filter
    earliest, latest = _nanoseconds(times.earliest_time), _nanoseconds(times.latest_time)
    if times.HasField("latest_time") and times.HasField("earliest_time") and latest < earliest:
        raise InvalidArgument("EarliestTime in StartTimeFilter should not be larger than LatestTime.")


def _nanoseconds(time: Timestamp) -> int:
    try:
        return time.ToNanoseconds()
    except ValueError:
        raise InvalidArgument("StartTimeFilter has a time that is not between the years 1 and 9999.") from None


def closed(request: Any, scope: Scope) -> None:
    """ListClosedWorkflowExecutions."""
    window(request, scope)
    if request.HasField("status_filter") and request.status_filter.status in _NOT_CLOSED:
        raise InvalidArgument("StatusFilter must be specified and must be not Running.")
