"""Batch operations."""

from __future__ import annotations

from typing import Any

from outlive.api.validation.common import Scope, length
from outlive.api.validation.resets import check_operation
from outlive.api.validation.time_skipping import check_config
from outlive.core.filter import parse_filter
from outlive.errors import InvalidArgument, Unimplemented
from outlive.limits import ID_LENGTH_MAX

_REQUIRED = (
    "must provide required parameters: BatchType,Reason,Namespace, AND one of (Query OR Executions OR TargetExecutions)"
)
_STANDALONE = ("cancel_activities_operation", "terminate_activities_operation", "delete_activities_operation")


def start(request: Any, scope: Scope) -> None:
    """StartBatchOperation."""
    if not request.job_id:
        raise InvalidArgument("JobId is not set on request.")
    targets = (bool(request.visibility_query), bool(request.executions), bool(request.target_executions))
    operation = request.WhichOneof("operation")
    if operation is None or not request.reason or not any(targets):
        raise InvalidArgument(_REQUIRED)
    if sum(targets) > 1:
        raise InvalidArgument("visibility query, executions, and target executions are mutually exclusive")
    if operation in _STANDALONE:
        raise Unimplemented("batches of standalone activities are not built into this server yet")
    check = _OPERATIONS.get(operation)
    if check is not None:
        check(getattr(request, operation), scope)
    if request.visibility_query:
        _check_query(request.visibility_query, scope)
    if length(request.job_id) > ID_LENGTH_MAX:
        raise InvalidArgument("WorkflowId exceeds length limit.")


def _check_query(query: str, scope: Scope) -> None:
    """That it can be read; what it names is looked up when the batch runs, as the protocol's own server does."""
    try:
        parse_filter(query, scope.namespace.attribute_types)
    except InvalidArgument as error:
        if "invalid search attribute" not in str(error):
            raise InvalidArgument(f"invalid visibility query: {error}") from None


def _signal(wanted: Any, scope: Scope) -> None:
    if not wanted.signal:
        raise InvalidArgument("must provide signal name")


def _reset(wanted: Any, scope: Scope) -> None:
    for operation in wanted.post_reset_operations:
        check_operation(operation, scope)
    if wanted.HasField("options"):
        if wanted.options.WhichOneof("target") is None:
            raise InvalidArgument("batch reset missing target")
    elif wanted.reset_type not in (1, 2):
        named = wanted.reset_type if wanted.reset_type else "Unspecified"
        raise InvalidArgument(f"unknown batch reset type {named}")


def _options(wanted: Any, scope: Scope) -> None:
    if not wanted.HasField("workflow_execution_options"):
        raise InvalidArgument("must provide UpdateOptions")
    if not wanted.HasField("update_mask"):
        raise InvalidArgument("must provide UpdateMask")
    if wanted.workflow_execution_options.HasField("time_skipping_config"):
        check_config(wanted.workflow_execution_options.time_skipping_config, scope)


def _unpause(wanted: Any, scope: Scope) -> None:
    if wanted.WhichOneof("activity") is None:
        raise InvalidArgument("activity filter must be set")


def _reset_activities(wanted: Any, scope: Scope) -> None:
    if wanted.WhichOneof("activity") is None:
        raise InvalidArgument("must provide ActivityType or MatchAll")


def _update_activities(wanted: Any, scope: Scope) -> None:
    if wanted.HasField("activity_options") and wanted.restore_original:
        raise InvalidArgument("cannot set both activity options and restore original")
    if not wanted.HasField("activity_options") and not wanted.restore_original:
        raise InvalidArgument("Either activity type must be set, or restore original should be set to true")


_OPERATIONS = {
    "signal_operation": _signal,
    "reset_operation": _reset,
    "update_workflow_options_operation": _options,
    "unpause_activities_operation": _unpause,
    "reset_activities_operation": _reset_activities,
    "update_activity_options_operation": _update_activities,
}


def stop(request: Any, scope: Scope) -> None:
    """StopBatchOperation."""
    if not request.job_id:
        raise InvalidArgument("JobId is not set on request.")
    if not request.reason:
        raise InvalidArgument("Reason is not set on request.")


def describe(request: Any, scope: Scope) -> None:
    """DescribeBatchOperation."""
    if not request.job_id:
        raise InvalidArgument("JobId is not set on request.")
