"""ResetWorkflowExecution: the base run ends, and a new run goes on from a point of its history.

Rules (all of them live in this file)
- Histories are read in pieces, between which other work goes on. From the moment that all is read, nothing
  waits until the new run is there: the end of the base run and the beginning of the new one are one commit.
- A reset request that has been carried out is answered with its run, and changes nothing.
- Children that ended while no run waited for them are told to the new run.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import ResetOptions
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PostResetOperation, WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse

from outlive.clock import Clock
from outlive.core import children, close, options
from outlive.core.reset import new_run, reapply, targets
from outlive.core.reset.new_run import Prefix, Reset
from outlive.core.transition import Transition
from outlive.engine.calls import Call
from outlive.engine.changes import Changes
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Run, Runs
from outlive.errors import NotFound
from outlive.limits import RESET_READ_EVENTS

Changed: TypeAlias = Sequence[tuple[WorkflowExecutionOptions, FieldMask]]
CONTINUED_AS_NEW = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW


@dataclass(frozen=True, slots=True)
class Wanted:
    """A reset as it is asked for."""

    reset: Reset
    exclude: frozenset[int]
    operations: Sequence[PostResetOperation] = ()


@dataclass(slots=True)
class Later:
    """What is to be applied again, and up to where it has been read."""

    run: Run
    next_event_id: int
    of_base: bool = True
    events: list[HistoryEvent] = field(default_factory=list)

    def take(self, events: Sequence[HistoryEvent]) -> None:
        self.events += [event for event in events if reapply.relevant(event, of_base=self.of_base)]
        self.next_event_id += len(events)


class Resets:
    """Resetting runs."""

    def __init__(self, runs: Runs, clock: Clock, changes: Changes) -> None:
        self._runs = runs
        self._clock = clock
        self._changes = changes

    async def reset_workflow_execution(
        self, namespace: Namespace, request: ResetWorkflowExecutionRequest, call: Call
    ) -> ResetWorkflowExecutionResponse:
        wanted = Wanted(
            reset=Reset(request.workflow_task_finish_event_id, request.reason, request.request_id),
            exclude=reapply.excluded(request.reset_reapply_type, request.reset_reapply_exclude_types),
            operations=request.post_reset_operations,
        )
        target = request.workflow_execution
        base = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        return ResetWorkflowExecutionResponse(run_id=await self.reset(base, wanted))

    async def reset(self, base: Run, wanted: Wanted) -> str:
        """Reset the run; returns the id of the new one, which is durable by then."""
        run = self._done(base, wanted.reset.request_id) or await self._reset(base, wanted)
        await self._runs.committed(run)
        return run.state.start.run_id

    async def target(self, run: Run, wanted: ResetOptions) -> tuple[Run, int]:
        """The base run and the event that options mean."""
        target = targets.target(run.state, wanted, self._clock.now())
        start = run.state.start
        base = self._runs.require(start.namespace_id, start.workflow_id, target.run_id)
        if target.event_id:
            return base, target.event_id
        events = [event async for page in self._pages(base, 1) for event in page]
        return base, targets.find(events, last=target.last)

    def _done(self, base: Run, request_id: str) -> Run | None:
        """The run that this very request began, if it was carried out."""
        start = base.state.start
        for run_id in ("", base.state.info.reset_run_id):
            run = self._runs.find(start.namespace_id, start.workflow_id, run_id)
            if run is not None and run.state.info.reset_request_id == request_id:
                return run
        return None

    # -- reading

    async def _pages(self, run: Run, first: int, last: int = 0) -> AsyncIterator[list[HistoryEvent]]:
        """The run's events in pieces, up to `last`; or all of them, also those that come meanwhile."""
        while True:
            until = last or run.state.info.next_event_id - 1
            if first > until:
                return
            page = self._runs.history(run, first, min(until, first + RESET_READ_EVENTS - 1))
            first += len(page)
            yield page
            if first > (last or run.state.info.next_event_id - 1):
                return  # nothing has been waited for since the last was read
            await asyncio.sleep(0)

    async def _prefix(self, base: Run, event_id: int) -> Prefix:
        prefix = Prefix(base.state.start)
        async for page in self._pages(base, 1, event_id - 1):
            prefix.add(page)
        return prefix

    async def _later(self, base: Run, event_id: int) -> Later:
        """What came after the point, in the base run and in those that it continued as."""
        later = Later(base, event_id)
        while True:
            async for page in self._pages(later.run, later.next_event_id):
                later.take(page)
            info = later.run.state.info
            start = later.run.state.start
            if info.status != CONTINUED_AS_NEW:
                return later
            following = self._runs.find(start.namespace_id, start.workflow_id, info.successor_run_id)
            if following is None:
                return later
            later.run, later.next_event_id, later.of_base = following, 1, False

    # -- resetting

    async def _reset(self, base: Run, wanted: Wanted) -> Run:
        event_id = wanted.reset.event_id
        new_run.check_point(event_id, base.state.info.next_event_id - 1)
        changed = [
            (self._changes.checked(base, each.workflow_execution_options, each.update_mask), each.update_mask)
            for each in (operation.update_workflow_options for operation in wanted.operations)
        ]
        base.holds += 1
        try:
            prefix = await self._prefix(base, event_id)
            later = await self._later(base, event_id)
        finally:
            base.holds -= 1
        if self._runs.get(base.key) is not base:
            raise NotFound("the workflow was deleted while it was reset")
        return self._done(base, wanted.reset.request_id) or self._replace(base, wanted, changed, prefix, later)

    def _replace(self, base: Run, wanted: Wanted, changed: Changed, prefix: Prefix, later: Later) -> Run:
        """End the current run, and open the new one. All of it is one step."""
        start = base.state.start
        run_id = self._runs.new_id()
        t = new_run.begin(prefix, wanted.reset, run_id, self._clock.now(), self._runs.context(start.namespace_id))
        current = self._runs.find(start.namespace_id, start.workflow_id)
        if current is not None and current.state.open:
            self._terminate(current, base, wanted.reset.reason, run_id)
        info = later.run.state.info
        if later.next_event_id < info.next_event_id:  # what had been buffered
            later.take(self._runs.history(later.run, later.next_event_id, info.next_event_id - 1))
        for event in later.events:
            reapply.reapply(t, event, wanted.exclude)
        for change, mask in changed:
            options.update(t, options.merged(t.state, change, mask), mask, "")
        self._tell_of_children(t)
        new_run.finish(t)
        base.state.info.reset_run_id = run_id
        self._runs.submit(base)
        return self._runs.open(t)

    def _terminate(self, current: Run, base: Run, reason: str, run_id: str) -> None:
        same_chain = current.state.start.first_run_id == base.state.start.first_run_id
        self._runs.decide(
            current,
            lambda t: close.terminate(
                t,
                reason=reason,
                identity=t.context.identity,
                reset_run_id=run_id if current is base else "",
                chain_goes_on=same_chain,
            ),
        )

    def _tell_of_children(self, t: Transition) -> None:
        for child in list(t.state.children):
            run = self._runs.find(child.namespace_id, child.workflow_id, child.run_id) if child.run_id else None
            last = self._runs.last_of_chain(run) if run is not None else None
            if last is not None and not last.state.open:
                close_event = self._runs.read_event(last, last.state.info.next_event_id - 1)
                children.closed(t, child.initiated_event_id, last.state.start.run_id, close_event)
