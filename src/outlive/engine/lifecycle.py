"""Signal, cancel, terminate and delete for clients."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    DeleteWorkflowExecutionResponse,
    RequestCancelWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
)

from outlive.core import close, requests
from outlive.engine.calls import Call
from outlive.engine.links import event_link
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Run, Runs
from outlive.errors import NotFound


class Lifecycle:
    """What clients do to runs that are there."""

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def _chain(self, namespace: Namespace, workflow_id: str, run_id: str, first_run_id: str) -> Run:
        """The named run, of the chain that the caller means."""
        run = self._runs.require(namespace.id, workflow_id, run_id)
        if first_run_id and run.state.start.first_run_id != first_run_id:
            raise NotFound("workflow execution not found")
        return run

    async def signal_workflow_execution(
        self, namespace: Namespace, request: SignalWorkflowExecutionRequest, call: Call
    ) -> SignalWorkflowExecutionResponse:
        target = request.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        signal = requests.Signal(
            name=request.signal_name,
            input=request.input if request.HasField("input") else None,
            identity=request.identity,
            request_id=request.request_id,
            header=request.header if request.HasField("header") else None,
            links=request.links,
        )
        self._runs.decide(run, lambda t: requests.signal(t, signal))
        await self._runs.committed(run)
        kind = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        return SignalWorkflowExecutionResponse(link=event_link(run.state.start, kind, request.request_id))

    async def request_cancel_workflow_execution(
        self, namespace: Namespace, request: RequestCancelWorkflowExecutionRequest, call: Call
    ) -> RequestCancelWorkflowExecutionResponse:
        target = request.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        if not run.state.open:
            return RequestCancelWorkflowExecutionResponse()
        run = self._chain(namespace, target.workflow_id, target.run_id, request.first_execution_run_id)
        cancel = requests.Cancel(
            identity=request.identity,
            request_id=request.request_id,
            reason=request.reason,
            links=request.links,
        )
        self._runs.decide(run, lambda t: requests.cancel(t, cancel))
        await self._runs.committed(run)
        return RequestCancelWorkflowExecutionResponse()

    async def terminate_workflow_execution(
        self, namespace: Namespace, request: TerminateWorkflowExecutionRequest, call: Call
    ) -> TerminateWorkflowExecutionResponse:
        target = request.workflow_execution
        run = self._chain(namespace, target.workflow_id, target.run_id, request.first_execution_run_id)
        requests.require_open(run.state)
        details = request.details if request.HasField("details") else None
        self._runs.decide(
            run,
            lambda t: close.terminate(
                t,
                reason=request.reason or "terminated by user via frontend",
                details=details,
                identity=request.identity or t.context.identity,
                links=tuple(request.links),
            ),
        )
        await self._runs.committed(run)
        return TerminateWorkflowExecutionResponse()

    async def delete_workflow_execution(
        self, namespace: Namespace, request: DeleteWorkflowExecutionRequest, call: Call
    ) -> DeleteWorkflowExecutionResponse:
        """Forget the run; one that is open is terminated first, so that its parent and children hear of it."""
        target = request.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        if run.state.open:
            self._runs.decide(
                run, lambda t: close.terminate(t, reason="Delete workflow execution", identity=t.context.identity)
            )
        await self._runs.committed(run)
        await self._runs.delete(run)
        return DeleteWorkflowExecutionResponse()
