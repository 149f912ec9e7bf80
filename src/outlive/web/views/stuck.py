"""Why a run does not move: one sentence, and the next thing to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from shlex import quote

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    PendingWorkflowTaskState,
    TaskQueueKind,
    TaskQueueType,
)
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import failures, pending, status, times
from outlive.web.views.groups import RunLink
from outlive.web.views.problem import Step
from outlive.web.views.status import Status

_GONE = 70.0  # seconds without a poll: a worker's poll is answered, and made again, sooner
_LATEST = 20  # events looked at for the last failure of a workflow task


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that a run waits for. ``blocked``: it does not end by itself."""

    words: str
    step: Step | None = None
    blocked: bool = False


async def reasons(client: WorkflowServiceClient, run: RunLink, now: datetime | None = None) -> list[Reason]:
    """What the run waits for, what blocks it first. Raises RpcError."""
    request = DescribeWorkflowExecutionRequest(
        namespace=run.namespace, execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id)
    )
    described = await client.describe_workflow_execution(request)
    return await of_described(client, run, described, now or datetime.now(UTC))


async def of_described(
    client: WorkflowServiceClient, run: RunLink, described: DescribeWorkflowExecutionResponse, now: datetime
) -> list[Reason]:
    """As :func:`reasons`, of a run that has been looked at just now. Raises RpcError."""
    info = described.workflow_execution_info
    if not status.of_run(info.status).open:
        return [_ended(run, status.of_run(info.status))]
    if status.of_run(info.status) is Status.PAUSED:
        details = described.workflow_extended_info.pause_info
        who = f" by {details.identity}" if details.identity else ""
        why = f": {details.reason}" if details.reason else ""
        return [Reason(f"It is paused{who}{why}.", _command("Let it go on:", "workflow unpause", run), blocked=True)]
    found = await _of_task(client, run, described, now)
    for one in described.pending_activities:
        found += await _of_activity(client, run, pending.activity(one, now), now)
    if not found:
        found = _of_the_rest(run, described)
    return sorted(found, key=lambda reason: not reason.blocked)


def _command(words: str, command: str, run: RunLink) -> Step:
    namespace = "" if run.namespace == "default" else f" -n {quote(run.namespace)}"
    return Step(words, f"outlive {command} -w {quote(run.workflow_id)}{namespace}")


def _ended(run: RunLink, how: Status) -> Reason:
    words = f"It does not wait: it has ended ({how.label.lower()})."
    return Reason(words, _command("See how:", "workflow show", run) if how.bad else None)


# -- the workflow task


async def _of_task(
    client: WorkflowServiceClient, run: RunLink, described: DescribeWorkflowExecutionResponse, now: datetime
) -> list[Reason]:
    """About the workflow task under way, if there is one."""
    if not described.HasField("pending_workflow_task"):
        return []
    task = described.pending_workflow_task
    queue = described.execution_config.task_queue.name
    if task.attempt > 1:
        return [await _failing(client, run, task.attempt)]
    if task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED:
        return [Reason("A worker is advancing it now.")]
    waited = times.between(times.moment(task.scheduled_time), now) or 0.0
    if not await _polled(client, run.namespace, queue, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW):
        return [_nobody(queue, "workflow")]
    words = f"Its next workflow task waits for a worker of queue {queue}, for {times.span(waited)} now."
    return [Reason(words, blocked=waited > bounds.TASK_NOTICE)]


async def _failing(client: WorkflowServiceClient, run: RunLink, attempt: int) -> Reason:
    """Its workflow task fails again and again: with what, as its history says."""
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace=run.namespace,
        execution=WorkflowExecution(workflow_id=run.workflow_id, run_id=run.run_id),
        maximum_page_size=_LATEST,
    )
    answer = await client.get_workflow_execution_history_reverse(request)
    for event in answer.history.events:
        if event.HasField("workflow_task_failed_event_attributes"):
            return _failure(event, run, attempt)
        if event.HasField("workflow_task_timed_out_event_attributes"):
            break
    words = f"Its workflow task times out (attempt {attempt}): the worker takes it and does not answer."
    step = Step("Look at the worker's log. Usual causes: code that blocks the loop, or a worker that was killed.")
    return Reason(words, step, blocked=True)


def _failure(event: HistoryEvent, run: RunLink, attempt: int) -> Reason:
    attributes = event.workflow_task_failed_event_attributes
    message = failures.headline(attributes.failure)
    words = f"Its workflow task fails with: {message} (attempt {attempt})."
    if "nondeterminism" in message.lower() or "non-deterministic" in message.lower():
        step = Step("The code has changed under the run. Deploy the old code, guard the change with a patch, or:",
                    _command("", "workflow reset --type LastWorkflowTask --reason fixed", run).command)  # fmt: skip
    else:
        step = Step("Fix the workflow's code and restart its worker: the task is tried again by itself.")
    return Reason(words, step, blocked=True)


# -- activities


async def _of_activity(
    client: WorkflowServiceClient, run: RunLink, one: pending.PendingActivity, now: datetime
) -> list[Reason]:
    name = f"Activity {one.type} ({one.id})"
    match one.status:
        case Status.PAUSED:
            step = _command("Let it go on:", f"activity unpause --activity-id {quote(one.id)}", run)
            return [Reason(f"{name} is paused.", step, blocked=True)]
        case Status.RETRYING:
            why = f": {one.failure.message}" if one.failure else ""
            when = f", next at {times.utc(one.next_attempt)} UTC" if one.next_attempt else ""
            of = f" of {one.max_attempts}" if one.max_attempts else ""
            words = f"{name} failed{why}. Attempt {one.attempt}{of} is to come{when}."
            return [Reason(words, Step("If the cause is gone, the next attempt goes through by itself."))]
        case Status.RUNNING:
            since = f" for {times.span(times.between(one.started, now) or 0.0)}" if one.started else ""
            quiet = times.between(one.heartbeat, now)
            beat = f", last heartbeat {times.span(quiet)} ago" if quiet is not None else ""
            return [Reason(f"{name} runs{since} on {one.worker}{beat}.")]
        case Status.SCHEDULED:
            kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
            if one.task_queue and not await _polled(client, run.namespace, one.task_queue, kind):
                return [_nobody(one.task_queue, "activity")]
            return [Reason(f"{name} waits for a free worker.")]
        case _:
            return [Reason(f"{name} has been asked to cancel and has not answered yet.")]


async def _polled(client: WorkflowServiceClient, namespace: str, queue: str, kind: TaskQueueType.ValueType) -> bool:
    request = DescribeTaskQueueRequest(
        namespace=namespace,
        task_queue=TaskQueue(name=queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        task_queue_type=kind,
    )
    pollers = (await client.describe_task_queue(request)).pollers
    now = datetime.now(UTC)
    return any((times.between(times.moment(one.last_access_time), now) or 0.0) < _GONE for one in pollers)


def _nobody(queue: str, kind: str) -> Reason:
    words = f"No worker polls queue {queue} for {kind} tasks now."
    step = Step(f"Start a worker with task_queue={queue!r}, or look whether its name is right.")
    return Reason(words, step, blocked=True)


# -- what else there is


def _of_the_rest(run: RunLink, described: DescribeWorkflowExecutionResponse) -> list[Reason]:
    children = [child.workflow_id for child in described.pending_children]
    if children:
        more = f" and {len(children) - 1} more" if len(children) > 1 else ""
        step = Step("See what that one waits for:", f"outlive why {quote(children[0])}")
        return [Reason(f"It waits for its child {children[0]}{more}.", step)]
    first = times.moment(described.workflow_execution_info.execution_time)
    if first is not None and first > datetime.now(UTC):
        return [Reason(f"Its start is delayed until {times.utc(first)} UTC.")]
    step = _command("See where its code stands:", "workflow stack", run)
    return [Reason("It waits for a timer, a signal or an update: nothing of it is with a worker.", step)]
