"""What a batch does to one run: the same as the RPC for one run does."""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from temporalio.api.common.v1 import ResetOptions, WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyType, ResetType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetActivityRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
    UpdateWorkflowExecutionOptionsRequest,
)

from outlive.core.batches import Batch
from outlive.core.reset import reapply
from outlive.core.reset.new_run import Reset
from outlive.engine.activity_operations import ActivityOperations
from outlive.engine.calls import Call
from outlive.engine.changes import Changes
from outlive.engine.lifecycle import Lifecycle
from outlive.engine.namespaces import Namespace
from outlive.engine.resets import Resets, Wanted
from outlive.engine.runs import Runs
from outlive.errors import NotFound

Operation: TypeAlias = Callable[[Namespace, Batch, WorkflowExecution], Awaitable[object]]


class Operations:
    """The operations by the field of the request that asks for them."""

    def __init__(
        self, runs: Runs, lifecycle: Lifecycle, resets: Resets, activities: ActivityOperations, changes: Changes
    ) -> None:
        self._runs = runs
        self._lifecycle = lifecycle
        self._resets = resets
        self._activities = activities
        self._changes = changes
        self.by_field: Mapping[str, Operation] = {
            "termination_operation": self._terminate,
            "signal_operation": self._signal,
            "cancellation_operation": self._cancel,
            "deletion_operation": self._delete,
            "reset_operation": self._reset,
            "update_workflow_options_operation": self._update_options,
            "unpause_activities_operation": self._unpause_activities,
            "reset_activities_operation": self._reset_activities,
            "update_activity_options_operation": self._update_activities,
        }

    async def apply(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        """Do it to the run. What is gone counts as done. Raises ServiceError."""
        try:
            await self.by_field[batch.operation](namespace, batch, target)
        except NotFound:
            return

    async def _terminate(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.termination_operation
        request = TerminateWorkflowExecutionRequest(
            workflow_execution=target,
            reason=batch.request.reason,
            details=wanted.details if wanted.HasField("details") else None,
            identity=self._runs.context(namespace.id).identity,
        )
        await self._lifecycle.terminate_workflow_execution(namespace, request, Call())

    async def _signal(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.signal_operation
        request = SignalWorkflowExecutionRequest(
            workflow_execution=target,
            signal_name=wanted.signal,
            input=wanted.input if wanted.HasField("input") else None,
            header=wanted.header if wanted.HasField("header") else None,
            identity=wanted.identity,
            request_id=_request_id(batch, self._run_id(namespace, target)),
        )
        await self._lifecycle.signal_workflow_execution(namespace, request, Call())

    async def _cancel(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        request = RequestCancelWorkflowExecutionRequest(
            workflow_execution=target,
            identity=self._runs.context(namespace.id).identity,
            request_id=_request_id(batch, self._run_id(namespace, target)),
        )
        await self._lifecycle.request_cancel_workflow_execution(namespace, request, Call())

    async def _delete(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        request = DeleteWorkflowExecutionRequest(workflow_execution=target)
        await self._lifecycle.delete_workflow_execution(namespace, request, Call())

    async def _reset(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.reset_operation
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        options = reset_options(wanted)
        base, event_id = await self._resets.target(run, options)
        request_id = _request_id(batch, run.state.start.run_id)
        reset = Wanted(
            reset=Reset(event_id, batch.request.reason, request_id),
            exclude=reapply.excluded(options.reset_reapply_type, options.reset_reapply_exclude_types),
            operations=wanted.post_reset_operations,
        )
        await self._resets.reset(base, reset)

    async def _update_options(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.update_workflow_options_operation
        request = UpdateWorkflowExecutionOptionsRequest(
            workflow_execution=target,
            workflow_execution_options=wanted.workflow_execution_options,
            update_mask=wanted.update_mask,
            identity=wanted.identity,
        )
        await self._changes.update_workflow_execution_options(namespace, request, Call())

    async def _unpause_activities(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.unpause_activities_operation
        request = UnpauseActivityRequest(
            execution=target,
            identity=wanted.identity,
            reset_attempts=wanted.reset_attempts,
            reset_heartbeat=wanted.reset_heartbeat,
            jitter=wanted.jitter,
        )
        if wanted.match_all:
            request.unpause_all = True
        else:
            request.type = wanted.type
        await self._activities.unpause_activity(namespace, request, Call())

    async def _reset_activities(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.reset_activities_operation
        request = ResetActivityRequest(
            execution=target,
            identity=wanted.identity,
            reset_heartbeat=wanted.reset_heartbeat,
            keep_paused=wanted.keep_paused,
            jitter=wanted.jitter,
            restore_original_options=wanted.restore_original_options,
        )
        if wanted.match_all:
            request.match_all = True
        else:
            request.type = wanted.type
        await self._activities.reset_activity(namespace, request, Call())

    async def _update_activities(self, namespace: Namespace, batch: Batch, target: WorkflowExecution) -> None:
        wanted = batch.request.update_activity_options_operation
        request = UpdateActivityOptionsRequest(
            execution=target, identity=wanted.identity, restore_original=wanted.restore_original
        )
        if not wanted.restore_original:
            request.activity_options.CopyFrom(wanted.activity_options)
            request.update_mask.CopyFrom(wanted.update_mask)
        if wanted.match_all:
            request.match_all = True
        else:
            request.type = wanted.type
        await self._activities.update_activity_options(namespace, request, Call())

    def _run_id(self, namespace: Namespace, target: WorkflowExecution) -> str:
        """The run that the target means. Raises NotFound."""
        run = self._runs.find(namespace.id, target.workflow_id, target.run_id)
        if run is None:
            raise NotFound(f"workflow not found for ID: {target.workflow_id}")
        return run.state.start.run_id


def _request_id(batch: Batch, run_id: str) -> str:
    """The id of the batch's operation on one run: the same whenever it is tried."""
    return str(uuid.uuid5(uuid.UUID(batch.run_id), run_id))


def reset_options(wanted: Any) -> ResetOptions:
    """Where a batch resets to, from its options or from the older fields."""
    if wanted.HasField("options"):
        result = ResetOptions()
        result.CopyFrom(wanted.options)
        return result
    result = ResetOptions(reset_reapply_type=ResetReapplyType.ValueType(wanted.reset_reapply_type))
    if wanted.reset_type == ResetType.RESET_TYPE_FIRST_WORKFLOW_TASK:
        result.first_workflow_task.SetInParent()
    elif wanted.reset_type == ResetType.RESET_TYPE_LAST_WORKFLOW_TASK:
        result.last_workflow_task.SetInParent()
    return result
