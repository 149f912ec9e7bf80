from __future__ import annotations

from temporalio.api.common.v1 import ActivityType, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import (
    ActivityFailureInfo,
    ApplicationFailureInfo,
    CanceledFailureInfo,
    ChildWorkflowExecutionFailureInfo,
    Failure,
    TerminatedFailureInfo,
    TimeoutFailureInfo,
)

from outlive.web import bounds
from outlive.web.views import failures
from tests.web.views.events import application_failure, payloads


def activity_failure(cause: Failure) -> Failure:
    info = ActivityFailureInfo(
        activity_id="7",
        activity_type=ActivityType(name="embed"),
        retry_state=RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED,
    )
    return Failure(message="Activity task failed", cause=cause, activity_failure_info=info)


def test_the_chain_begins_with_what_happened_first() -> None:
    view = failures.view(activity_failure(application_failure("429", "RateLimited")))
    assert [one.title for one in view.chain] == ["RateLimited", "Activity embed"]
    assert view.facts == ["activity id 7", "maximum attempts reached"]


def test_the_headline_is_the_root_cause() -> None:
    assert failures.headline(activity_failure(application_failure("too  many\ncalls", "RateLimited"))) == (
        "RateLimited: too many calls"
    )
    assert failures.headline(application_failure("just words")) == "just words"
    assert failures.headline(application_failure("ValueError: no", "ValueError")) == "ValueError: no"
    assert len(failures.headline(application_failure("x" * 9_999))) == 2 * bounds.PREVIEW_LINE


def test_each_kind_has_a_title() -> None:
    child = ChildWorkflowExecutionFailureInfo(
        workflow_type=WorkflowType(name="Analyse"), workflow_execution=WorkflowExecution(workflow_id="w-1")
    )
    kinds = {
        "Timed out (start to close)": Failure(
            timeout_failure_info=TimeoutFailureInfo(timeout_type=TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
        ),
        "Child workflow Analyse": Failure(child_workflow_execution_failure_info=child),
        "Canceled": Failure(canceled_failure_info=CanceledFailureInfo()),
        "Terminated": Failure(terminated_failure_info=TerminatedFailureInfo()),
        "Failure": Failure(message="bare"),
    }
    assert [failures.view(failure).title for failure in kinds.values()] == list(kinds)


def test_details_stack_and_retry_ban_are_kept() -> None:
    info = ApplicationFailureInfo(type="Card", non_retryable=True, details=payloads({"code": 51}))
    view = failures.view(
        Failure(message="m", stack_trace="\n  File x\n", source="PythonSDK", application_failure_info=info)
    )
    assert view.facts == ["not retryable", "PythonSDK"]
    assert view.stack == "  File x"
    assert [p.text for p in view.details] == ['{\n  "code": 51\n}']


def test_causes_end_at_their_bound() -> None:
    failure = application_failure("root")
    for _ in range(60):
        failure = Failure(message="wrapped", cause=failure)
    assert len(failures.view(failure).chain) == bounds.FAILURE_DEPTH + 1
    assert failures.headline(failure)
