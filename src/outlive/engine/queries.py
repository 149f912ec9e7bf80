"""Queries: with the workflow task that is pending, or as a task of their own.

    WAITING --attached to a started workflow task--> ATTACHED --answered--> done
       |                                                |
       |  no workflow task is pending                   | the task ends without an answer
       +--> DIRECT (offered as a query task) <----------+

Rules (all of them live in this file)
- A query sees a state that no unseen event contradicts: while a workflow task waits it goes with that,
  while one is started it waits for its end.
- At most one query is buffered per workflow beside those already handed out.
- A closed workflow answers through a query task, from its whole history.
- Queries live in memory: a client whose server went away asks again.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import (
    QueryRejectCondition,
    QueryResultType,
    ResourceExhaustedCause,
    ResourceExhaustedScope,
    WorkflowExecutionStatus,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.query.v1 import QueryRejected, WorkflowQuery, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import (
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
    RespondQueryTaskCompletedResponse,
)

from outlive.clock import Clock
from outlive.core.state import PAUSED, TaskState
from outlive.engine import tokens
from outlive.engine.calls import Call
from outlive.engine.deployments import Deployments
from outlive.engine.dispatch import Dispatch
from outlive.engine.matching import Matching, Offer, rank_of
from outlive.engine.namespaces import Namespace
from outlive.engine.runs import Run, Runs
from outlive.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    QueryFailed,
    ResourceExhausted,
    ServiceError,
    WorkflowNotReady,
)
from outlive.limits import QUERY_FAILING_ATTEMPTS, QUERY_POLLER_GONE

S = WorkflowExecutionStatus
ANSWERED = QueryResultType.QUERY_RESULT_TYPE_ANSWERED


@dataclass(slots=True, eq=False)
class Query:
    """One query under way."""

    key: int  # of the run
    query: WorkflowQuery
    future: asyncio.Future[QueryWorkflowResponse]
    token: bytes = field(default_factory=lambda: uuid.uuid4().bytes)
    attached_to: int = 0  # WorkflowTaskStarted id of the task that carries it

    @property
    def id(self) -> str:
        return str(uuid.UUID(bytes=self.token))

    @property
    def waiting(self) -> bool:
        return not self.future.done()

    def settle(self, outcome: QueryWorkflowResponse | ServiceError) -> None:
        if self.future.done():
            return
        if isinstance(outcome, ServiceError):
            self.future.set_exception(outcome)
        else:
            self.future.set_result(outcome)


class Queries:
    """The queries that wait for a worker."""

    def __init__(self, runs: Runs, matching: Matching, clock: Clock, dispatch: Dispatch, versions: Deployments) -> None:
        self._dispatch = dispatch
        self._versions = versions
        self._runs = runs
        self._matching = matching
        self._clock = clock
        self._of_run: dict[int, list[Query]] = {}  # buffered or attached, by run
        self._by_token: dict[bytes, Query] = {}

    async def query_workflow(
        self, namespace: Namespace, request: QueryWorkflowRequest, call: Call
    ) -> QueryWorkflowResponse:
        run = self._runs.require(namespace.id, request.execution.workflow_id, request.execution.run_id)
        rejected = _rejection(run, request.query_reject_condition)
        if rejected is not None:
            return rejected
        info = run.state.info
        if not run.state.open and not info.last_started_event_id:
            raise WorkflowNotReady("Workflow execution closed before WorkflowTaskStarted event")
        if run.state.open and info.task_attempt >= QUERY_FAILING_ATTEMPTS:
            raise WorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")
        query = Query(run.key, request.query, asyncio.get_running_loop().create_future())
        self._place(run, query)
        run.holds += 1
        self._by_token[query.token] = query
        try:
            return await self._answer(query, call.deadline)
        finally:
            run.holds -= 1
            query.future.cancel()
            self._forget(query)

    async def _answer(self, query: Query, deadline: int) -> QueryWorkflowResponse:
        if not deadline:
            return await query.future
        seconds = max(0.0, (deadline - self._clock.now()) / 1e9)
        try:
            return await asyncio.wait_for(query.future, seconds)
        except TimeoutError:
            raise DeadlineExceeded("query was not answered in time: is a worker running?") from None

    def _place(self, run: Run, query: Query) -> None:
        info = run.state.info
        pending = run.state.open and (info.task_state != TaskState.NONE or not info.last_started_event_id)
        if not pending:
            self._offer(run, query, must_have_poller=True)
            return
        buffered = self._of_run.setdefault(run.key, [])
        most = self._runs.context(run.state.start.namespace_id).limits.buffered_queries_max
        if sum(1 for q in buffered if not q.attached_to and q.waiting) >= most:
            raise ResourceExhausted(
                "consistent query buffer is full, this may be caused by too many queries and workflow not able to "
                "process query fast enough",
                ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_BUSY_WORKFLOW,
                ResourceExhaustedScope.RESOURCE_EXHAUSTED_SCOPE_NAMESPACE,
            )
        buffered.append(query)

    def _forget(self, query: Query) -> None:
        self._by_token.pop(query.token, None)
        buffered = self._of_run.get(query.key)
        if buffered is not None and query in buffered:
            buffered.remove(query)
            if not buffered:
                del self._of_run[query.key]

    # -- as a task of its own

    def _offer(self, run: Run, query: Query, *, must_have_poller: bool = False) -> None:
        name = self._dispatch.sticky_queue(run)
        if name is None:
            name = self._dispatch.normal_queue(run)
            if must_have_poller and not self._matching.polled_lately(name, QUERY_POLLER_GONE):
                raise self._no_poller(run)
        self._matching.offer(name, Offer(run.key, 0, 0, query, self._clock.now(), rank_of(run.state.priority)))

    def _no_poller(self, run: Run) -> FailedPrecondition:
        version = self._dispatch.task_target(run).version
        if version is not None and self._versions.drained(run.state.start.namespace_id, version):
            return FailedPrecondition(
                f"the workflow is pinned to Worker Deployment Version '{version}', which is drained and has no "
                "pollers to answer a query: start workers of that version again, or set the workflow's versioning "
                "override to AUTO_UPGRADE"
            )
        return FailedPrecondition("no poller seen for task queue recently, worker may be down")

    async def respond_query_task_completed(
        self, namespace: Namespace, request: RespondQueryTaskCompletedRequest, call: Call
    ) -> RespondQueryTaskCompletedResponse:
        token = tokens.decode(tokens.QueryTaskToken, request.task_token)
        if token is not None and token.namespace != tokens.namespace_bytes(namespace.id):
            raise InvalidArgument("Operation requested with a token from a different namespace.")
        query = self._by_token.get(token.query) if token is not None else None
        if query is None or not query.waiting:
            raise NotFound("query task not found, or already expired")
        if request.query_result.ByteSize() >= namespace.limits.payload_size_max:
            query.settle(QueryFailed("Blob data size exceeds limit.", None))
        elif request.completed_type == ANSWERED:
            query.settle(QueryWorkflowResponse(query_result=request.query_result))
        else:
            failure = request.failure if request.HasField("failure") else None
            query.settle(QueryFailed(request.error_message, failure))
        return RespondQueryTaskCompletedResponse()

    # -- with a workflow task

    def attach(self, run: Run) -> list[Query]:
        """The queries that go out with the workflow task that was just started."""
        buffered = [q for q in self._of_run.get(run.key, ()) if q.waiting]
        for query in buffered:
            query.attached_to = run.state.info.task_started_event_id
        return buffered

    def task_ended(
        self, run: Run, started_event_id: int, results: Mapping[str, WorkflowQueryResult], *, failed: bool
    ) -> None:
        """The worker answered a workflow task: settle the queries it carried, place the others again."""
        waiting = [q for q in self._of_run.get(run.key, ()) if q.waiting]
        for query in waiting:
            result = results.get(query.id)
            if result is not None and query.attached_to and not failed:
                _settle(query, result)
        for query in waiting:
            if query.waiting:
                self._place_again(run, query, started_event_id)

    def _place_again(self, run: Run, query: Query, started_event_id: int) -> None:
        if query.attached_to not in (0, started_event_id):
            return
        query.attached_to = 0
        info = run.state.info
        if run.state.open and info.task_state != TaskState.NONE:
            if info.task_attempt >= QUERY_FAILING_ATTEMPTS:
                query.settle(WorkflowNotReady("Unable to query workflow due to Workflow Task in failed state."))
            return
        self._of_run[run.key].remove(query)
        if not self._of_run[run.key]:
            del self._of_run[run.key]
        self._offer(run, query)

    def closed(self, run: Run) -> None:
        """The run closed. What waits is asked of its history, unless no worker has ever seen it."""
        for query in list(self._of_run.get(run.key, ())):
            if query.attached_to or not query.waiting:
                continue
            if run.state.info.last_started_event_id:
                self._place_again(run, query, 0)
            else:
                query.settle(WorkflowNotReady("Workflow execution closed before WorkflowTaskStarted event"))


def _settle(query: Query, result: WorkflowQueryResult) -> None:
    if result.result_type == ANSWERED:
        query.settle(QueryWorkflowResponse(query_result=result.answer))
    else:
        failure: Failure | None = result.failure if result.HasField("failure") else None
        query.settle(QueryFailed(result.error_message, failure))


def _rejection(run: Run, condition: QueryRejectCondition.ValueType) -> QueryWorkflowResponse | None:
    """The answer to a query that the run's status rules out."""
    status = run.state.info.status
    unclean = status not in (S.WORKFLOW_EXECUTION_STATUS_COMPLETED, S.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)
    not_open = condition == QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_OPEN and not run.state.open
    not_clean = (
        condition == QueryRejectCondition.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY
        and not run.state.open
        and unclean
    )
    if status == PAUSED or not_open or not_clean:
        return QueryWorkflowResponse(query_rejected=QueryRejected(status=S.ValueType(status)))
    return None
