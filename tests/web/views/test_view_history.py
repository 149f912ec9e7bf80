from __future__ import annotations

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import ActivityType
from temporalio.api.history.v1 import HistoryEvent

from outlive.web.views import history
from tests.web.views.events import START, History, application_failure, payloads


def test_each_event_is_a_line_with_what_it_is_about() -> None:
    h = History()
    h.add("workflow_task_scheduled", attempt=2)
    first = h.add("activity_task_scheduled", activity_type=ActivityType(name="embed"), input=payloads("x"), summary="S")
    h.add("activity_task_failed", scheduled_event_id=first, failure=application_failure("429", "Rate"))
    h.add("timer_started", timer_id="t", start_to_fire_timeout=Duration(seconds=3))
    h.add("workflow_execution_signaled", signal_name="go", input=payloads(1, 2))
    rows = history.rows(h.events, START, "/run", {3: "embed"})
    assert [(r.id, r.type, r.category, r.summary, r.bad) for r in rows] == [
        (1, "WorkflowTaskScheduled", "task", "attempt 2", False),
        (2, "ActivityTaskScheduled", "activity", 'embed · S · "x"', False),
        (3, "ActivityTaskFailed", "activity", "embed · Rate: 429", True),
        (4, "TimerStarted", "timer", "t", False),
        (5, "WorkflowExecutionSignaled", "signal", "go · 1, 2", False),
    ]
    assert [r.since_start for r in rows] == [0.0, 0.1, 0.2, 0.3, 0.4]
    assert rows[1].raw == "/run/events/2"
    assert rows[1].details.payloads[0].raw == "/run/events/2/payloads/0"


def test_an_event_of_a_later_api_is_listed_by_its_number() -> None:
    event = HistoryEvent(event_id=4, event_type=9999)  # type: ignore[arg-type]
    (row,) = history.rows([event], START, "/run", {})
    assert (row.type, row.summary, row.time, row.since_start) == ("Event type 9999", "", None, None)
