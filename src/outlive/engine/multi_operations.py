"""ExecuteMultiOperation: an update that starts its workflow if need be."""

from __future__ import annotations

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    ExecuteMultiOperationResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    UpdateWorkflowExecutionRequest,
)

from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Runs
from outlive.engine.starts import Starts
from outlive.engine.updates import Updates
from outlive.errors import MultiOperationFailed, ServiceError

_COUNT = 2


class MultiOperations:
    """Update with start."""

    def __init__(self, runs: Runs, starts: Starts, updates: Updates) -> None:
        self._runs = runs
        self._starts = starts
        self._updates = updates

    async def execute_multi_operation(
        self, namespace: Namespace, request: ExecuteMultiOperationRequest, call: Call
    ) -> ExecuteMultiOperationResponse:
        start, update = request.operations[0].start_workflow, request.operations[1].update_workflow
        response = ExecuteMultiOperationResponse()
        known = self._known(namespace, start, update)
        try:
            started = known or await self._starts.start_workflow_execution(namespace, start, call)
        except ServiceError as error:
            raise MultiOperationFailed(error, 0, _COUNT) from None
        response.responses.add().start_workflow.CopyFrom(started)
        update.workflow_execution.run_id = started.run_id
        try:
            updated = await self._updates.update_workflow_execution(namespace, update, call)
        except ServiceError as error:
            raise MultiOperationFailed(error, 1, _COUNT) from None
        response.responses.add().update_workflow.CopyFrom(updated)
        return response

    def _known(
        self, namespace: Namespace, start: StartWorkflowExecutionRequest, update: UpdateWorkflowExecutionRequest
    ) -> StartWorkflowExecutionResponse | None:
        """The run that has this update already: nothing is started for it again.

        An update that a closed run has left unfinished does not count.
        """
        run = self._runs.find(namespace.id, start.workflow_id)
        row = run.state.updates.get(update.request.meta.update_id) if run is not None else None
        if run is None or row is None or not (run.state.open or row.completed_event_id):
            return None
        status = WorkflowExecutionStatus.ValueType(run.state.info.status)
        return StartWorkflowExecutionResponse(run_id=run.state.start.run_id, status=status)
