"""Polls and answers of workers.

That an answer carries a token is checked before its namespace is looked up, so not here.
"""

from __future__ import annotations

import math
from typing import Any

from temporalio.api.enums.v1 import TaskQueueKind

from outlive.api.validation.common import UUID, Scope, check_id, check_queue, length
from outlive.api.validation.deployments import check_options
from outlive.engine import tokens
from outlive.errors import FailedPrecondition, InvalidArgument
from outlive.limits import ID_LENGTH_MAX, POLL_DEADLINE_MIN


def poll(request: Any, scope: Scope) -> None:
    check_id("Identity", request.identity)
    check_queue(request.task_queue, request.HasField("task_queue"))
    if request.HasField("deployment_options"):
        if request.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY and not request.task_queue.normal_name:
            raise InvalidArgument(
                "NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions are set."
            )
        check_options(request.deployment_options)
    if scope.call.deadline and scope.call.deadline - scope.now < POLL_DEADLINE_MIN:
        raise FailedPrecondition("Context timeout is too short.")


def poll_activity(request: Any, scope: Scope) -> None:
    poll(request, scope)
    if math.isnan(request.task_queue_metadata.max_tasks_per_second.value):
        raise InvalidArgument("TaskQueueMetadata.MaxTasksPerSecond must be a number.")


def answered(request: Any, scope: Scope) -> None:
    """The answer to a workflow or activity task, other than a failed activity."""
    if length(request.identity) > ID_LENGTH_MAX:
        tokens.namespace_of(request.task_token)  # a token that is none is named first
        raise InvalidArgument("Identity length exceeds limit.")


def failed(request: Any, scope: Scope) -> None:
    """RespondActivityTaskFailed."""
    if request.HasField("failure") and not request.failure.HasField("application_failure_info"):
        tokens.namespace_of(request.task_token)
        raise InvalidArgument("Failure must have ApplicationFailureInfo.")
    answered(request, scope)


def by_id(request: Any, scope: Scope) -> None:
    """RecordActivityTaskHeartbeatById, and what the other RPCs by id share with it."""
    if request.run_id and not UUID.fullmatch(request.run_id):
        raise InvalidArgument("RunId is not valid UUID.")
    if not request.activity_id:
        raise InvalidArgument("ActivityId is not set on request.")


def answered_by_id(request: Any, scope: Scope) -> None:
    """RespondActivityTaskCompletedById, FailedById and CanceledById."""
    by_id(request, scope)
    check_id("Identity", request.identity)
