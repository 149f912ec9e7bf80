"""Task queues as people see them: DescribeTaskQueue."""

from __future__ import annotations

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueueStats, TaskQueueStatus
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse

from outlive.core.proto import duration, timestamp
from outlive.engine.calls import Call
from outlive.engine.matching import Matching, QueueName
from outlive.engine.namespaces import Namespace


class TaskQueues:
    """What the queues hold, and who polls them."""

    def __init__(self, matching: Matching) -> None:
        self._matching = matching

    async def describe_task_queue(
        self, namespace: Namespace, request: DescribeTaskQueueRequest, call: Call
    ) -> DescribeTaskQueueResponse:
        kind = request.task_queue_type or TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
        name = QueueName(namespace.id, request.task_queue.name, kind == TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
        response = DescribeTaskQueueResponse(
            pollers=[
                PollerInfo(
                    identity=poller.identity,
                    last_access_time=timestamp(poller.last_access),
                    rate_per_second=poller.rate_per_second or 100_000.0,
                )
                for poller in self._matching.pollers(name)
            ]
        )
        count, age = self._matching.backlog(name)
        if request.include_task_queue_status:
            response.task_queue_status.CopyFrom(TaskQueueStatus(backlog_count_hint=count))
        if request.report_stats:
            response.stats.CopyFrom(
                TaskQueueStats(approximate_backlog_count=count, approximate_backlog_age=duration(age))
            )
        return response
