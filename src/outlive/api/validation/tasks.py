"""Polls and answers of workers."""

from __future__ import annotations

from typing import Any

from outlive.api.validation.common import UUID, Scope, check_id, check_queue
from outlive.errors import FailedPrecondition, InvalidArgument
from outlive.limits import POLL_DEADLINE_MIN


def poll(request: Any, scope: Scope) -> None:
    check_id("Identity", request.identity)
    check_queue(request.task_queue, request.HasField("task_queue"))
    options = request.deployment_options
    if bool(options.deployment_name) != bool(options.build_id) and options.worker_versioning_mode:
        raise InvalidArgument("Deployment name and build id must be set together.")
    if scope.call.deadline and scope.call.deadline - scope.now < POLL_DEADLINE_MIN:
        raise FailedPrecondition("Context timeout is too short.")


def token(request: Any, scope: Scope) -> None:
    if not request.task_token:
        raise InvalidArgument("Task token not set on request.")


def failed_token(request: Any, scope: Scope) -> None:
    token(request, scope)
    _check_failure(request)


def _check_failure(request: Any) -> None:
    failure = request.failure
    if request.HasField("failure") and not failure.HasField("application_failure_info"):
        raise InvalidArgument("Failure must have ApplicationFailureInfo.")


def query_token(request: Any, scope: Scope) -> None:
    token(request, scope)


def by_id(request: Any, scope: Scope) -> None:
    if request.run_id and not UUID.fullmatch(request.run_id):
        raise InvalidArgument("RunId is not valid UUID.")
    if not request.activity_id:
        raise InvalidArgument("ActivityId is not set on request.")


def failed_by_id(request: Any, scope: Scope) -> None:
    by_id(request, scope)
    check_id("Identity", request.identity)
    _check_failure(request)


def shutdown(request: Any, scope: Scope) -> None:
    check_id("Identity", request.identity)
