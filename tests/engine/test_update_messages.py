"""Updates that a worker answers wrongly, over raw gRPC."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.any_pb2 import Any
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType, UpdateWorkflowExecutionLifecycleStage
from temporalio.api.protocol.v1 import Message
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Input, Meta, Request, Response, UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode


async def poll(client: Client) -> PollWorkflowTaskQueueResponse:
    return await client.workflow_service.poll_workflow_task_queue(
        PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="q"))
    )


async def complete(client: Client, task: PollWorkflowTaskQueueResponse, *update_ids: str) -> None:
    """Answer the task with a response to each of the updates, of which none was accepted."""
    request = RespondWorkflowTaskCompletedRequest(namespace="default", task_token=task.task_token)
    for update_id in update_ids:
        body = Any()
        body.Pack(Response(meta=Meta(update_id=update_id)))
        request.messages.append(Message(id=update_id, protocol_instance_id=update_id, body=body))
        command = request.commands.add(command_type=CommandType.COMMAND_TYPE_PROTOCOL_MESSAGE)
        command.protocol_message_command_attributes.message_id = update_id
    await client.workflow_service.respond_workflow_task_completed(request)


async def update(client: Client) -> UpdateWorkflowExecutionResponse:
    completed = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
    return await client.workflow_service.update_workflow_execution(
        UpdateWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id="w"),
            request=Request(meta=Meta(update_id="u"), input=Input(name="change")),
            wait_policy=WaitPolicy(lifecycle_stage=completed),
        )
    )


async def admitted(client: Client) -> None:
    """Return once the server knows the update."""
    reference = UpdateRef(workflow_execution=WorkflowExecution(workflow_id="w"), update_id="u")
    request = PollWorkflowExecutionUpdateRequest(namespace="default", update_ref=reference)
    async with asyncio.timeout(20):
        while True:
            try:
                await client.workflow_service.poll_workflow_execution_update(request)
            except RPCError as error:
                assert error.status == RPCStatusCode.NOT_FOUND
            else:
                return


@pytest.mark.parametrize("refused_before", [False, True])
async def test_who_waits_for_an_update_is_told_of_a_wrong_answer(client: Client, refused_before: bool) -> None:
    start = StartWorkflowExecutionRequest(namespace="default", workflow_id="w", request_id="r")
    start.workflow_type.CopyFrom(WorkflowType(name="W"))
    start.task_queue.name = "q"
    await client.workflow_service.start_workflow_execution(start)
    task = await poll(client)
    if refused_before:  # then nothing is written, and the task is tried again when its time is over
        with pytest.raises(RPCError, match="update other wasn't found"):
            await complete(client, task, "other")
    else:
        await complete(client, task)
    waiting = asyncio.create_task(update(client))
    await admitted(client)
    task = await poll(client)
    with pytest.raises(RPCError, match=r"received \*update.Response message while in state Sent"):
        await complete(client, task, "u")
    with pytest.raises(RPCError, match="due to unexpected workflow task failure") as error:
        await waiting
    assert error.value.status == RPCStatusCode.FAILED_PRECONDITION
