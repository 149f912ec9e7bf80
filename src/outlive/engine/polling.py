"""What polls for workflow and activity tasks have in common."""

from __future__ import annotations

from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
)

from outlive.engine.matching import Poller, Taken
from outlive.limits import LONG_POLL, POLL_ANSWER_MARGIN


def poll_until(deadline: int, now: int, longest: int = LONG_POLL) -> int:
    """When an empty poll is answered: in time for the caller's deadline. All in nanoseconds."""
    until = now + longest
    return min(until, deadline - POLL_ANSWER_MARGIN) if deadline else until


def poller_of(request: PollWorkflowTaskQueueRequest | PollActivityTaskQueueRequest) -> Poller:
    """Who polls."""
    rate = None
    if isinstance(request, PollActivityTaskQueueRequest):
        metadata = request.task_queue_metadata
        rate = metadata.max_tasks_per_second.value if metadata.HasField("max_tasks_per_second") else None
    versioned = request.HasField("worker_version_capabilities")
    return Poller(
        identity=request.identity,
        instance_key=request.worker_instance_key,
        rate=rate,
        sticky=request.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY,
        capabilities=request.worker_version_capabilities if versioned else None,
        deployment=request.deployment_options if request.HasField("deployment_options") else None,
    )


def hints(taken: Taken) -> bytes:
    """What the answer to a workflow task's poll tells of the queue, encoded: fields to go behind the others."""
    if not (taken.scale or taken.backlog):
        return b""
    told = PollWorkflowTaskQueueResponse(backlog_count_hint=taken.backlog)
    if taken.scale:
        told.poller_scaling_decision.poll_request_delta_suggestion = taken.scale
    return told.SerializeToString()
