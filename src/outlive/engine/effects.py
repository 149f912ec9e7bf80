"""Doing what transitions ask for: offering tasks, and touching other executions.

Rules (all of them live in this file)
- Offers go to the queues at once. Whoever takes one waits for the commit before speaking.
- An effect on another execution runs in a later turn of the loop, checks the state it came from, and
  writes its outcome there. Repeating one that was done changes nothing.
- After a restart every run that owes effects is loaded, and they are done again.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    ParentClosePolicy,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
    WorkflowIdConflictPolicy,
)
from temporalio.api.history.v1 import HistoryEvent

from outlive.clock import Clock
from outlive.core import children, close, requests, starting, time_skipping
from outlive.core.effects import (
    Closed,
    ClosePolicy,
    DeliverCallback,
    DispatchActivity,
    DispatchWorkflowTask,
    Effect,
    NotifyParent,
    SendCancel,
    SendSignal,
    StartChild,
    outstanding,
)
from outlive.core.runs import Origin, open_run
from outlive.engine.deployments import Deployments
from outlive.engine.dispatch import Dispatch
from outlive.engine.runs import Run, Runs
from outlive.errors import AlreadyExists, FailedPrecondition, NotFound, ServiceError

log = logging.getLogger(__name__)
_ChildCause = StartChildWorkflowExecutionFailedCause
_SignalCause = SignalExternalWorkflowExecutionFailedCause
_CancelCause = CancelExternalWorkflowExecutionFailedCause
BY_PARENT_CLOSE_POLICY = "by parent close policy"


class Effects:
    """Runs effects. `on_closed` is told of every run that closes.

    Children start by `clock`.
    """

    def __init__(self, runs: Runs, dispatch: Dispatch, clock: Clock, deployments: Deployments) -> None:
        self._runs = runs
        self._dispatch = dispatch
        self._clock = clock
        self._deployments = deployments
        self._waiting: deque[tuple[int, Effect]] = deque()
        self._scheduled = False
        self.on_closed: Callable[[Run], None] = lambda run: None
        self.on_callback: Callable[[Run, int], None] = lambda run, number: None
        self._handlers: dict[type, Callable[[Run, Effect], None]] = {
            StartChild: self._start_child,
            SendSignal: self._send_signal,
            SendCancel: self._send_cancel,
            NotifyParent: self._notify_parent,
            ClosePolicy: self._close_policy,
        }

    def recover(self, keys: Iterable[int]) -> None:
        """Take up what these runs owe, after a restart."""
        for key in keys:
            run = self._runs.get(key)
            if run is not None:
                for effect in outstanding(run.state):
                    self.take(run, effect)

    def take(self, run: Run, effect: Effect) -> None:
        """Do the effect, now or in a later turn of the loop."""
        if isinstance(effect, DispatchWorkflowTask):
            self._dispatch.offer_task(run, effect)
        elif isinstance(effect, DispatchActivity):
            self._dispatch.offer_activity(run, effect)
        elif isinstance(effect, Closed):
            self.on_closed(run)
        elif isinstance(effect, DeliverCallback):
            self.on_callback(run, effect.number)
        else:
            self._waiting.append((run.key, effect))
            if not self._scheduled:
                self._scheduled = True
                asyncio.get_running_loop().call_soon(self._drain)

    @property
    def idle(self) -> bool:
        """Whether no effect waits to be done."""
        return not self._waiting

    def _drain(self) -> None:
        self._scheduled = False
        for _ in range(len(self._waiting)):
            key, effect = self._waiting.popleft()
            run = self._runs.get(key)
            if run is None:
                continue
            try:
                self._handlers[type(effect)](run, effect)
            except ServiceError:
                log.exception("effect %s of %s was refused", effect, run.state.start.workflow_id)

    # -- children

    def _start_child(self, run: Run, effect: Effect) -> None:
        assert isinstance(effect, StartChild)
        initiated_id = effect.initiated_event_id
        child = run.state.children.get(initiated_id)
        if child is None or child.started_event_id or not run.state.open:
            return
        if not self._runs.takes_new(child.namespace_id):
            cause = _ChildCause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
            self._runs.decide(run, lambda t: children.start_failed(t, initiated_id, cause))
            return
        initiated_event = self._runs.read_event(run, initiated_id)
        initiated = initiated_event.start_child_workflow_execution_initiated_event_attributes
        last = self._runs.find(child.namespace_id, child.workflow_id)
        if last is not None and last.state.start.create_request_id == child.request_id:
            self._runs.decide(run, lambda t: children.started(t, initiated_id, last.state.start.run_id))
            return
        conflict = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL
        cause = _ChildCause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
        try:
            admission = starting.admit(last.state if last else None, initiated.workflow_id_reuse_policy, conflict)
            cause = _ChildCause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_INVALID_VERSIONING_OVERRIDE
            self._deployments.require_version(
                child.namespace_id, initiated.versioning_override, initiated.task_queue.name
            )
        except (AlreadyExists, FailedPrecondition):
            self._runs.decide(run, lambda t: children.start_failed(t, initiated_id, cause))
            return
        if admission == starting.Admission.TERMINATE_THEN_NEW and last is not None:
            self.terminate(last, "TerminateIfRunning WorkflowIdReusePolicy Policy")
        run_id = self._open_child(run, initiated_id, initiated_event, child.request_id)
        self._runs.decide(run, lambda t: children.started(t, initiated_id, run_id))

    def _open_child(self, run: Run, initiated_id: int, event: HistoryEvent, request_id: str) -> str:
        """Start the child; returns its run id."""
        initiated = event.start_child_workflow_execution_initiated_event_attributes
        context = self._runs.context(initiated.namespace_id)
        run_id = context.new_id()
        now = self._clock.now() + time_skipping.skipped_before(initiated.time_skipping_state_propagation)
        origin = Origin(
            namespace_id=initiated.namespace_id,
            namespace=initiated.namespace,
            run_id=run_id,
            request_id=request_id,
            user_metadata=event.user_metadata if event.HasField("user_metadata") else None,
        )
        attributes = starting.by_parent(run.state, initiated_id, initiated, run_id, now, context.routes)
        t = open_run(context, now, origin, attributes)
        time_skipping.finish(t)
        self._runs.open(t)
        return run_id

    def terminate(self, run: Run, reason: str) -> None:
        """Terminate on the server's own account."""
        if run.state.open:
            self._runs.decide(run, lambda t: close.terminate(t, reason=reason, identity=t.context.identity))

    # -- signals and cancel requests to others

    def _send_signal(self, run: Run, effect: Effect) -> None:
        assert isinstance(effect, SendSignal)
        event_id = effect.initiated_event_id
        outgoing = run.state.signals.get(event_id)
        if outgoing is None or not run.state.open:
            return
        attributes = self._runs.read_event(run, event_id).signal_external_workflow_execution_initiated_event_attributes
        target = self._target(
            run, attributes.namespace_id, attributes.workflow_execution, attributes.child_workflow_only
        )
        failed: _SignalCause.ValueType | None = None
        try:
            if target is None:
                raise NotFound("no such workflow")
            signal = requests.Signal(
                name=attributes.signal_name,
                input=attributes.input if attributes.HasField("input") else None,
                identity=self._runs.context(attributes.namespace_id).identity,
                request_id=outgoing.request_id,
                header=attributes.header if attributes.HasField("header") else None,
                sender=_execution(run),
            )
            self._runs.decide(target, lambda t: requests.signal(t, signal))
        except NotFound:
            failed = _SignalCause.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
        except ServiceError:
            failed = _SignalCause.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED
        self._runs.decide(run, lambda t: children.signal_sent(t, event_id, failed))

    def _send_cancel(self, run: Run, effect: Effect) -> None:
        assert isinstance(effect, SendCancel)
        event_id = effect.initiated_event_id
        outgoing = run.state.cancels.get(event_id)
        if outgoing is None or not run.state.open:
            return
        attributes = self._runs.read_event(
            run, event_id
        ).request_cancel_external_workflow_execution_initiated_event_attributes
        target = self._target(
            run, attributes.namespace_id, attributes.workflow_execution, attributes.child_workflow_only
        )
        failed: _CancelCause.ValueType | None = None
        if target is None:
            failed = _CancelCause.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
        else:
            cancel = requests.Cancel(
                identity=self._runs.context(attributes.namespace_id).identity,
                request_id=outgoing.request_id,
                reason=attributes.reason,
                sender=_execution(run),
                sender_initiated_event_id=event_id,
            )
            self._runs.decide(target, lambda t: requests.cancel(t, cancel))
        self._runs.decide(run, lambda t: children.cancel_sent(t, event_id, failed))

    def _target(self, run: Run, namespace_id: str, execution: WorkflowExecution, child_only: bool) -> Run | None:
        """The workflow that a command names; itself does not count, nor a stranger where only a child may be."""
        target = self._runs.find(namespace_id, execution.workflow_id, execution.run_id)
        if target is None or target is run:
            return None
        return target if not child_only or _is_child(target, run) else None

    # -- the end of a run

    def _notify_parent(self, run: Run, effect: Effect) -> None:
        start = run.state.start
        if run.state.open or run.state.info.parent_notified:
            return
        parent = self._waiting_parent(run)
        if parent is not None:
            close_event = self._runs.read_event(run, run.state.info.next_event_id - 1)
            self._runs.decide(
                parent, lambda t: children.closed(t, start.parent_initiated_event_id, start.run_id, close_event)
            )
        run.state.info.parent_notified = True
        self._runs.submit(run)

    def _waiting_parent(self, run: Run) -> Run | None:
        """The open run that waits for this one's end: the one that started it, or a reset of that."""
        start = run.state.start
        parent = self._runs.find(start.parent_namespace_id, start.parent_workflow_id, start.parent_run_id)
        while parent is not None and not parent.state.open and parent.state.info.reset_run_id:
            again = parent.state.info.reset_run_id
            parent = self._runs.find(start.parent_namespace_id, start.parent_workflow_id, again)
        return parent if parent is not None and parent.state.open and _is_child(run, parent) else None

    def _close_policy(self, run: Run, effect: Effect) -> None:
        assert isinstance(effect, ClosePolicy)
        child = run.state.children.get(effect.initiated_event_id)
        if child is None:
            return
        target = self._runs.find(child.namespace_id, child.workflow_id)
        if target is not None and target.state.open and target.state.start.first_run_id == child.run_id:
            if child.parent_close_policy == ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE:
                self.terminate(target, BY_PARENT_CLOSE_POLICY)
            else:
                context = self._runs.context(child.namespace_id)
                cancel = requests.Cancel(context.identity, context.new_id(), sender=_execution(run))
                self._runs.decide(target, lambda t: requests.cancel(t, cancel))
        self._runs.decide(run, lambda t: children.policy_applied(t, effect.initiated_event_id))


def _is_child(run: Run, parent: Run) -> bool:
    """Whether the parent waits for the run, whichever runs of the two have followed the first ones."""
    start = run.state.start
    child = parent.state.children.get(start.parent_initiated_event_id)
    if child is None or child.workflow_id != start.workflow_id:
        return False
    return child.run_id in ("", start.first_run_id)


def _execution(run: Run) -> WorkflowExecution:
    return WorkflowExecution(workflow_id=run.state.start.workflow_id, run_id=run.state.start.run_id)
