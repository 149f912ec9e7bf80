from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, cast

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    CountWorkflowExecutionsResponse,
    ListWorkflowExecutionsRequest,
    ListWorkflowExecutionsResponse,
)

from outlive.client import BadRequest, Unreachable, Unsupported, WorkflowServiceClient
from outlive.web.views import runs
from outlive.web.views.runs import RunsQuery
from outlive.web.views.status import Status
from tests.web.views.events import payload

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)


class FakeClient:
    """Answers list and count as told; an exception is raised."""

    address = "127.0.0.1:7233"

    def __init__(self, listed: Any, counted: Any) -> None:
        self.listed, self.counted = listed, counted
        self.list_request = ListWorkflowExecutionsRequest()
        self.count_request = CountWorkflowExecutionsRequest()

    async def list_workflow_executions(self, request: ListWorkflowExecutionsRequest) -> Any:
        self.list_request = request
        return self._give(self.listed)

    async def count_workflow_executions(self, request: CountWorkflowExecutionsRequest) -> Any:
        self.count_request = request
        return self._give(self.counted)

    @staticmethod
    def _give(answer: Any) -> Any:
        if isinstance(answer, Exception):
            raise answer
        return answer


async def load(fake: FakeClient, query: RunsQuery) -> runs.RunsView:
    return await runs.load(cast(WorkflowServiceClient, fake), query, lambda: NOW)


def info(**values: Any) -> WorkflowExecutionInfo:
    return WorkflowExecutionInfo(
        execution=WorkflowExecution(workflow_id="w", run_id="r"),
        type=WorkflowType(name="T"),
        task_queue="q",
        start_time=Timestamp(seconds=int(NOW.timestamp()) - 60),
        **values,
    )


COUNTS = CountWorkflowExecutionsResponse(
    count=5,
    groups=[
        CountWorkflowExecutionsResponse.AggregationGroup(group_values=[payload("Running")], count=2),
        CountWorkflowExecutionsResponse.AggregationGroup(group_values=[payload("Failed")], count=3),
    ],
)
RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
FAILED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED


@pytest.mark.parametrize(
    ("query", "text"),
    [
        (RunsQuery("n"), ""),
        (RunsQuery("n", " A = 1 "), "A = 1"),
        (RunsQuery("n", "", Status.FAILED), "ExecutionStatus = 'Failed'"),
        (RunsQuery("n", "A = 1 OR B = 2", Status.FAILED), "(A = 1 OR B = 2) AND ExecutionStatus = 'Failed'"),
    ],
)
def test_the_status_narrows_the_filter(query: RunsQuery, text: str) -> None:
    assert query.text == text


async def test_rows_and_counts_come_from_the_server() -> None:
    listed = ListWorkflowExecutionsResponse(
        executions=[
            info(status=RUNNING),
            info(status=FAILED, close_time=Timestamp(seconds=int(NOW.timestamp()) - 50)),
        ],
        next_page_token=b"\x00more",
    )
    fake = FakeClient(listed, COUNTS)
    view = await load(fake, RunsQuery("n", "A = 1", Status.RUNNING))
    assert [(r.workflow_id, r.status, r.seconds) for r in view.rows] == [
        ("w", Status.RUNNING, 60.0),
        ("w", Status.FAILED, 10.0),
    ]
    counts = {one.status: one.count for one in view.counts}
    assert (counts[None], counts[Status.RUNNING], counts[Status.FAILED], counts[Status.COMPLETED]) == (5, 2, 3, 0)
    assert [one.status for one in view.counts if one.chosen] == [Status.RUNNING]
    assert fake.list_request.query == "(A = 1) AND ExecutionStatus = 'Running'"
    assert fake.count_request.query == "A = 1 GROUP BY ExecutionStatus"
    assert view.live

    await load(fake, RunsQuery("n", page=view.next_page))
    assert fake.list_request.next_page_token == b"\x00more"


async def test_a_later_page_does_not_move() -> None:
    assert not (await load(FakeClient(ListWorkflowExecutionsResponse(), COUNTS), RunsQuery("n", page="eA=="))).live


async def test_a_made_up_page_is_left_to_the_server() -> None:
    fake = FakeClient(BadRequest(grpc.StatusCode.INVALID_ARGUMENT, "invalid page token"), COUNTS)
    with pytest.raises(BadRequest):
        await load(fake, RunsQuery("n", page="%%%"))
    assert fake.list_request.next_page_token == b"%%%"


async def test_a_bad_filter_is_the_pages_own_problem() -> None:
    bad = BadRequest(grpc.StatusCode.INVALID_ARGUMENT, "invalid query: unknown attribute Foo")
    view = await load(FakeClient(bad, bad), RunsQuery("n", "Foo = 1", Status.FAILED))
    assert (view.problem, view.rows, view.live) == ("unknown attribute Foo", [], False)
    assert [(one.status, one.count) for one in view.counts if one.chosen] == [(Status.FAILED, None)]


@pytest.mark.parametrize("kind", [BadRequest, Unsupported])
async def test_a_server_that_cannot_group_still_lists(kind: type[BadRequest | Unsupported]) -> None:
    fake = FakeClient(ListWorkflowExecutionsResponse(executions=[info()]), kind(grpc.StatusCode.UNKNOWN, "no"))
    view = await load(fake, RunsQuery("n"))
    assert len(view.rows) == 1
    assert all(one.count is None for one in view.counts)


async def test_other_errors_are_raised() -> None:
    gone = Unreachable(grpc.StatusCode.UNAVAILABLE, "refused")
    with pytest.raises(Unreachable):
        await load(FakeClient(gone, COUNTS), RunsQuery("n"))
    with pytest.raises(Unreachable):
        await load(FakeClient(ListWorkflowExecutionsResponse(), gone), RunsQuery("n", "A = 1"))


async def test_a_status_of_a_later_api_counts_as_running() -> None:
    listed = ListWorkflowExecutionsResponse(executions=[info(status=77)])
    view = await load(FakeClient(listed, COUNTS), RunsQuery("n"))
    assert view.rows[0].status is Status.RUNNING


def test_quoted_text_stays_inside_its_quotes() -> None:
    assert runs.quoted("it's \\ here") == "'it\\'s \\\\ here'"
