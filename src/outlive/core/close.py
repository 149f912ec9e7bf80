"""Closing a run, and the run that follows it: continue-as-new, workflow retry, cron.

Rules (all of them live in this file)
- A failure or run time-out is retried if the retry policy allows it; else cron goes on; else the chain ends.
- Cron goes on after completion, failure and run time-out, not after cancel, terminate or execution time-out.
- The parent hears only of the end of the chain.
- The parent close policy applies to children that have started whenever the run closes, also on
  continue-as-new. A child whose start was not recorded is never started.
- A started workflow task is failed (FORCE_CLOSE_COMMAND) when something else than it closes the run.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.command.v1 import ContinueAsNewWorkflowExecutionCommandAttributes
from temporalio.api.common.v1 import Link, Payloads, RetryPolicy
from temporalio.api.enums.v1 import (
    ContinueAsNewInitiator,
    EventType,
    RetryState,
    TimeoutType,
    WorkflowExecutionStatus,
    WorkflowTaskFailedCause,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    WorkflowExecutionCanceledEventAttributes,
    WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionContinuedAsNewEventAttributes,
    WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
    WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
)
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.workflow.v1 import ResetPoints

from outlive.core import callbacks, options, retry, runs, time_skipping, versioning, workflow_task
from outlive.core.cron import parse_cron
from outlive.core.effects import Closed, ClosePolicy, NewRun, NotifyParent, policy_applies
from outlive.core.proto import SECOND, copy_fields, duration, ns_of, timestamp
from outlive.core.state import DeadlineKind, State, TaskState
from outlive.core.transition import Transition
from outlive.limits import NEW_RUN_INTERVAL_MIN

E = EventType
S = WorkflowExecutionStatus
FORCE_CLOSE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
I = ContinueAsNewInitiator  # noqa: E741
_GIVEN = ("input", "header", "memo", "search_attributes", "last_completion_result")

# -- by the workflow's own commands ------------------------------------------------------------------------


def complete(
    t: Transition, result: Payloads | None, task_completed_event_id: int, metadata: UserMetadata | None = None
) -> None:
    """CompleteWorkflowExecution."""
    successor = _next_by_cron(t, result=result)
    t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        WorkflowExecutionCompletedEventAttributes(
            result=result,
            workflow_task_completed_event_id=task_completed_event_id,
            new_execution_run_id=successor,
        ),
        user_metadata=metadata,
    )
    _close(t, S.WORKFLOW_EXECUTION_STATUS_COMPLETED)


def fail(t: Transition, failure: Failure, task_completed_event_id: int, metadata: UserMetadata | None = None) -> None:
    """FailWorkflowExecution: the chain may go on by retry or cron."""
    state, successor = _next_after_failure(t, failure)
    t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        WorkflowExecutionFailedEventAttributes(
            failure=failure,
            retry_state=state,
            workflow_task_completed_event_id=task_completed_event_id,
            new_execution_run_id=successor,
        ),
        user_metadata=metadata,
    )
    _close(t, S.WORKFLOW_EXECUTION_STATUS_FAILED)


def cancel(
    t: Transition, details: Payloads | None, task_completed_event_id: int, metadata: UserMetadata | None = None
) -> None:
    """CancelWorkflowExecution."""
    t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        WorkflowExecutionCanceledEventAttributes(
            details=details, workflow_task_completed_event_id=task_completed_event_id
        ),
        user_metadata=metadata,
    )
    _close(t, S.WORKFLOW_EXECUTION_STATUS_CANCELED)


def continue_as_new(
    t: Transition,
    command: ContinueAsNewWorkflowExecutionCommandAttributes,
    task_completed_event_id: int,
    metadata: UserMetadata | None = None,
) -> None:
    """ContinueAsNewWorkflowExecution, with the command's defaults filled in by its validation."""
    start = t.state.start
    attributes = _carried_over(t)
    attributes.workflow_type.CopyFrom(command.workflow_type)
    attributes.task_queue.CopyFrom(command.task_queue)
    attributes.workflow_run_timeout.CopyFrom(command.workflow_run_timeout)
    attributes.workflow_task_timeout.CopyFrom(command.workflow_task_timeout)
    copy_fields(command, attributes, (*_GIVEN, "retry_policy"))
    if command.HasField("failure"):
        attributes.continued_failure.CopyFrom(command.failure)
    versioning.continued(t.state, attributes, command.initial_versioning_behavior, t.context.routes)
    attributes.cron_schedule = command.cron_schedule
    attributes.initiator = command.initiator or I.CONTINUE_AS_NEW_INITIATOR_WORKFLOW
    attributes.attempt = 1
    backoff = max(ns_of(command.backoff_start_interval), start.start_time + NEW_RUN_INTERVAL_MIN - t.now, 0)
    if backoff:
        attributes.first_workflow_task_backoff.CopyFrom(duration(backoff))
    successor = _open_successor(t, attributes)
    event = WorkflowExecutionContinuedAsNewEventAttributes(
        new_execution_run_id=successor,
        workflow_type=command.workflow_type,
        task_queue=command.task_queue,
        workflow_run_timeout=command.workflow_run_timeout,
        workflow_task_timeout=command.workflow_task_timeout,
        workflow_task_completed_event_id=task_completed_event_id,
        initiator=command.initiator,
        initial_versioning_behavior=command.initial_versioning_behavior,
    )
    copy_fields(command, event, (*_GIVEN, "failure", "backoff_start_interval"))
    t.add(E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW, event, user_metadata=metadata)
    _close(t, S.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)


# -- from outside ------------------------------------------------------------------------------------------


def terminate(
    t: Transition,
    *,
    reason: str,
    details: Payloads | None = None,
    identity: str,
    links: tuple[Link, ...] = (),
    reset_run_id: str = "",
    chain_goes_on: bool = False,
) -> None:
    """End the run at once. Needs no worker; what was buffered is kept.

    `reset_run_id`: a reset continues this run as the run of that id: its children are that one's now.
    `chain_goes_on`: a reset goes on from an earlier run of the chain: the parent still waits.
    """
    t.state.info.reset_run_id = reset_run_id
    t.state.info.parent_notified = chain_goes_on
    _end_task(t)
    t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        WorkflowExecutionTerminatedEventAttributes(reason=reason, details=details, identity=identity),
        links=links,
    )
    _close(t, S.WORKFLOW_EXECUTION_STATUS_TERMINATED)


def time_out(t: Transition, *, whole_chain: bool) -> None:
    """The run's time, or that of the whole chain, is over."""
    _end_task(t)
    state, successor = RetryState.RETRY_STATE_TIMEOUT, ""
    if not whole_chain:
        failure = Failure(message="workflow timeout", source="Server")
        failure.timeout_failure_info.timeout_type = TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
        state, successor = _next_after_failure(t, failure)
    t.add(
        E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        WorkflowExecutionTimedOutEventAttributes(retry_state=state, new_execution_run_id=successor),
    )
    _close(t, S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT)


def _end_task(t: Transition) -> None:
    info = t.state.info
    if info.task_state == TaskState.STARTED:
        workflow_task.fail(t, FORCE_CLOSE, identity=t.context.identity)
    t.flush()


def keep_for(state: State, retention: int) -> None:
    """Forget a closed run when it has been closed for this long."""
    state.info.forget_at = state.info.close_time + retention
    state.arm(state.info.forget_at, DeadlineKind.RETENTION)


# -- the end -----------------------------------------------------------------------------------------------


def _close(t: Transition, status: WorkflowExecutionStatus.ValueType) -> None:
    """The run is closed: nothing of it falls due any more but its own forgetting."""
    state, info = t.state, t.state.info
    info.status = status
    info.close_time = t.now
    info.first_task_at = 0
    state.visibility_changed = True
    state.deadlines.clear()
    if t.context.retention:
        info.forget_at = t.now + t.context.retention
        state.arm(info.forget_at, DeadlineKind.RETENTION)
    t.effect(Closed())
    callbacks.closed(t)
    if state.child_of_another and not info.successor_run_id and not info.reset_run_id and not info.parent_notified:
        t.effect(NotifyParent())
    else:
        info.parent_notified = True
    for child in list(state.children):
        if policy_applies(child.parent_close_policy) and child.run_id and not info.reset_run_id:
            t.effect(ClosePolicy(child.initiated_event_id))
        else:
            state.children.pop(child.initiated_event_id)


@dataclass(frozen=True, slots=True)
class CloseView:
    """How a run ended, for its parent."""

    status: int
    result: Payloads | None = None
    failure: Failure | None = None
    details: Payloads | None = None
    retry_state: int = 0


# -- the next run ------------------------------------------------------------------------------------------


def _carried_over(t: Transition) -> WorkflowExecutionStartedEventAttributes:
    """What every next run takes from this one."""
    mine = t.read_event(1).workflow_execution_started_event_attributes
    start = t.state.start
    result = WorkflowExecutionStartedEventAttributes(
        workflow_id=start.workflow_id,
        workflow_type=mine.workflow_type,
        task_queue=mine.task_queue,
        workflow_run_timeout=mine.workflow_run_timeout if mine.HasField("workflow_run_timeout") else None,
        workflow_task_timeout=mine.workflow_task_timeout,
        continued_execution_run_id=start.run_id,
        first_execution_run_id=start.first_run_id,
        prev_auto_reset_points=_expiring(t),
        parent_workflow_namespace=mine.parent_workflow_namespace,
        parent_workflow_namespace_id=mine.parent_workflow_namespace_id,
        parent_initiated_event_id=mine.parent_initiated_event_id,
    )
    names = (
        "parent_workflow_execution",
        "root_workflow_execution",
        "workflow_execution_timeout",
        "workflow_execution_expiration_time",
    )
    copy_fields(mine, result, names)
    config, skipped = time_skipping.for_next_run(t.state)
    if config is not None:
        result.time_skipping_config.CopyFrom(config)
    if skipped is not None:
        result.time_skipping_state_propagation.CopyFrom(skipped)
    copy_fields(options.of(t.state), result, ("priority",))
    result.completion_callbacks.extend(callbacks.carried(t.state))
    return result


def _again(t: Transition, *, retry: bool) -> WorkflowExecutionStartedEventAttributes:
    """The same run once more, as retry and cron start it."""
    mine = t.read_event(1).workflow_execution_started_event_attributes
    result = _carried_over(t)
    copy_fields(mine, result, (*_GIVEN, "retry_policy"))
    result.cron_schedule = mine.cron_schedule
    versioning.again(t.state, mine, result, retry=retry)
    return result


def _expiring(t: Transition) -> ResetPoints:
    """This run's reset points, to be forgotten when the run is."""
    points = ResetPoints.FromString(t.state.info.reset_points or b"")
    for point in points.points:
        if t.context.retention and point.run_id == t.state.start.run_id:
            point.expire_time.CopyFrom(timestamp(t.now + t.context.retention))
    return points


def _next_after_failure(t: Transition, failure: Failure) -> tuple[RetryState.ValueType, str]:
    """The retry state to write, and the run id of the next run if there is one."""
    start = t.state.start
    state = RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET
    if start.retry_policy is not None:
        policy = RetryPolicy.FromString(start.retry_policy)
        verdict = retry.judge(
            failure,
            attempt=start.attempt,
            now=t.now,
            initial=ns_of(policy.initial_interval),
            backoff=policy.backoff_coefficient,
            maximum=ns_of(policy.maximum_interval),
            attempts_max=policy.maximum_attempts,
            non_retryable=policy.non_retryable_error_types,
            expires_at=t.state.info.execution_expires_at,
        )
        if verdict.delay is not None:
            return verdict.state, _next_by_retry(t, failure, verdict.delay)
        state = verdict.state
    return state, _next_by_cron(t, failure=failure)


def _next_by_retry(t: Transition, failure: Failure, delay: int) -> str:
    attributes = _again(t, retry=True)
    attributes.initiator = I.CONTINUE_AS_NEW_INITIATOR_RETRY
    attributes.attempt = t.state.start.attempt + 1
    attributes.continued_failure.CopyFrom(failure)
    attributes.first_workflow_task_backoff.CopyFrom(duration(delay))
    return _open_successor(t, attributes)


def _next_by_cron(t: Transition, *, result: Payloads | None = None, failure: Failure | None = None) -> str:
    start = t.state.start
    if not start.cron_schedule:
        return ""
    backoff = cron_backoff(start.cron_schedule, start.execution_time, t.now)
    expires = t.state.info.execution_expires_at
    if backoff is None or (expires and t.now + backoff > expires):
        return ""
    attributes = _again(t, retry=False)
    attributes.initiator = I.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
    attributes.attempt = 1
    if result is not None:
        attributes.last_completion_result.CopyFrom(result)
    if failure is not None:
        attributes.continued_failure.CopyFrom(failure)
    attributes.first_workflow_task_backoff.CopyFrom(duration(backoff))
    return _open_successor(t, attributes)


def cron_backoff(schedule: str, since: int, now: int) -> int | None:
    """Nanoseconds from `now` to the next slot of those counted from `since`, in whole seconds."""
    cron = parse_cron(schedule)
    at = cron.next_after(since)
    while at is not None and at <= now:
        at = cron.next_after(at)
    return None if at is None else -(-(at - now) // SECOND) * SECOND


def _open_successor(t: Transition, attributes: WorkflowExecutionStartedEventAttributes) -> str:
    """Open the next run, to be committed with the end of this one. Returns its run id."""
    start = t.state.start
    run_id = t.context.new_id()
    attributes.original_execution_run_id = run_id
    origin = runs.Origin(
        namespace_id=start.namespace_id,
        namespace=start.namespace,
        run_id=run_id,
        request_id=t.context.new_id(),
        chain_start_time=start.chain_start_time,
    )
    opened = runs.open_run(t.context, t.now, origin, attributes)
    time_skipping.finish(opened)
    t.state.info.successor_run_id = run_id
    t.effect(NewRun(opened.state, tuple(opened.effects)))
    return run_id
