from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import ActivityType, RetryPolicy, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.update.v1 import Input, Meta, Outcome, Request

from outlive.web.views import groups
from outlive.web.views.fold import RunFold
from outlive.web.views.groups import Group, RunLink
from outlive.web.views.status import Status
from tests.web.views.events import History, application_failure, payloads


def folded(history: History) -> RunFold:
    fold = RunFold()
    for event in history.events:
        fold.add(event)
    return fold


def only(history: History) -> Group:
    (group,) = folded(history).groups.values()
    return group


def scheduled(history: History) -> int:
    return history.add(
        "activity_task_scheduled",
        activity_id="a",
        activity_type=ActivityType(name="embed"),
        input=payloads("intro.md"),
        retry_policy=RetryPolicy(maximum_attempts=5),
    )


def test_an_activity_is_one_group_from_its_scheduling_to_its_end() -> None:
    h = History()
    first = scheduled(h)
    assert only(h).status is Status.SCHEDULED
    started = h.add(
        "activity_task_started", scheduled_event_id=first, attempt=3, last_failure=application_failure("429", "Rate")
    )
    assert only(h).status is Status.RUNNING
    done = h.add("activity_task_completed", scheduled_event_id=first, started_event_id=started)
    group = only(h)
    assert (group.kind, group.name, group.note, group.key) == ("activity", "embed", '"intro.md"', "a")
    assert (group.attempt, group.max_attempts, group.failure) == (3, 5, "Rate: 429")
    assert (group.status, group.events) == (Status.COMPLETED, [first, started, done])
    assert (group.scheduled, group.started, group.ended) == (h.at(first), h.at(started), h.at(done))


@pytest.mark.parametrize(
    ("event", "status"),
    [("failed", Status.FAILED), ("timed_out", Status.TIMED_OUT), ("canceled", Status.CANCELED)],
)
def test_an_activity_that_does_not_complete_says_how(event: str, status: Status) -> None:
    h = History()
    first = scheduled(h)
    failure = {"failure": application_failure("no", "Bad")} if event != "canceled" else {}
    h.add(f"activity_task_{event}", scheduled_event_id=first, **failure)
    assert only(h).status is status
    assert only(h).failure == ("Bad: no" if failure else "")


def test_a_cancel_request_shows_until_the_activity_ends() -> None:
    h = History()
    first = scheduled(h)
    h.add("activity_task_cancel_requested", scheduled_event_id=first)
    assert only(h).status is Status.CANCELING
    h.add("activity_task_canceled", scheduled_event_id=first)
    assert only(h).status is Status.CANCELED


def test_a_summary_wins_over_the_input() -> None:
    h = History()
    h.add("activity_task_scheduled", summary="Embed the page", input=payloads(1), activity_type=ActivityType(name="e"))
    assert only(h).note == "Embed the page"


@pytest.mark.parametrize(("event", "status"), [("fired", Status.COMPLETED), ("canceled", Status.CANCELED)])
def test_a_timer_says_how_long_it_is(event: str, status: Status) -> None:
    h = History()
    first = h.add("timer_started", timer_id="1", start_to_fire_timeout=Duration(seconds=90))
    assert (only(h).name, only(h).status) == ("Timer 1 min 30 s", Status.RUNNING)
    h.add(f"timer_{event}", timer_id="1", started_event_id=first)
    assert only(h).status is status


def test_a_child_links_to_its_run_once_it_has_one() -> None:
    h = History()
    first = h.add(
        "start_child_workflow_execution_initiated",
        namespace="n",
        workflow_id="child-1",
        workflow_type=WorkflowType(name="Analyse"),
    )
    assert (only(h).link, only(h).status) == (RunLink("n", "child-1", ""), Status.SCHEDULED)
    child = WorkflowExecution(workflow_id="child-1", run_id="r")
    h.add("child_workflow_execution_started", namespace="n", initiated_event_id=first, workflow_execution=child)
    assert (only(h).link, only(h).status) == (RunLink("n", "child-1", "r"), Status.RUNNING)
    h.add("child_workflow_execution_failed", initiated_event_id=first, failure=application_failure("no"))
    assert (only(h).status, only(h).failure) == (Status.FAILED, "no")


def test_signals_are_points_with_their_input() -> None:
    h = History()
    h.add("workflow_execution_signaled", signal_name="approve", input=payloads("maria"))
    group = only(h)
    assert (group.kind, group.name, group.note, group.status) == ("signal", "approve", '"maria"', Status.RECORDED)
    assert group.ended == group.scheduled


@pytest.mark.parametrize("failed", [False, True])
def test_an_update_ends_as_its_outcome_says(failed: bool) -> None:
    h = History()
    request = Request(meta=Meta(update_id="u"), input=Input(name="add_note", args=payloads("x")))
    first = h.add("workflow_execution_update_accepted", accepted_request=request)
    assert (only(h).name, only(h).note, only(h).status) == ("add_note", '"x"', Status.RUNNING)
    outcome = Outcome(failure=application_failure("refused")) if failed else Outcome(success=payloads(1))
    h.add("workflow_execution_update_completed", accepted_event_id=first, outcome=outcome)
    assert only(h).status is (Status.FAILED if failed else Status.COMPLETED)
    assert only(h).failure == ("refused" if failed else "")


def test_nexus_operations_and_external_requests_are_groups() -> None:
    h = History()
    op = h.add("nexus_operation_scheduled", endpoint="e", service="s", operation="o")
    h.add("nexus_operation_started", scheduled_event_id=op)
    h.add("nexus_operation_completed", scheduled_event_id=op)
    target = WorkflowExecution(workflow_id="other")
    sent = h.add(
        "signal_external_workflow_execution_initiated", namespace="n", workflow_execution=target, signal_name="go"
    )
    h.add("signal_external_workflow_execution_failed", initiated_event_id=sent)
    cancel = h.add("request_cancel_external_workflow_execution_initiated", workflow_execution=target)
    h.add("external_workflow_execution_cancel_requested", initiated_event_id=cancel)
    found = [(g.kind, g.name, g.status) for g in folded(h).groups.values()]
    assert found == [
        ("nexus", "s.o", Status.COMPLETED),
        ("external", "Signal go", Status.FAILED),
        ("external", "Request cancel", Status.COMPLETED),
    ]


def test_local_activities_are_read_from_their_markers() -> None:
    h = History()
    data = payloads({"activity_type": "count_words", "attempt": 1})
    h.add("marker_recorded", marker_name="core_local_activity", details={"data": data, "result": payloads(7)})
    h.add(
        "marker_recorded",
        marker_name="LocalActivity",
        details={"type": payloads("Tidy")},
        failure=Failure(message="no"),
    )
    h.add("marker_recorded", marker_name="core_local_activity", details={"data": payloads(3)})
    h.add("marker_recorded", marker_name="core_patch")
    found = [(g.kind, g.name, g.note, g.status) for g in folded(h).groups.values()]
    assert found == [
        ("local activity", "count_words", "7", Status.COMPLETED),
        ("local activity", "Tidy", "", Status.FAILED),
        ("local activity", "Local activity", "", Status.COMPLETED),
        ("marker", "core_patch", "", Status.RECORDED),
    ]


def test_workflow_tasks_show_only_when_they_fail() -> None:
    h = History()
    first = h.add("workflow_task_scheduled")
    h.add("workflow_task_started", scheduled_event_id=first)
    h.add("workflow_task_completed", scheduled_event_id=first)
    assert not folded(h).groups
    h.add("workflow_task_failed", failure=application_failure("Nondeterminism"))
    assert (only(h).kind, only(h).note, only(h).status) == ("task", "Nondeterminism", Status.FAILED)


def test_the_first_last_and_closing_events_are_kept() -> None:
    h = History()
    h.add("workflow_execution_started")
    h.add("workflow_execution_terminated", reason="enough")
    fold = folded(h)
    assert (fold.first, fold.last, fold.closing) == (h.events[0], h.events[1], h.events[1])
    assert fold.last_id == 2
    assert RunFold().last_id == 0


def test_an_end_without_its_beginning_and_an_unknown_event_change_nothing() -> None:
    h = History()
    h.add("activity_task_completed", scheduled_event_id=77)
    fold = folded(h)
    fold.add(HistoryEvent(event_id=2, event_type=9999))  # type: ignore[arg-type]
    assert not fold.groups
    assert fold.last_id == 2


def test_every_event_of_a_group_is_named_after_it() -> None:
    h = History()
    first = scheduled(h)
    done = h.add("activity_task_completed", scheduled_event_id=first)
    assert folded(h).names() == {first: "embed", done: "embed"}


def test_no_event_type_is_in_two_tables() -> None:
    tables = [set(t) for t in (groups.OPEN, groups.START, groups.CANCEL, groups.CLOSE, groups.POINT, groups.RUN_CLOSED)]
    assert sum(len(table) for table in tables) == len(set().union(*tables))
    assert set().union(*tables) <= set(EventType.values())
