"""PauseActivity, UnpauseActivity, ResetActivity, UpdateActivityOptions: by id, by type, or all of a run."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, TypeVar

from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    PauseActivityResponse,
    ResetActivityRequest,
    ResetActivityResponse,
    UnpauseActivityRequest,
    UnpauseActivityResponse,
    UpdateActivityOptionsRequest,
    UpdateActivityOptionsResponse,
)

from outlive.core import activity_operations
from outlive.core.activity_operations import Again, Which
from outlive.core.proto import ns_of
from outlive.core.transition import Transition
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Runs

T = TypeVar("T")


class ActivityOperations:
    """What people do to pending activities. `share` gives the part of a jitter that is waited, 0 to 1."""

    def __init__(self, runs: Runs, share: Callable[[], float] = random.random) -> None:
        self._runs = runs
        self._share = share

    async def pause_activity(
        self, namespace: Namespace, request: PauseActivityRequest, call: Call
    ) -> PauseActivityResponse:
        await self._decide(
            namespace,
            request,
            lambda t: activity_operations.pause(
                t, _which(request), request.identity, request.reason, request.request_id
            ),
        )
        return PauseActivityResponse()

    async def unpause_activity(
        self, namespace: Namespace, request: UnpauseActivityRequest, call: Call
    ) -> UnpauseActivityResponse:
        await self._decide(
            namespace, request, lambda t: activity_operations.unpause(t, _which(request), self.again(request))
        )
        return UnpauseActivityResponse()

    async def reset_activity(
        self, namespace: Namespace, request: ResetActivityRequest, call: Call
    ) -> ResetActivityResponse:
        await self._decide(
            namespace, request, lambda t: activity_operations.reset(t, _which(request), self.again(request))
        )
        return ResetActivityResponse()

    async def update_activity_options(
        self, namespace: Namespace, request: UpdateActivityOptionsRequest, call: Call
    ) -> UpdateActivityOptionsResponse:
        options = await self._decide(
            namespace,
            request,
            lambda t: activity_operations.update(
                t,
                _which(request),
                request.activity_options if request.HasField("activity_options") else None,
                request.update_mask if request.HasField("update_mask") else None,
                restore=request.restore_original,
            ),
        )
        if not request.restore_original:
            options.task_queue.kind = TaskQueueKind.TASK_QUEUE_KIND_NORMAL
        return UpdateActivityOptionsResponse(activity_options=options)

    def again(self, request: Any) -> Again:
        """How the activity goes on, from the fields that requests and batches share."""
        fields = request.DESCRIPTOR.fields_by_name
        return Again(
            reset_attempts="reset_attempts" in fields and request.reset_attempts,
            reset_heartbeat=request.reset_heartbeat,
            keep_paused="keep_paused" in fields and request.keep_paused,
            restore_options="restore_original_options" in fields and request.restore_original_options,
            jitter=ns_of(request.jitter),
            share=self._share,
        )

    async def _decide(self, namespace: Namespace, request: Any, step: Callable[[Transition], T]) -> T:
        target = request.execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        result = self._runs.decide(run, step)
        await self._runs.committed(run)
        return result


def _which(request: Any) -> Which:
    kind = request.WhichOneof("activity")
    return Which(
        activity_id=request.id if kind == "id" else "",
        activity_type=request.type if kind == "type" else "",
        match_all=kind in ("match_all", "unpause_all"),
    )
