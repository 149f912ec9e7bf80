"""Task queues over raw gRPC: workflows nobody runs, polls without a worker library."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

from temporalio.api.command.v1 import Command, ScheduleActivityTaskCommandAttributes
from temporalio.api.common.v1 import ActivityType, Priority, WorkflowType
from temporalio.api.enums.v1 import CommandType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueMetadata
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client

WORKFLOW = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
ACTIVITY = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
SCHEDULE = CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK


class Queue:
    """One queue of one namespace."""

    def __init__(self, client: Client, name: str = "queue") -> None:
        self.client = client
        self.service = client.workflow_service
        self.name = name

    async def start(self, workflow_id: str = "", priority: Priority | None = None) -> str:
        workflow_id = workflow_id or uuid.uuid4().hex
        await self.service.start_workflow_execution(
            StartWorkflowExecutionRequest(
                namespace=self.client.namespace,
                workflow_id=workflow_id,
                workflow_type=WorkflowType(name="Nobody"),
                task_queue=TaskQueue(name=self.name),
                request_id=uuid.uuid4().hex,
                priority=priority,
            )
        )
        return workflow_id

    async def poll(
        self, identity: str = "me", instance: str = "", seconds: float = 10
    ) -> PollWorkflowTaskQueueResponse:
        """The next workflow task, or an empty answer a second before the time is over."""
        return await self.service.poll_workflow_task_queue(
            PollWorkflowTaskQueueRequest(
                namespace=self.client.namespace,
                task_queue=TaskQueue(name=self.name),
                identity=identity,
                worker_instance_key=instance,
            ),
            timeout=timedelta(seconds=seconds),
        )

    async def poll_activity(
        self, rate: float | None = None, identity: str = "me", instance: str = "", seconds: float = 10
    ) -> PollActivityTaskQueueResponse:
        metadata = TaskQueueMetadata()
        if rate is not None:
            metadata.max_tasks_per_second.value = rate
        return await self.service.poll_activity_task_queue(
            PollActivityTaskQueueRequest(
                namespace=self.client.namespace,
                task_queue=TaskQueue(name=self.name),
                identity=identity,
                worker_instance_key=instance,
                task_queue_metadata=metadata if rate is not None else None,
            ),
            timeout=timedelta(seconds=seconds),
        )

    async def schedule(self, *activities: tuple[str, Priority | None], priority: Priority | None = None) -> str:
        """A workflow that has scheduled these activities, by id."""
        workflow_id = await self.start(priority=priority)
        task = await self.poll()
        assert task.workflow_execution.workflow_id == workflow_id
        commands = [Command(command_type=SCHEDULE) for _ in activities]
        for command, (activity_id, own) in zip(commands, activities, strict=True):
            attributes = ScheduleActivityTaskCommandAttributes(
                activity_id=activity_id,
                activity_type=ActivityType(name="nobody"),
                task_queue=TaskQueue(name=self.name),
                priority=own,
            )
            attributes.start_to_close_timeout.FromSeconds(60)
            command.schedule_activity_task_command_attributes.CopyFrom(attributes)
        await self.complete(task, *commands)
        return workflow_id

    async def complete(self, task: PollWorkflowTaskQueueResponse, *commands: Command) -> None:
        await self.service.respond_workflow_task_completed(
            RespondWorkflowTaskCompletedRequest(
                namespace=self.client.namespace, task_token=task.task_token, commands=commands, identity="me"
            )
        )

    async def done(self, task: PollActivityTaskQueueResponse) -> None:
        await self.service.respond_activity_task_completed(
            RespondActivityTaskCompletedRequest(namespace=self.client.namespace, task_token=task.task_token)
        )

    async def describe(self, kind: TaskQueueType.ValueType = WORKFLOW, **asked: bool) -> DescribeTaskQueueResponse:
        return await self.service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=self.client.namespace,
                task_queue=TaskQueue(name=self.name),
                task_queue_type=kind,
                **asked,  # type: ignore[arg-type]
            )
        )

    async def backlog(self, kind: TaskQueueType.ValueType, count: int) -> None:
        """Wait until so many tasks wait in the queue."""
        while (await self.describe(kind, report_stats=True)).stats.approximate_backlog_count != count:
            await asyncio.sleep(0.005)

    async def polled(self, identity: str, kind: TaskQueueType.ValueType = WORKFLOW) -> None:
        """Wait until a poll of that worker waits."""
        while identity not in {p.identity for p in (await self.describe(kind)).pollers}:
            await asyncio.sleep(0.005)
