"""Opening a run: its first event, and its first workflow task or the wait for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.api.sdk.v1 import UserMetadata

from outlive.core import callbacks, time_skipping, version_attributes, versioning, workflow_task
from outlive.core.proto import ns_of, time_of
from outlive.core.state import Attributes, DeadlineKind, Start, State
from outlive.core.transition import Context, Transition
from outlive.limits import TIME_MAX


@dataclass(frozen=True, slots=True)
class Origin:
    """What a run is besides what its first event says."""

    namespace_id: str
    namespace: str
    run_id: str
    request_id: str
    chain_start_time: int = 0  # 0: it is the first of its chain
    user_metadata: UserMetadata | None = None
    links: Sequence[Link] = ()


def _no_events(event_id: int) -> HistoryEvent:
    raise AssertionError(f"a run that is being opened has no event {event_id} to read")


def start_record(
    context: Context, now: int, origin: Origin, attributes: WorkflowExecutionStartedEventAttributes
) -> Start:
    """The run's fixed facts, from its first event."""
    parent = attributes.parent_workflow_execution
    root = attributes.root_workflow_execution
    backoff = ns_of(attributes.first_workflow_task_backoff)
    has_metadata = origin.user_metadata is not None and origin.user_metadata.ByteSize() > 0
    return Start(
        key=context.new_key(),
        namespace_id=origin.namespace_id,
        namespace=origin.namespace,
        workflow_id=attributes.workflow_id,
        run_id=origin.run_id,
        first_run_id=attributes.first_execution_run_id,
        original_run_id=attributes.original_execution_run_id,
        workflow_type=attributes.workflow_type.name,
        task_queue=attributes.task_queue.name,
        start_time=now,
        execution_time=now + backoff,
        chain_start_time=origin.chain_start_time or now,
        execution_timeout=ns_of(attributes.workflow_execution_timeout),
        run_timeout=ns_of(attributes.workflow_run_timeout),
        task_timeout=ns_of(attributes.workflow_task_timeout),
        attempt=attributes.attempt,
        retry_policy=attributes.retry_policy.SerializeToString() if attributes.HasField("retry_policy") else None,
        cron_schedule=attributes.cron_schedule,
        parent_namespace_id=attributes.parent_workflow_namespace_id,
        parent_namespace=attributes.parent_workflow_namespace,
        parent_workflow_id=parent.workflow_id,
        parent_run_id=parent.run_id,
        parent_initiated_event_id=attributes.parent_initiated_event_id,
        root_workflow_id=root.workflow_id or attributes.workflow_id,
        root_run_id=root.run_id or origin.run_id,
        create_request_id=origin.request_id,
        continued_from_run_id=attributes.continued_execution_run_id,
        priority=attributes.priority.SerializeToString() if attributes.HasField("priority") else None,
        user_metadata=origin.user_metadata.SerializeToString() if has_metadata and origin.user_metadata else None,
    )


def open_run(
    context: Context,
    now: int,
    origin: Origin,
    attributes: WorkflowExecutionStartedEventAttributes,
    *,
    schedule: bool = True,
    dispatch: bool = True,
) -> Transition:
    """Begin a run. The transition's state is new; its effects are the run's own.

    `schedule=False` leaves the first workflow task to what comes with the start, such as a signal.
    `dispatch=False` keeps it from its queue, for a worker that is given it at once.
    The transition is left open for what comes with the start; end it with `time_skipping.finish`.
    `now` is the run's own time: ahead of the server's by what its first event says was skipped.
    """
    state = State(start=start_record(context, now, origin, attributes))
    t = Transition(state, now, context, _no_events)
    state.begin()
    t.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        attributes,
        links=origin.links,
        user_metadata=origin.user_metadata,
    )
    first = state.unsaved[0]
    t.read_event = lambda event_id: first if event_id == 1 else _no_events(event_id)
    started(state, attributes, now)
    if schedule and not state.info.first_task_at:
        workflow_task.schedule(t, dispatch=dispatch)
    return t


def started(state: State, attributes: WorkflowExecutionStartedEventAttributes, now: int) -> None:
    """What the first event says of the run, when it happens and when it is replayed."""
    state.attributes = Attributes(
        memo=attributes.memo.SerializeToString() if attributes.memo.fields else None,
        search_attributes=attributes.search_attributes.SerializeToString()
        if attributes.search_attributes.indexed_fields
        else None,
    )
    _set_time_limits(state, time_of(attributes.workflow_execution_expiration_time))
    versioning.begin(state, attributes)
    if state.info.versioning is not None:
        version_attributes.note(state)
    time_skipping.started(state, attributes, now)
    callbacks.register(state, attributes.completion_callbacks, now)
    if attributes.HasField("prev_auto_reset_points"):
        state.info.reset_points = attributes.prev_auto_reset_points.SerializeToString()
    backoff = ns_of(attributes.first_workflow_task_backoff)
    if backoff > 0:
        state.info.first_task_at = now + backoff
        state.arm(state.info.first_task_at, DeadlineKind.FIRST_TASK)


def restarted(state: State, run_id: str, now: int) -> None:
    """The run is another from here on, which a reset began at `now`: its time starts anew."""
    start = state.start
    own_root = not start.parent_workflow_id and start.root_workflow_id == start.workflow_id
    state.start = replace(
        start,
        run_id=run_id,
        start_time=now,
        execution_time=now,
        root_run_id=run_id if own_root else start.root_run_id,
    )
    _set_time_limits(state, now + start.execution_timeout if start.execution_timeout else 0)


def schedule_first_task(t: Transition) -> None:
    """End the wait for the first workflow task."""
    t.state.info.first_task_at = 0
    workflow_task.schedule(t)


def _set_time_limits(state: State, expires: int) -> None:
    """`expires`: when the whole chain does; 0 for never."""
    info, start = state.info, state.start
    expires = min(expires, TIME_MAX)
    if expires > 0:
        info.execution_expires_at = expires
        state.arm(expires, DeadlineKind.EXECUTION)
    if start.run_timeout:
        run_expires = min(start.execution_time + start.run_timeout, TIME_MAX)
        info.run_expires_at = min(run_expires, expires) if expires > 0 else run_expires
        state.arm(info.run_expires_at, DeadlineKind.RUN)
