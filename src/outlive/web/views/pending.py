"""What a run waits for: what Describe tells and no history holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from outlive.web import bounds
from outlive.web.views import failures, payloads, times
from outlive.web.views.failures import FailureView
from outlive.web.views.groups import Group
from outlive.web.views.payloads import PayloadView
from outlive.web.views.status import Status


@dataclass(frozen=True, slots=True)
class PendingActivity:
    """An activity that has not ended. ``retry_seconds`` is the wait between its attempts now. ``untaken`` is
    when its attempt was due, where no worker has taken it since."""

    id: str
    type: str
    status: Status
    attempt: int
    max_attempts: int
    scheduled: datetime | None
    started: datetime | None
    next_attempt: datetime | None
    retry_seconds: float
    failure: FailureView | None
    heartbeat: datetime | None
    heartbeat_details: list[PayloadView]
    worker: str
    task_queue: str
    untaken: datetime | None


@dataclass(frozen=True, slots=True)
class PendingTask:
    """The workflow task under way. ``waiting`` means that no worker has taken it for a while."""

    waiting: bool
    attempt: int
    since: datetime | None
    task_queue: str


def onto(groups: Iterable[Group], waiting: Iterable[PendingActivityInfo]) -> list[Group]:
    """The groups with what the history does not hold: attempts under way, their failures, the next try."""
    by_id = {one.activity_id: one for one in waiting}
    result = []
    for group in groups:
        one = by_id.get(group.key) if group.kind == "activity" and group.ended is None else None
        if one is not None:
            group = replace(
                group,
                status=_status(one),
                attempt=one.attempt,
                max_attempts=one.maximum_attempts,
                started=times.moment(one.last_started_time) or group.started,
                failure=failures.headline(one.last_failure) if one.HasField("last_failure") else group.failure,
                next_attempt=_next_attempt(one),
            )
        result.append(group)
    return result


def _status(one: PendingActivityInfo) -> Status:
    match one.state:
        case PendingActivityState.PENDING_ACTIVITY_STATE_STARTED:
            return Status.RUNNING
        case PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED:
            return Status.CANCELING
        case PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED:
            return Status.PAUSED
        case PendingActivityState.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED:
            return Status.PAUSED
        case _:
            return Status.RETRYING if one.attempt > 1 else Status.SCHEDULED


def _next_attempt(one: PendingActivityInfo) -> datetime | None:
    if _status(one) is not Status.RETRYING:
        return None
    return times.moment(one.next_attempt_schedule_time) or times.moment(one.scheduled_time)


def _untaken(one: PendingActivityInfo, now: datetime) -> datetime | None:
    if _status(one) not in (Status.SCHEDULED, Status.RETRYING):
        return None
    due = _next_attempt(one) or times.moment(one.scheduled_time)
    return due if due is not None and (now - due).total_seconds() >= bounds.TASK_NOTICE else None


def activity(one: PendingActivityInfo, now: datetime) -> PendingActivity:
    """The activity as the page shows it."""
    return PendingActivity(
        id=one.activity_id,
        type=one.activity_type.name,
        status=_status(one),
        attempt=one.attempt,
        max_attempts=one.maximum_attempts,
        scheduled=times.moment(one.scheduled_time),
        started=times.moment(one.last_started_time),
        next_attempt=_next_attempt(one),
        retry_seconds=times.seconds(one.current_retry_interval),
        failure=failures.view(one.last_failure) if one.HasField("last_failure") else None,
        heartbeat=times.moment(one.last_heartbeat_time),
        heartbeat_details=[
            payloads.view(p, bounds.PREVIEW_EVENT, f"heartbeat[{at}]")
            for at, p in enumerate(one.heartbeat_details.payloads)
        ],
        worker=one.last_worker_identity,
        task_queue=one.activity_options.task_queue.name,
        untaken=_untaken(one, now),
    )


def task(described: DescribeWorkflowExecutionResponse, now: datetime) -> PendingTask | None:
    """The workflow task under way, if there is one."""
    if not described.HasField("pending_workflow_task"):
        return None
    info = described.pending_workflow_task
    taken = info.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
    since = times.moment(info.started_time if taken else info.scheduled_time)
    long = (times.between(since, now) or 0.0) >= bounds.TASK_NOTICE
    return PendingTask(not taken and long, info.attempt, since, described.execution_config.task_queue.name)
