"""PauseWorkflowExecution, UnpauseWorkflowExecution, UpdateWorkflowExecutionOptions."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.enums.v1 import VersioningBehavior
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    PauseWorkflowExecutionRequest,
    PauseWorkflowExecutionResponse,
    UnpauseWorkflowExecutionRequest,
    UnpauseWorkflowExecutionResponse,
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)

from outlive.core import options, pausing, versioning
from outlive.core.proto import timestamp
from outlive.core.requests import require_open
from outlive.core.version_names import VersionName
from outlive.engine.calls import Call
from outlive.engine.deployments import Deployments
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Run, Runs
from outlive.errors import FailedPrecondition


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
        change = self.checked(run, request.workflow_execution_options, request.update_mask)
        wanted = options.merged(run.state, change, request.update_mask)
        self._runs.decide(run, lambda t: options.update(t, wanted, request.update_mask, request.identity))
        await self._runs.committed(run)
        response = UpdateWorkflowExecutionOptionsResponse(workflow_execution_options=options.of(run.state))
        if options.TIME_SKIPPING in request.update_mask.paths:
            response.update_time.CopyFrom(timestamp(self._runs.now(run)))
        return response

    def checked(self, run: Run, wanted: WorkflowExecutionOptions, mask: FieldMask) -> WorkflowExecutionOptions:
        """What is wanted, with the run's own version where an override pins it to none by name.

        Raises FailedPrecondition for a version that the run's queue does not have, or if there is none to pin to.
        """
        result = WorkflowExecutionOptions()
        result.CopyFrom(wanted)
        if "versioning_override" not in mask.paths or not wanted.HasField("versioning_override"):
            return result
        pinned = result.versioning_override.pinned
        if result.versioning_override.WhichOneof("override") == "pinned" and not pinned.HasField("version"):
            pinned.version.CopyFrom(_own_version(run).message())
        start = run.state.start
        self._deployments.require_version(start.namespace_id, result.versioning_override, start.task_queue)
        return result


def _own_version(run: Run) -> VersionName:
    """The version that the run is pinned to. Raises FailedPrecondition if it is to none."""
    info = versioning.info_of(run.state)
    behavior = versioning.behavior(info)
    version = versioning.version(info) if behavior == versioning.PINNED else None
    if version is None:
        name = VersioningBehavior.Name(behavior).removeprefix("VERSIONING_BEHAVIOR_").title().replace("_", "")
        raise FailedPrecondition(
            "must specify a specific pinned override version because workflow with id "
            f"{run.state.start.workflow_id} has behavior {name} and is not yet pinned to any version"
        )
    return version
