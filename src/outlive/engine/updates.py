"""UpdateWorkflowExecution and PollWorkflowExecutionUpdate: the updates that are under way.

Rules (all of them live in this file)
- What is not accepted lives here alone, and keeps its run loaded. A server that went away answers nothing;
  the client asks again with the same id.
- An update goes out with the next workflow task; if none is due, with a speculative one.
- A failed or timed out task sends its updates again with the next, unless the server itself failed it for
  a message that did not fit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from google.protobuf.any_pb2 import Any as AnyMessage
from temporalio.api.common.v1 import Link, WorkflowExecution
from temporalio.api.enums.v1 import (
    EventType,
    ResourceExhaustedCause,
    UpdateWorkflowExecutionLifecycleStage,
    WorkflowExecutionStatus,
)
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Outcome, Request, UpdateRef
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from outlive.clock import Clock
from outlive.core import requests, runs, workflow_task
from outlive.core.state import PAUSED, TaskState, Update
from outlive.core.updates import Known, Session, Stage, closed_outcome
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.polling import poll_until
from outlive.engine.runs import Run, Runs
from outlive.errors import (
    FailedPrecondition,
    NotFound,
    ResourceExhausted,
    ServiceError,
    WorkflowNotReady,
)
from outlive.limits import QUERY_FAILING_ATTEMPTS, UPDATE_LONG_POLL

L = UpdateWorkflowExecutionLifecycleStage
ADMITTED = L.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ADMITTED
ACCEPTED = L.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
COMPLETED = L.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED


@dataclass(slots=True, eq=False)
class Entry:
    """An update under way, and who waits for it."""

    known: Known
    error: ServiceError | None = None
    waiters: list[asyncio.Future[None]] = field(default_factory=list)

    @property
    def stage(self) -> L.ValueType:
        if self.known.stage in (Stage.COMPLETED, Stage.REJECTED):
            return COMPLETED
        return ACCEPTED if self.known.stage == Stage.ACCEPTED else ADMITTED

    def changed(self) -> None:
        waiters, self.waiters = self.waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class Updates:
    """The updates of all runs."""

    def __init__(self, all_runs: Runs, clock: Clock) -> None:
        self._runs = all_runs
        self._clock = clock
        self._of_run: dict[int, dict[str, Entry]] = {}
        self.on_answer: Callable[[], None] = lambda: None  # somebody who waited is about to be answered

    # -- for clients

    async def update_workflow_execution(
        self, namespace: Namespace, request: UpdateWorkflowExecutionRequest, call: Call
    ) -> UpdateWorkflowExecutionResponse:
        target = request.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        if request.first_execution_run_id and run.state.start.first_run_id != request.first_execution_run_id:
            raise NotFound("workflow execution not found")
        update_id = request.request.meta.update_id
        entry = self._find(run, update_id)
        if entry is None:
            entry = self._admit(namespace, run, request.request)
        reached = await self._wait(run, update_id, entry, request.wait_policy.lifecycle_stage or COMPLETED, call)
        response = UpdateWorkflowExecutionResponse(update_ref=_ref(run, update_id), stage=reached)
        if entry.known.outcome is not None:
            response.outcome.CopyFrom(entry.known.outcome)
        if reached != ADMITTED:
            response.link.CopyFrom(_link(run, entry))
        return response

    async def poll_workflow_execution_update(
        self, namespace: Namespace, request: PollWorkflowExecutionUpdateRequest, call: Call
    ) -> PollWorkflowExecutionUpdateResponse:
        target = request.update_ref.workflow_execution
        run = self._runs.require(namespace.id, target.workflow_id, target.run_id)
        update_id = request.update_ref.update_id
        entry = self._find(run, update_id)
        if entry is None:
            raise NotFound(f'update "{update_id}" not found')
        wanted = request.wait_policy.lifecycle_stage
        reached = await self._wait(run, update_id, entry, wanted, call) if wanted else entry.stage
        response = PollWorkflowExecutionUpdateResponse(update_ref=_ref(run, update_id), stage=reached)
        if entry.known.outcome is not None:
            response.outcome.CopyFrom(entry.known.outcome)
        return response

    def _find(self, run: Run, update_id: str) -> Entry | None:
        """The update under way, or as history tells it."""
        entry = self._of_run.get(run.key, {}).get(update_id)
        if entry is not None:
            return entry
        row = run.state.updates.get(update_id)
        if row is None:
            return None
        known = self._from_history(run, row)
        if row.completed_event_id:
            completed = self._runs.read_event(run, row.completed_event_id)
            known.stage = Stage.COMPLETED
            known.outcome = completed.workflow_execution_update_completed_event_attributes.outcome
        elif not run.state.open:
            known.stage = Stage.COMPLETED
            known.outcome = closed_outcome()
        entry = Entry(known)
        if known.stage != Stage.COMPLETED:
            self._keep(run, update_id, entry)
        return entry

    def _from_history(self, run: Run, row: Update) -> Known:
        """An update that history knows, as far as it was accepted; or admitted, as after a reset."""
        if row.admitted_event_id:
            admitted = self._runs.read_event(run, row.admitted_event_id)
            request = admitted.workflow_execution_update_admitted_event_attributes.request
        else:
            accepted = self._runs.read_event(run, row.accepted_event_id)
            request = accepted.workflow_execution_update_accepted_event_attributes.accepted_request
        if row.accepted_event_id:
            return Known(Stage.ACCEPTED, request, in_history=bool(row.admitted_event_id))
        started = run.state.info.task_state == TaskState.STARTED
        return Known(Stage.SENT if started else Stage.ADMITTED, request, in_history=True)

    def _admit(self, namespace: Namespace, run: Run, request: Request) -> Entry:
        """Take a new update, and have a worker look at it."""
        requests.require_open(run.state)
        info = run.state.info
        if info.status == PAUSED:
            raise FailedPrecondition("Workflow is paused. Cannot update the workflow.")
        if info.task_attempt >= QUERY_FAILING_ATTEMPTS:
            raise WorkflowNotReady("Unable to perform workflow execution update due to Workflow Task in failed state.")
        limits = namespace.limits
        entries = self._of_run.get(run.key, {})
        if len(entries) >= limits.updates_in_flight_max:
            raise ResourceExhausted(
                f"limit on number of concurrent in-flight updates has been reached ({limits.updates_in_flight_max})",
                ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
            )
        if len(run.state.updates) >= limits.updates_total_max:
            raise FailedPrecondition(
                f"limit on the total number of distinct updates in this workflow has been reached "
                f"({limits.updates_total_max}): make this workflow continue as new"
            )
        entry = Entry(Known(Stage.ADMITTED, request))
        self._keep(run, request.meta.update_id, entry)
        self._ask_for_task(run)
        return entry

    def _ask_for_task(self, run: Run) -> None:
        info = run.state.info
        if info.first_task_at:
            self._runs.decide(run, runs.schedule_first_task)
        elif info.task_state == TaskState.NONE:
            # Nothing of a speculative task is kept; a retry of a failed one is an ordinary task.
            self._runs.decide(run, workflow_task.schedule_speculative, durable=info.task_attempt > 1)

    def _keep(self, run: Run, update_id: str, entry: Entry) -> None:
        self._of_run.setdefault(run.key, {})[update_id] = entry
        run.holds += 1

    def _drop(self, run: Run, update_id: str) -> None:
        entries = self._of_run.get(run.key, {})
        if entries.pop(update_id, None) is not None:
            run.holds -= 1
        if not entries:
            self._of_run.pop(run.key, None)

    async def _wait(self, run: Run, update_id: str, entry: Entry, wanted: L.ValueType, call: Call) -> L.ValueType:
        """Wait for the stage, or for as long as a call may take. Returns what is reached."""
        until = poll_until(call.deadline, self._clock.now(), UPDATE_LONG_POLL)
        while entry.error is None and entry.stage < min(wanted, COMPLETED):
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            entry.waiters.append(waiter)
            try:
                await asyncio.wait_for(waiter, max(0.0, (until - self._clock.now()) / 1e9))
            except TimeoutError:
                break
            finally:
                if waiter in entry.waiters:
                    entry.waiters.remove(waiter)
        if entry.error is not None:
            raise entry.error
        await self._runs.committed(run)
        return entry.stage

    # -- for workflow tasks

    def waiting(self, run: Run) -> bool:
        """Whether an update waits for a workflow task."""
        return any(entry.known.stage == Stage.ADMITTED for entry in self._of_run.get(run.key, {}).values())

    def known(self, run: Run) -> Mapping[str, Known]:
        """What a completion may speak of."""
        return {
            update_id: entry.known
            for update_id, entry in self._of_run.get(run.key, {}).items()
            if entry.known.stage in (Stage.SENT, Stage.ACCEPTED)
        } | self._recorded(run)

    def _recorded(self, run: Run) -> dict[str, Known]:
        """Updates that history knows and that nobody here waits for, as after a restart."""
        result: dict[str, Known] = {}
        for row in run.state.updates:
            if not row.completed_event_id and row.update_id not in self._of_run.get(run.key, {}):
                result[row.update_id] = self._from_history(run, row)
        return result

    def outgoing(self, run: Run) -> list[Message]:
        """The messages for the workflow task that was just started; its updates count as sent."""
        sequence = run.state.info.task_started_event_id - 1
        messages = []
        for update_id, entry in self._of_run.get(run.key, {}).items():
            if entry.known.stage in (Stage.ADMITTED, Stage.SENT):
                entry.known.stage = Stage.SENT
                if entry.known.in_history:
                    continue
                body = AnyMessage()
                body.Pack(entry.known.request)
                messages.append(
                    Message(id=f"{update_id}/request", protocol_instance_id=update_id, event_id=sequence, body=body)
                )
        return messages

    def applied(self, run: Run, session: Session) -> None:
        """A completion has been committed: take over what it did to the updates."""
        for update_id, known in session.touched.items():
            entry = self._of_run.get(run.key, {}).get(update_id)
            if entry is None:
                continue
            entry.known.stage = known.stage
            entry.known.outcome = known.outcome
            if known.stage in (Stage.COMPLETED, Stage.REJECTED):
                self._drop(run, update_id)
            self._changed(entry)

    def task_failed(self, run: Run, *, by_server: bool) -> None:
        """The task that carried updates failed: they go out again, unless a message of theirs was at fault."""
        for update_id, entry in list(self._of_run.get(run.key, {}).items()):
            if entry.known.stage != Stage.SENT:
                continue
            if by_server:
                self._fail(
                    run,
                    update_id,
                    WorkflowNotReady(
                        "Unable to perform workflow execution update due to unexpected workflow task failure."
                    ),
                )
            else:
                entry.known.stage = Stage.ADMITTED
        if self.waiting(run):
            self._ask_for_task(run)

    def _changed(self, entry: Entry) -> None:
        """Tell who waits."""
        if entry.waiters:
            self.on_answer()
        entry.changed()

    def _fail(self, run: Run, update_id: str, error: ServiceError) -> None:
        entry = self._of_run[run.key][update_id]
        entry.error = error
        self._drop(run, update_id)
        self._changed(entry)

    def closed(self, run: Run) -> None:
        """The run has closed: accepted updates have failed, the others were never there."""
        goes_on = run.state.info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
        for update_id, entry in list(self._of_run.get(run.key, {}).items()):
            row = run.state.updates.get(update_id)
            if row is not None and row.completed_event_id:
                continue  # completed by the very task that closed the run
            if row is not None:
                entry.known.stage = Stage.COMPLETED
                entry.known.outcome = closed_outcome()
                self._drop(run, update_id)
                self._changed(entry)
            elif goes_on:
                self._fail(
                    run,
                    update_id,
                    ResourceExhausted(
                        "workflow operation can not be applied because workflow is closing",
                        ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW,
                    ),
                )
            elif entry.known.stage == Stage.ADMITTED or run.state.info.task_state == TaskState.NONE:
                self._fail(run, update_id, NotFound("workflow update was aborted by closing workflow"))


def _ref(run: Run, update_id: str) -> UpdateRef:
    start = run.state.start
    execution = WorkflowExecution(workflow_id=start.workflow_id, run_id=start.run_id)
    return UpdateRef(workflow_execution=execution, update_id=update_id)


def _link(run: Run, entry: Entry) -> Link:
    """To the acceptance; to the workflow alone where the update failed or was rejected."""
    start = run.state.start
    outcome: Outcome | None = entry.known.outcome
    if outcome is not None and outcome.HasField("failure"):
        return Link(
            workflow=Link.Workflow(
                namespace=start.namespace,
                workflow_id=start.workflow_id,
                run_id=start.run_id,
                reason="Update rejected",
            )
        )
    event = Link.WorkflowEvent(namespace=start.namespace, workflow_id=start.workflow_id, run_id=start.run_id)
    event.request_id_ref.event_type = EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED
    return Link(workflow_event=event)
