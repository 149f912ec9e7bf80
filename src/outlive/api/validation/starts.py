"""StartWorkflowExecution and SignalWithStartWorkflowExecution."""

from __future__ import annotations

import math
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Priority, RetryPolicy
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy

from outlive.api.validation import versioning
from outlive.api.validation.callbacks import check_callbacks
from outlive.api.validation.common import (
    REGISTERED,
    Scope,
    check_id,
    check_length,
    check_links,
    check_payloads,
    check_queue,
    check_state,
    duration_problem,
    length,
)
from outlive.api.validation.time_skipping import check_config
from outlive.dynamic import keys
from outlive.engine import checks
from outlive.errors import InvalidArgument
from outlive.limits import (
    FAIRNESS_KEY_MAX,
    SECOND,
    TIMEOUT_MAX,
)

Reuse = WorkflowIdReusePolicy
Conflict = WorkflowIdConflictPolicy
_TIMEOUT_TYPES = ("StartToClose", "ScheduleToStart", "ScheduleToClose", "Heartbeat")


def start(request: Any, scope: Scope) -> None:
    """StartWorkflowExecution. The order is Temporal's, so that of several faults the same one is named."""
    check_namespace_state(scope)
    _check_workflow_id(request)
    _check_retry(request)
    _check_cron_or_delay(request)
    _check_delay(request)
    _check_cron(request)
    if not request.workflow_type.name:
        raise InvalidArgument("WorkflowType is not set on request.")
    check_id("WorkflowType", request.workflow_type.name)
    check_queue(request.task_queue, request.HasField("task_queue"))
    check_timeouts(request)
    check_id("RequestId", request.request_id)
    _check_policies(request)
    if request.on_conflict_options.attach_completion_callbacks and not request.on_conflict_options.attach_request_id:
        raise InvalidArgument("attaching request ID is required for attaching completion callbacks")
    check_attributes(request, scope)
    check_priority(request.priority)
    check_callbacks(request.completion_callbacks, scope)
    check_links(request.links)
    check_sizes(request, scope)
    check_override(request)
    if request.HasField("time_skipping_config"):
        check_config(request.time_skipping_config, scope)
    if request.request_eager_execution:
        request.request_eager_execution = scope.setting(keys.EAGER_START)
    _fill_in(request, scope)


def signal_with_start(request: Any, scope: Scope) -> None:
    """SignalWithStartWorkflowExecution, in Temporal's order and words, which are others than for a start."""
    check_namespace_state(scope)
    _check_cron(request)
    _check_workflow_id(request)
    if not request.signal_name:
        raise InvalidArgument("signal not set")
    check_length("signal name", request.signal_name)
    if not request.workflow_type.name:
        raise InvalidArgument("workflow type not set")
    check_length("workflow type name", request.workflow_type.name)
    check_queue(request.task_queue, request.HasField("task_queue"))
    check_length("Request ID", request.request_id)
    check_timeouts(request)
    _check_retry(request)
    _check_delay(request)
    _check_cron_or_delay(request)
    _check_policies(request)
    if request.workflow_id_conflict_policy == Conflict.WORKFLOW_ID_CONFLICT_POLICY_FAIL:
        raise InvalidArgument(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation."
        )
    check_attributes(request, scope)
    check_priority(request.priority)
    check_links(request.links)
    check_sizes(request, scope)
    check_payloads(request.signal_input, scope)
    check_override(request)
    if request.HasField("time_skipping_config"):
        check_config(request.time_skipping_config, scope)
    _fill_in(request, scope)


def check_namespace_state(scope: Scope) -> None:
    """Nothing is started in a namespace that is being given up."""
    check_state(scope.namespace, REGISTERED)


def _check_workflow_id(request: Any) -> None:
    if not request.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    check_length("WorkflowId", request.workflow_id)


def _check_cron_or_delay(request: Any) -> None:
    if request.cron_schedule and request.HasField("workflow_start_delay"):
        raise InvalidArgument("CronSchedule and WorkflowStartDelay may not be used together.")


def _check_cron(request: Any) -> None:
    if request.cron_schedule:
        checks.check_cron(request.cron_schedule)


def _check_delay(request: Any) -> None:
    _check_time(request, "workflow_start_delay", "WorkflowStartDelaySeconds")


def check_timeouts(request: Any) -> None:
    """None is negative, or no span at all."""
    _check_time(request, "workflow_execution_timeout", "WorkflowExecutionTimeoutSeconds")
    _check_time(request, "workflow_run_timeout", "WorkflowRunTimeoutSeconds")
    _check_time(request, "workflow_task_timeout", "WorkflowTaskTimeoutSeconds")


def _check_time(request: Any, field: str, name: str) -> None:
    problem = duration_problem(getattr(request, field))
    if problem:
        raise InvalidArgument(f"An invalid {name} is set on request. cause: {problem}")


def check_attributes(request: Any, scope: Scope) -> None:
    """The search attributes, which are kept with their types."""
    if request.HasField("search_attributes"):
        request.search_attributes.CopyFrom(checks.checked_attributes(request.search_attributes, scope.namespace))


def check_sizes(request: Any, scope: Scope) -> None:
    """Of input and memo."""
    check_payloads(request.input, scope)
    if request.memo.ByteSize() >= scope.namespace.limits.memo_size_max:
        raise InvalidArgument("Memo size exceeds limit.")


def check_override(request: Any) -> None:
    """A versioning override is whole."""
    if request.HasField("versioning_override"):
        versioning.check_override(request.versioning_override)


def _check_retry(request: Any) -> None:
    if request.HasField("retry_policy"):
        _check_policy(request.retry_policy)


def _check_policy(policy: RetryPolicy) -> None:
    for name, value in (("InitialInterval", policy.initial_interval), ("MaximumInterval", policy.maximum_interval)):
        problem = duration_problem(value)
        if problem and policy.maximum_attempts != 1:
            raise InvalidArgument(f"invalid {name} set on retry policy: {problem}")
    if _ns(policy.initial_interval) > TIMEOUT_MAX:
        raise InvalidArgument("invalid InitialInterval set on retry policy: longer than 100 years")
    problem = checks.retry_problem(policy)
    if problem:
        raise InvalidArgument(problem)
    for kind in policy.non_retryable_error_types:
        name = kind.removeprefix("TemporalTimeout:")
        if name != kind and name not in _TIMEOUT_TYPES:
            raise InvalidArgument(f"Invalid timeout type value: {name}.")


def check_priority(priority: Priority) -> None:
    """Its keys and weight are ones that a queue can order by."""
    if priority.priority_key < 0:
        raise InvalidArgument("priority key can't be negative")
    if length(priority.fairness_key) > FAIRNESS_KEY_MAX:
        raise InvalidArgument("fairness key length exceeds limit")
    if priority.fairness_weight < 0 or math.isnan(priority.fairness_weight):
        raise InvalidArgument("must be greater than zero")


def _check_policies(request: Any) -> None:
    reuse, conflict = request.workflow_id_reuse_policy, request.workflow_id_conflict_policy
    if conflict and reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
        raise InvalidArgument(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together "
            "with a WorkflowIDConflictPolicy"
        )
    replaces = conflict == Conflict.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
    if replaces and reuse == Reuse.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
        raise InvalidArgument(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together "
            "with WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
        )


def _fill_in(request: Any, scope: Scope) -> None:
    """The request's id, and the defaults of times and policies."""
    if not request.request_id:
        request.request_id = scope.new_id()
    checks.fill_in_start(request)


def _ns(value: Duration) -> int:
    return value.seconds * SECOND + value.nanos
