"""PollWorkflowExecutionTimeSkipping: waiting until a fast-forward has completed, or cannot any more."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionTimeSkippingRequest,
    PollWorkflowExecutionTimeSkippingResponse,
)

from outlive.clock import Clock
from outlive.core.time_skipping import TIMED_OUT, UNDER_WAY, FastForward, fast_forward
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.polling import poll_until
from outlive.engine.runs import Run, Runs
from outlive.engine.waiting import wait_for
from outlive.limits import UPDATE_LONG_POLL


class FastForwards:
    """Answers polls. A poll goes along with the chain: a fast-forward may complete in a later run."""

    def __init__(self, runs: Runs, waits: Clock) -> None:
        self._runs = runs
        self._waits = waits

    async def poll_workflow_execution_time_skipping(
        self, namespace: Namespace, request: PollWorkflowExecutionTimeSkippingRequest, call: Call
    ) -> PollWorkflowExecutionTimeSkippingResponse:
        target = request.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        until = poll_until(call.deadline, self._waits.now(), UPDATE_LONG_POLL)
        await self._runs.committed(run)
        found = fast_forward(run.state, request.fast_forward_id)
        while found.result == UNDER_WAY:
            if not await self._changed(run, request.fast_forward_id, found, until):
                found = FastForward(found.info, TIMED_OUT)
                break
            run = self._following(run)
            found = fast_forward(run.state, request.fast_forward_id, found)
        return PollWorkflowExecutionTimeSkippingResponse(
            fast_forward_polling_result=found.result, failed_reason=found.reason, fast_forward_info=found.info
        )

    async def _changed(self, run: Run, wanted: str, before: FastForward, until: int) -> bool:
        """Wait until the fast-forward is settled or the run has closed; False when the time is over."""

        def happened() -> bool:
            return not run.state.open or fast_forward(run.state, wanted, before).result != UNDER_WAY

        return await wait_for(self._runs, self._waits, run, happened, run.waiters, until)

    def _following(self, run: Run) -> Run:
        """The run that the chain goes on with; the same if it does not."""
        start, successor = run.state.start, run.state.info.successor_run_id
        if not successor:
            return run
        return self._runs.find(start.namespace_id, start.workflow_id, successor) or run
