from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import ActivityType, Header, Memo, RetryPolicy
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    ActivityTaskFailedEventAttributes,
    ActivityTaskScheduledEventAttributes,
    MarkerRecordedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.taskqueue.v1 import TaskQueue

from outlive.web import bounds
from outlive.web.views import fields
from tests.web.views.events import application_failure, payload, payloads


def scheduled() -> ActivityTaskScheduledEventAttributes:
    return ActivityTaskScheduledEventAttributes(
        activity_id="3",
        activity_type=ActivityType(name="embed"),
        task_queue=TaskQueue(name="q", kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        header=Header(fields={"trace": payload("t")}),
        input=payloads("one", 2),
        start_to_close_timeout=Duration(seconds=90),
        heartbeat_timeout=Duration(),
        retry_policy=RetryPolicy(backoff_coefficient=2.0, non_retryable_error_types=["A", "B"]),
        use_workflow_build_id=True,
    )


def test_plain_fields_are_flat_and_read_as_words() -> None:
    assert fields.view(scheduled()).plain == [
        ("activity_id", "3"),
        ("activity_type.name", "embed"),
        ("task_queue.name", "q"),
        ("task_queue.kind", "normal"),
        ("start_to_close_timeout", "1 min 30 s"),
        ("retry_policy.backoff_coefficient", "2.0"),
        ("retry_policy.non_retryable_error_types[0]", "A"),
        ("retry_policy.non_retryable_error_types[1]", "B"),
        ("use_workflow_build_id", "true"),
    ]


def test_payloads_are_numbered_as_their_addresses_are() -> None:
    view = fields.view(scheduled(), raw="/events/5/payloads")
    assert [(p.label, p.raw) for p in view.payloads] == [
        ("header.fields.trace", "/events/5/payloads/0"),
        ("input[0]", "/events/5/payloads/1"),
        ("input[1]", "/events/5/payloads/2"),
    ]
    assert fields.payload_at(scheduled(), 2) == payload(2)
    assert fields.payload_at(scheduled(), 3) is None


def test_failures_stand_apart() -> None:
    view = fields.view(
        ActivityTaskFailedEventAttributes(failure=application_failure("no", "Oops"), scheduled_event_id=5)
    )
    assert [f.title for f in view.failures] == ["Oops"]
    assert view.plain == [("scheduled_event_id", "5")]


def test_moments_are_iso_and_unset_ones_are_left_out() -> None:
    a = WorkflowExecutionStartedEventAttributes(
        workflow_execution_expiration_time=Timestamp(seconds=1_795_426_720), memo=Memo(fields={"m": payload(1)})
    )
    assert fields.view(a).plain == [("workflow_execution_expiration_time", "2026-11-23T09:38:40.000Z")]
    assert [p.label for p in fields.view(a).payloads] == ["memo.fields.m"]
    empty = WorkflowExecutionStartedEventAttributes(workflow_execution_expiration_time=Timestamp())
    assert fields.view(empty).plain == []


def test_maps_of_payload_lists_are_walked_by_key() -> None:
    a = MarkerRecordedEventAttributes(marker_name="m", details={"b": payloads(1), "a": payloads(2, 3)})
    assert [p.label for p in fields.view(a).payloads] == ["details.a[0]", "details.a[1]", "details.b[0]"]


def test_fields_beyond_the_bound_are_counted_not_shown() -> None:
    a = ActivityTaskScheduledEventAttributes(
        retry_policy=RetryPolicy(non_retryable_error_types=[str(n) for n in range(200)])
    )
    view = fields.view(a)
    assert len(view.plain) == bounds.FIELDS_MAX
    assert view.more == 200 - bounds.FIELDS_MAX


def test_long_text_is_cut_and_deep_messages_end() -> None:
    (_, text) = fields.view(ActivityTaskScheduledEventAttributes(activity_id="x" * 9_999)).plain[0]
    assert len(text) == bounds.PREVIEW_EVENT + 1
    nested = Failure(message="end")
    for _ in range(30):
        nested = Failure(cause=nested)
    assert len(fields.view(nested).failures) == 1
