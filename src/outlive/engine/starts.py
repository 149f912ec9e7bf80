"""StartWorkflowExecution and SignalWithStartWorkflowExecution."""

from __future__ import annotations

from dataclasses import dataclass, replace

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, WorkflowExecutionStatus, WorkflowIdConflictPolicy
from temporalio.api.history.v1 import WorkflowExecutionOptionsUpdatedEventAttributes
from temporalio.api.workflow.v1 import OnConflictOptions
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueResponse,
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from outlive.clock import Clock
from outlive.core import callbacks, close, options, requests, starting, time_skipping, workflow_task
from outlive.core.proto import json_payload, ns_of
from outlive.core.runs import Origin, open_run
from outlive.core.starting import Admission
from outlive.core.transition import Transition
from outlive.engine.calls import Call
from outlive.engine.deployments import Deployments
from outlive.engine.links import event_link
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Run, Runs
from outlive.engine.workflow_tasks import WorkflowTasks

E = EventType
REPLACED = "TerminateIfRunning WorkflowIdReusePolicy"
StartRequest = StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest


@dataclass(frozen=True, slots=True)
class Found:
    """The run that a start request leads to."""

    run: Run
    started: bool
    event_type: EventType.ValueType  # the event that the request id stands for


class Starts:
    """Starting runs for clients."""

    def __init__(self, runs: Runs, clock: Clock, tasks: WorkflowTasks, deployments: Deployments) -> None:
        self._deployments = deployments
        self._runs = runs
        self._clock = clock
        self._tasks = tasks

    async def start_workflow_execution(
        self, namespace: Namespace, request: StartWorkflowExecutionRequest, call: Call
    ) -> StartWorkflowExecutionResponse:
        found = self._deduped(namespace, request)
        eager = request.request_eager_execution and not _waits(request)
        if found is None:
            found = self._start(namespace, request, eager)
        run = found.run
        response = StartWorkflowExecutionResponse(
            run_id=run.state.start.run_id,
            first_execution_run_id=run.state.start.first_run_id,
            started=found.started,
            status=WorkflowExecutionStatus.ValueType(run.state.info.status),
            link=event_link(run.state.start, found.event_type, request.request_id),
        )
        await self._runs.committed(run)
        if found.started and eager and run.state.info.task_request_id == request.request_id:
            task = PollWorkflowTaskQueueResponse.FromString(self._tasks.answer(run))
            response.eager_workflow_task.CopyFrom(task)
        return response

    def start(self, namespace: Namespace, request: StartWorkflowExecutionRequest) -> Run:
        """Start a run on the server's own account; the request has its defaults. `committed` waits for it.

        Raises ServiceError if it may not start. A repeated request leads to the run that it started before.
        """
        found = self._deduped(namespace, request) or self._start(namespace, request, eager=False)
        return found.run

    def _deduped(self, namespace: Namespace, request: StartRequest) -> Found | None:
        """The current run, if it has taken this very request before."""
        last = self._runs.find(namespace.id, request.workflow_id)
        if last is None:
            return None
        if last.state.start.create_request_id == request.request_id:
            return Found(last, True, E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)
        row = last.state.requests.get(request.request_id)
        if row is not None and row.event_type == E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
            return Found(last, False, E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED)
        return None

    def _start(self, namespace: Namespace, request: StartWorkflowExecutionRequest, eager: bool) -> Found:
        self._check_override(namespace, request)
        last = self._runs.find(namespace.id, request.workflow_id)
        admission = starting.admit(
            last.state if last else None, request.workflow_id_reuse_policy, request.workflow_id_conflict_policy
        )
        if last is not None and admission == Admission.USE_EXISTING:
            return self._attach(last, request)
        run_id = self._runs.new_id()
        if last is not None and admission == Admission.TERMINATE_THEN_NEW:
            self._replace(last, run_id)
        return Found(self._open(namespace, request, run_id, eager=eager), True, E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED)

    def _check_override(self, namespace: Namespace, request: StartRequest) -> None:
        """An override must name a version that has the queue."""
        if request.HasField("versioning_override"):
            self._deployments.require_version(namespace.id, request.versioning_override, request.task_queue.name)

    def _replace(self, run: Run, run_id: str) -> None:
        """Terminate the running one in favour of the run with that id."""
        details = Payloads(payloads=[json_payload(f"terminated by new runID: {run_id}")])
        self._runs.decide(
            run, lambda t: close.terminate(t, reason=REPLACED, details=details, identity=t.context.identity)
        )

    def _open(
        self,
        namespace: Namespace,
        request: StartRequest,
        run_id: str,
        *,
        eager: bool = False,
        signal: requests.Signal | None = None,
    ) -> Run:
        """Open a run; with a signal, the signal comes before the first workflow task."""
        context = self._runs.context(namespace.id)
        now = self._clock.now()
        attributes = starting.by_client(request, run_id, now)
        attributes.eager_execution_accepted = eager
        origin = Origin(
            namespace_id=namespace.id,
            namespace=namespace.name,
            run_id=run_id,
            request_id=request.request_id,
            user_metadata=request.user_metadata if request.HasField("user_metadata") else None,
            links=request.links,
        )
        t = open_run(context, now, origin, attributes, schedule=signal is None, dispatch=not eager)
        if signal is not None:
            requests.signal(t, replace(signal, ends_start_delay=False))
        if eager:
            workflow_task.start(t, request_id=request.request_id, identity=request.identity)
        time_skipping.finish(t)
        return self._runs.open(t)

    # -- attaching to a running workflow

    def _attach(self, run: Run, request: StartWorkflowExecutionRequest) -> Found:
        on_conflict = request.on_conflict_options
        if request.HasField("on_conflict_options"):
            self._runs.decide(run, lambda t: _record_attachment(t, request, on_conflict))
        attached = on_conflict.attach_request_id
        kind = E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED if attached else E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
        return Found(run, False, kind)

    # -- signal with start

    async def signal_with_start_workflow_execution(
        self, namespace: Namespace, request: SignalWithStartWorkflowExecutionRequest, call: Call
    ) -> SignalWithStartWorkflowExecutionResponse:
        signal = requests.Signal(
            name=request.signal_name,
            input=request.signal_input if request.HasField("signal_input") else None,
            identity=request.identity,
            request_id=request.request_id,
            header=request.header if request.HasField("header") else None,
            links=request.links,
            ends_start_delay=True,
        )
        run, started = self._signal_or_start(namespace, request, signal)
        await self._runs.committed(run)
        return SignalWithStartWorkflowExecutionResponse(
            run_id=run.state.start.run_id,
            first_execution_run_id=run.state.start.first_run_id,
            started=started,
            signal_link=event_link(run.state.start, E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED, request.request_id),
        )

    def _signal_or_start(
        self, namespace: Namespace, request: SignalWithStartWorkflowExecutionRequest, signal: requests.Signal
    ) -> tuple[Run, bool]:
        last = self._runs.find(namespace.id, request.workflow_id)
        if last is not None and last.state.start.create_request_id == request.request_id:
            return last, False
        self._check_override(namespace, request)
        conflict = request.workflow_id_conflict_policy or (
            WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
        )
        admission = starting.admit(last.state if last else None, request.workflow_id_reuse_policy, conflict)
        if last is not None and admission == Admission.USE_EXISTING:
            self._runs.decide(last, lambda t: requests.signal(t, signal))
            return last, False
        run_id = self._runs.new_id()
        if last is not None and admission == Admission.TERMINATE_THEN_NEW:
            self._replace(last, run_id)
        return self._open(namespace, request, run_id, signal=signal), True


def _waits(request: StartWorkflowExecutionRequest) -> bool:
    """Whether the first workflow task is not due at once."""
    return bool(request.cron_schedule or ns_of(request.workflow_start_delay))


def _record_attachment(t: Transition, request: StartWorkflowExecutionRequest, on_conflict: OnConflictOptions) -> None:
    event = WorkflowExecutionOptionsUpdatedEventAttributes()
    if on_conflict.attach_request_id:
        event.attached_request_id = request.request_id
    if on_conflict.attach_completion_callbacks:
        callbacks.require_room(t.state, len(request.completion_callbacks), t.limits.callbacks_max)
        event.attached_completion_callbacks.extend(request.completion_callbacks)
    links = request.links if on_conflict.attach_links else ()
    event_id = t.add(options.KIND, event, links=links, worker_may_ignore=True)
    options.updated(t.state, event_id, t.now, event)
