from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import ActivityType, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState, WorkflowExecutionStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import (
    PendingActivityInfo,
    PendingWorkflowTaskInfo,
    WorkflowExecutionConfig,
    WorkflowExecutionInfo,
)
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from outlive.web import bounds
from outlive.web.views import run
from outlive.web.views.fold import RunFold
from outlive.web.views.groups import RunLink
from outlive.web.views.run import RunView, Shown
from outlive.web.views.status import Status
from tests.web.views.events import START, History, application_failure, payloads

RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
NOW = START + timedelta(seconds=30)


def stamp(at: datetime) -> Timestamp:
    result = Timestamp()
    result.FromDatetime(at)
    return result


def view(history: History, status: Any = RUNNING, close: datetime | None = None, **described: Any) -> RunView:
    fold = RunFold()
    for event in history.events:
        fold.add(event)
    info = WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id="w", run_id="r"),
        type=WorkflowType(name="T"),
        status=status,
        start_time=stamp(START),
        history_length=len(history.events),
        **described.pop("info", {}),
    )
    if close is not None:
        info.close_time.CopyFrom(stamp(close))
    answer = DescribeWorkflowExecutionResponse(
        workflow_execution_info=info,
        execution_config=WorkflowExecutionConfig(task_queue=TaskQueue(name="q")),
        **described,
    )
    shown = Shown(history.events, 1, len(history.events))
    return run.view(answer, [], fold, shown, "n", "127.0.0.1:7233", "/run", NOW)


def started(**values: Any) -> History:
    history = History()
    history.add("workflow_execution_started", **values)
    return history


def test_input_and_result_come_from_the_first_and_the_closing_event() -> None:
    h = started(input=payloads("a", 2))
    h.add("workflow_execution_completed", result=payloads({"ok": True}))
    found = view(h, WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED, h.at(2))
    assert [(p.label, p.raw) for p in found.input] == [
        ("input[0]", "/run/events/1/payloads/0"),
        ("input[1]", "/run/events/1/payloads/1"),
    ]
    assert [p.text for p in found.result] == ['{\n  "ok": true\n}']
    assert (found.header.status, found.header.seconds, found.live) == (Status.COMPLETED, 0.1, False)


def test_why_a_run_ended_badly_is_in_its_header() -> None:
    h = started()
    h.add("workflow_execution_failed", failure=application_failure("declined", "Card"))
    failed = view(h, WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED, h.at(2)).header
    assert failed.failure is not None
    assert (failed.failure.title, failed.failure.message) == ("Card", "declined")
    h = started()
    h.add("workflow_execution_terminated", reason="budget used up")
    ended = view(h, WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED, h.at(2)).header
    assert (ended.reason, ended.failure) == ("budget used up", None)


def test_relatives_are_linked() -> None:
    h = started(parent_workflow_namespace="other", continued_execution_run_id="before")
    h.add("workflow_execution_continued_as_new", new_execution_run_id="after")
    info = {
        "parent_execution": WorkflowExecution(workflow_id="p", run_id="pr"),
        "root_execution": WorkflowExecution(workflow_id="top", run_id="tr"),
    }
    related = view(
        h, WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW, h.at(2), info=info
    ).header.related
    assert [(one.role, one.link) for one in related] == [
        ("Parent", RunLink("other", "p", "pr")),
        ("Root", RunLink("other", "top", "tr")),
        ("Continued from", RunLink("n", "w", "before")),
        ("Continued as", RunLink("n", "w", "after")),
    ]


def pending(**values: Any) -> PendingActivityInfo:
    return PendingActivityInfo(activity_id="a", activity_type=ActivityType(name="embed"), **values)


def test_a_retrying_activity_shows_its_attempt_failure_and_next_try() -> None:
    h = started()
    h.add("activity_task_scheduled", activity_id="a", activity_type=ActivityType(name="embed"))
    one = pending(
        state=PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
        attempt=4,
        maximum_attempts=9,
        last_failure=application_failure("429", "Rate"),
        next_attempt_schedule_time=stamp(NOW + timedelta(seconds=8)),
        current_retry_interval=Duration(seconds=8),
        heartbeat_details=payloads({"page": 3}),
        last_worker_identity="worker-1",
    )
    found = view(h, pending_activities=[one])
    (activity,) = found.activities
    assert (activity.status, activity.attempt, activity.max_attempts) == (Status.RETRYING, 4, 9)
    assert (activity.next_attempt, activity.retry_seconds) == (NOW + timedelta(seconds=8), 8.0)
    assert activity.failure is not None
    assert activity.failure.title == "Rate"
    assert [p.text for p in activity.heartbeat_details] == ['{\n  "page": 3\n}']
    (row,) = found.timeline.rows
    assert (row.group.status, row.group.attempt, row.group.failure) == (Status.RETRYING, 4, "Rate: 429")


@pytest.mark.parametrize(
    ("state", "attempt", "status"),
    [
        ("SCHEDULED", 1, Status.SCHEDULED),
        ("STARTED", 3, Status.RUNNING),
        ("CANCEL_REQUESTED", 1, Status.CANCELING),
        ("PAUSED", 2, Status.PAUSED),
        ("PAUSE_REQUESTED", 2, Status.PAUSED),
    ],
)
def test_each_state_of_a_pending_activity_has_a_word(state: str, attempt: int, status: Status) -> None:
    one = pending(state=PendingActivityState.Value(f"PENDING_ACTIVITY_STATE_{state}"), attempt=attempt)
    (activity,) = view(started(), pending_activities=[one]).activities
    assert activity.status is status
    assert activity.next_attempt is None


@pytest.mark.parametrize(
    ("state", "attempt", "due", "untaken"),
    [("SCHEDULED", 1, -10, True), ("SCHEDULED", 4, -10, True), ("SCHEDULED", 4, 8, False), ("STARTED", 4, -10, False)],
)
def test_an_attempt_that_nobody_takes_is_told_after_a_while(state: str, attempt: int, due: int, untaken: bool) -> None:
    at = NOW + timedelta(seconds=due)
    one = pending(
        state=PendingActivityState.Value(f"PENDING_ACTIVITY_STATE_{state}"),
        attempt=attempt,
        scheduled_time=stamp(at),
        next_attempt_schedule_time=stamp(at) if attempt > 1 else None,
        activity_options=ActivityOptions(task_queue=TaskQueue(name="gpu")),
    )
    (activity,) = view(started(), pending_activities=[one]).activities
    assert activity.untaken == (at if untaken else None)
    assert activity.task_queue == "gpu"


@pytest.mark.parametrize(("waited", "taken", "waiting"), [(10, False, True), (1, False, False), (10, True, False)])
def test_a_workflow_task_that_nobody_takes_is_told_after_a_while(waited: int, taken: bool, waiting: bool) -> None:
    at = stamp(NOW - timedelta(seconds=waited))
    state = "STARTED" if taken else "SCHEDULED"
    task = PendingWorkflowTaskInfo(
        state=PendingWorkflowTaskState.Value(f"PENDING_WORKFLOW_TASK_STATE_{state}"),
        scheduled_time=at,
        started_time=at,
        attempt=2,
    )
    found = view(started(), pending_workflow_task=task).task
    assert found is not None
    assert (found.waiting, found.attempt, found.task_queue) == (waiting, 2, "q")
    assert view(started()).task is None


def test_what_a_closed_run_left_open_ends_with_it() -> None:
    h = started()
    h.add("timer_started", start_to_fire_timeout=Duration(seconds=3600))
    h.add("workflow_execution_canceled")
    found = view(h, WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED, h.at(3))
    (row,) = found.timeline.rows
    assert (row.group.status, row.group.ended) == (Status.LEFT_OPEN, h.at(3))


def test_the_window_of_a_history_knows_its_neighbours() -> None:
    size = bounds.HISTORY_WINDOW

    def window(first: int, last: int, total: int) -> tuple[int | None, int | None, int | None]:
        found = run._window(Shown([], first, last), total, START, "/run", {})
        return found.previous, found.next, found.latest

    assert window(1, 50, 50) == (None, None, None)
    assert window(1, size, size + 20) == (None, size + 1, size + 1)
    assert window(size + 1, 2 * size, 10 * size) == (1, 2 * size + 1, 9 * size + 1)
    assert window(9 * size + 1, 10 * size, 10 * size) == (8 * size + 1, None, None)
