"""PauseWorkflowExecution, UnpauseWorkflowExecution, UpdateWorkflowExecutionOptions."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    PauseWorkflowExecutionResponse,
    UnpauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionResponse,
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)

from outlive.core import options, pausing
from outlive.core.proto import timestamp
from outlive.core.requests import require_open
from outlive.engine.calls import Call
from outlive.engine.deployments import Deployments
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Runs


class Changes:
    """What clients change about a run from outside of its code."""

    def __init__(self, runs: Runs, deployments: Deployments) -> None:
        self._runs = runs
        self._deployments = deployments

    async def pause_workflow_execution(
        self, namespace: Namespace, request: PauseWorkflowExecutionRequest, call: Call
    ) -> PauseWorkflowExecutionResponse:
        run = self._runs.require(namespace.id, request.workflow_id, request.run_id)
        self._runs.decide(run, lambda t: pausing.pause(t, request.identity, request.reason, request.request_id))
        await self._runs.committed(run)
        return PauseWorkflowExecutionResponse()

    async def unpause_workflow_execution(
        self, namespace: Namespace, request: UnpauseWorkflowExecutionRequest, call: Call
    ) -> UnpauseWorkflowExecutionResponse:
        run = self._runs.require(namespace.id, request.workflow_id, request.run_id)
        self._runs.decide(run, lambda t: pausing.unpause(t, request.identity, request.reason, request.request_id))
        await self._runs.committed(run)
        return UnpauseWorkflowExecutionResponse()

    async def update_workflow_execution_options(
        self, namespace: Namespace, request: UpdateWorkflowExecutionOptionsRequest, call: Call
    ) -> UpdateWorkflowExecutionOptionsResponse:
        target = request.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        require_open(run.state)
        wanted = options.merged(run.state, request.workflow_execution_options, request.update_mask)
        if "versioning_override" in request.update_mask.paths and wanted.HasField("versioning_override"):
            queue = run.state.start.task_queue
            self._deployments.require_version(namespace.id, wanted.versioning_override, queue)
        self._runs.decide(run, lambda t: options.update(t, wanted, request.update_mask, request.identity))
        await self._runs.committed(run)
        response = UpdateWorkflowExecutionOptionsResponse(workflow_execution_options=options.of(run.state))
        if options.TIME_SKIPPING in request.update_mask.paths:
            response.update_time.CopyFrom(timestamp(self._runs.now(run)))
        return response
