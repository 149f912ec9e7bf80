"""TimeSkippingConfig on a start or in options, and PollWorkflowExecutionTimeSkipping."""

from __future__ import annotations

from typing import Any

from temporalio.api.common.v1 import TimeSkippingConfig

from outlive.api.validation.common import Scope, check_execution, duration_problem
from outlive.core.proto import ns_of
from outlive.dynamic import keys
from outlive.errors import InvalidArgument, Unimplemented

_NO_ID = "Time skipping config invalid: fast_forward_id must be set"


def check_config(config: TimeSkippingConfig, scope: Scope) -> None:
    """A configuration that can be followed; the limit of skips that it leaves out is filled in."""
    if not scope.setting(keys.TIME_SKIPPING):
        raise Unimplemented(f"time skipping is not enabled for namespace: {scope.namespace.name}")
    if config.max_session_skip_count <= 0:
        config.max_session_skip_count = scope.namespace.limits.time_skips_max
    if not config.HasField("fast_forward_config"):
        return
    forward = config.fast_forward_config
    if duration_problem(forward.duration) or ns_of(forward.duration) <= 0:
        raise InvalidArgument("Time skipping config invalid: fast_forward duration must be positive")
    if not forward.id.strip():
        raise InvalidArgument(_NO_ID)
    if not config.enabled:
        raise InvalidArgument("time_skipping_config: cannot set fast_forward when enabled is false")


def poll(request: Any, scope: Scope) -> None:
    check_execution(request.workflow_execution, request.HasField("workflow_execution"))
    if not request.fast_forward_id.strip():
        raise InvalidArgument(_NO_ID)
