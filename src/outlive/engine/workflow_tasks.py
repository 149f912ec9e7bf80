"""Workflow tasks over the wire: poll, complete, fail, and the queries that travel with them."""

from __future__ import annotations

from collections.abc import Iterable

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import TaskQueueKind, WorkflowTaskFailedCause
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    ResetStickyTaskQueueRequest,
    ResetStickyTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
    RespondWorkflowTaskFailedResponse,
)

from outlive.clock import Clock
from outlive.core import activities, close, completion, task_events, tracking, workflow_task
from outlive.core.completion import Outcome
from outlive.core.proto import timestamp
from outlive.core.queue_routing import Target
from outlive.core.state import PAUSED, State, TaskKind, TaskState
from outlive.core.transition import Transition
from outlive.core.version_names import of_worker, stamped
from outlive.engine import tokens, wire
from outlive.engine.activity_tasks import ActivityTasks
from outlive.engine.calls import Call
from outlive.engine.completion_pages import CompletionPages
from outlive.engine.dispatch import Dispatch
from outlive.engine.matching import Matching, Offer, QueueName
from outlive.engine.namespaces import Namespace
from outlive.engine.polling import hints, poll_until, poller_of
from outlive.engine.queries import Queries, Query
from outlive.engine.runs import Run, Runs
from outlive.engine.updates import Updates
from outlive.errors import InvalidArgument, NotFound
from outlive.limits import HISTORY_PAGE_BYTES, WORKER_PAGE_EVENTS

NOT_FOUND = "Workflow task not found."
TOO_LARGE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE
_HISTORY = PollWorkflowTaskQueueResponse.DESCRIPTOR.fields_by_name["history"].number
_WORKFLOW_TASK = RespondWorkflowTaskCompletedResponse.DESCRIPTOR.fields_by_name["workflow_task"].number


class WorkflowTasks:
    """Handing workflow tasks to workers, and taking their answers."""

    def __init__(
        self,
        runs: Runs,
        matching: Matching,
        clock: Clock,
        queries: Queries,
        updates: Updates,
        activity_tasks: ActivityTasks,
        dispatch: Dispatch,
    ) -> None:
        self._dispatch = dispatch
        self._runs = runs
        self._matching = matching
        self._clock = clock
        self._queries = queries
        self._activities = activity_tasks
        self._updates = updates
        self._pages = CompletionPages()

    # -- poll

    async def poll_workflow_task_queue(
        self, namespace: Namespace, request: PollWorkflowTaskQueueRequest, call: Call
    ) -> PollWorkflowTaskQueueResponse | bytes:
        name = await self._dispatch.polled_queue(namespace.id, request)
        sticky = request.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY
        until = poll_until(call.deadline, self._clock.now())
        taken = await self._matching.poll(
            name, poller_of(request), until, stands=lambda offer: self._stands(offer, name, sticky=sticky)
        )
        if taken is None:
            return PollWorkflowTaskQueueResponse()
        offer = taken.offer
        run = self._runs.get(offer.key)
        assert run is not None, "an offer that stands has a run"
        if isinstance(offer.query, Query):
            return self._query_answer(run, offer.query, sticky)
        request_id = self._runs.new_id()
        version = Target(of_worker(request.deployment_options), self._dispatch.task_target(run).revision)
        self._start(run, request_id, request.identity, version, stamped(request.worker_version_capabilities))
        await self._runs.committed(run)
        if run.state.info.task_request_id != request_id:
            return PollWorkflowTaskQueueResponse()  # it was terminated or timed out meanwhile
        return self.answer(run, cached=sticky) + hints(taken)

    def _stands(self, offer: Offer, name: QueueName, *, sticky: bool) -> bool:
        run = self._runs.get(offer.key)
        if run is None:
            return False
        if isinstance(offer.query, Query):
            waits = offer.query.waiting
        else:
            waits = workflow_task.startable(run.state, offer.event_id, offer.stamp)
        return waits and self._dispatch.task_fits(run, offer, name, sticky=sticky)

    def _start(self, run: Run, request_id: str, identity: str, version: Target, build: bytes | None) -> None:
        speculative = run.state.info.task_kind == TaskKind.SPECULATIVE
        self._runs.decide(
            run,
            lambda t: workflow_task.start(t, request_id=request_id, identity=identity, version=version, build=build),
            durable=not speculative,
        )

    # -- what a worker is given

    def answer(self, run: Run, *, cached: bool = False) -> bytes:
        """The started task as PollWorkflowTaskQueueResponse, encoded. Its events must be committed.

        `cached`: the worker has seen all up to the task before, and needs only what came since.
        """
        state = run.state
        info = state.info
        response = self._head(state)
        response.task_token = tokens.encode(_token(state))
        response.started_event_id = info.task_started_event_id
        response.attempt = info.task_attempt
        response.scheduled_time.CopyFrom(timestamp(info.task_scheduled_time))
        response.started_time.CopyFrom(timestamp(info.task_started_time))
        for query in self._queries.attach(run):
            response.queries[query.id].CopyFrom(query.query)
        response.messages.extend(self._updates.outgoing(run))
        first = info.last_started_event_id + 1 if cached else 1
        return self._with_history(run, response, first)

    def _head(self, state: State) -> PollWorkflowTaskQueueResponse:
        start = state.start
        return PollWorkflowTaskQueueResponse(
            workflow_execution=WorkflowExecution(workflow_id=start.workflow_id, run_id=start.run_id),
            workflow_type=WorkflowType(name=start.workflow_type),
            previous_started_event_id=state.info.last_started_event_id,
            workflow_execution_task_queue=TaskQueue(name=start.task_queue, kind=TaskQueueKind.TASK_QUEUE_KIND_NORMAL),
        )

    def _with_history(self, run: Run, response: PollWorkflowTaskQueueResponse, first: int) -> bytes:
        """The response with the first page of the history, and a token for the rest."""
        last = run.state.info.next_event_id - 1
        events: list[bytes] = []
        if first <= last:
            upto = min(last, first + WORKER_PAGE_EVENTS - 1)
            events = self._runs.events(run, first, upto, max_bytes=HISTORY_PAGE_BYTES)
        if first + len(events) <= last:
            token = tokens.HistoryPageToken(
                tokens.namespace_bytes(run.state.start.namespace_id), run.key, first + len(events), last, True
            )
            response.next_page_token = tokens.encode(token)
        else:
            events = events + [e.SerializeToString() for e in task_events.unwritten(run.state)]
        return response.SerializeToString() + wire.history(_HISTORY, events)

    def _query_answer(self, run: Run, query: Query, sticky: bool) -> bytes:
        """A query alone, as a task of its own. A worker that has the workflow cached needs no history."""
        response = self._head(run.state)
        response.task_token = tokens.encode(
            tokens.QueryTaskToken(tokens.namespace_bytes(run.state.start.namespace_id), query.token)
        )
        response.attempt = 1
        response.query.CopyFrom(query.query)
        response.started_event_id = 0
        if sticky:
            return response.SerializeToString() + wire.history(_HISTORY, ())
        return self._with_history(run, response, 1)

    # -- answers

    def _answered(self, namespace: Namespace, data: bytes) -> tuple[Run, tokens.WorkflowTaskToken]:
        """The run whose started task the token is of. Raises NotFound if that task is over."""
        token = tokens.decode(tokens.WorkflowTaskToken, data)
        if token is None:
            raise NotFound(NOT_FOUND)
        if token.namespace != tokens.namespace_bytes(namespace.id):
            raise InvalidArgument("Operation requested with a token from a different namespace.")
        run = self._runs.get(token.key)
        if run is None or not run.state.open or not _matches(run.state, token):
            raise NotFound(NOT_FOUND)
        return run, token

    async def respond_workflow_task_completed(
        self, namespace: Namespace, request: RespondWorkflowTaskCompletedRequest, call: Call
    ) -> RespondWorkflowTaskCompletedResponse | bytes:
        run, token = self._answered(namespace, request.task_token)
        if request.intermediate_page:
            self._pages.keep(token, request)
            return RespondWorkflowTaskCompletedResponse()
        request = self._pages.whole(token, request)
        self._pages.drop(token)
        new_request_id = self._runs.new_id()
        outcome = self._runs.decide(
            run, lambda t: self._complete(t, run, request, new_request_id), durable=lambda o: not o.dropped
        )
        if outcome.updates is not None:
            self._updates.applied(run, outcome.updates)
        if outcome.error is not None:
            self._updates.task_failed(run, by_server=True)
        if outcome.error is not None and outcome.stands:
            raise outcome.error
        await self._runs.committed(run)
        self._queries.task_ended(run, token.started_event_id, request.query_results, failed=outcome.error is not None)
        if outcome.error is not None:
            raise outcome.error
        response = RespondWorkflowTaskCompletedResponse(reset_history_event_id=outcome.reset_event_id)
        for event_id in outcome.eager:
            response.activity_tasks.append(self._activities.answer(run, event_id))
        data = response.SerializeToString()
        if outcome.new_task and run.state.info.task_request_id == new_request_id:
            data += wire.field(_WORKFLOW_TASK, self.answer(run, cached=True))
        return data

    def _complete(
        self, t: Transition, run: Run, request: RespondWorkflowTaskCompletedRequest, new_request_id: str
    ) -> Outcome:
        """Apply the completion, and start the activities that go out with the answer."""
        outcome = completion.complete(
            t,
            request,
            new_request_id=new_request_id,
            known_updates=self._updates.known(run),
            updates_wait=self._updates.waiting(run),
        )
        runs_on = t.state.open and t.state.info.status != PAUSED
        outcome.eager = [e for e in outcome.eager if runs_on and e in t.state.activities]
        for event_id in outcome.eager:
            activities.start(
                t,
                event_id,
                request_id=t.context.new_id(),
                identity=request.identity,
                version=of_worker(request.deployment_options),
                build=stamped(request.worker_version_stamp),
            )
        return outcome

    async def respond_workflow_task_failed(
        self, namespace: Namespace, request: RespondWorkflowTaskFailedRequest, call: Call
    ) -> RespondWorkflowTaskFailedResponse:
        run, token = self._answered(namespace, request.task_token)
        self._runs.decide(run, lambda t: _fail(t, request))
        self._updates.task_failed(run, by_server=False)
        await self._runs.committed(run)
        self._queries.task_ended(run, token.started_event_id, {}, failed=True)
        return RespondWorkflowTaskFailedResponse()

    # -- sticky queues

    async def reset_sticky_task_queue(
        self, namespace: Namespace, request: ResetStickyTaskQueueRequest, call: Call
    ) -> ResetStickyTaskQueueResponse:
        run = self._runs.require(namespace.id, request.execution.workflow_id, request.execution.run_id)
        if not run.state.open:
            raise NotFound("workflow execution already completed")
        self._runs.decide(run, lambda t: workflow_task.clear_sticky(t.state))
        await self._runs.committed(run)
        return ResetStickyTaskQueueResponse()

    def move_to_normal(self, offers: Iterable[Offer]) -> None:
        """Offer to others what waited for one worker's sticky queue."""
        for offer in offers:
            run = self._runs.get(offer.key)
            if run is not None:
                self._matching.offer(self._dispatch.normal_queue(run), offer)


def _token(state: State) -> tokens.WorkflowTaskToken:
    info = state.info
    return tokens.WorkflowTaskToken(
        namespace=tokens.namespace_bytes(state.start.namespace_id),
        key=state.start.key,
        scheduled_event_id=info.task_scheduled_event_id,
        started_event_id=info.task_started_event_id,
        attempt=info.task_attempt,
        started_time=info.task_started_time,
    )


def _matches(state: State, token: tokens.WorkflowTaskToken) -> bool:
    """Whether the token is of the task that is started now."""
    info = state.info
    return (
        info.task_state == TaskState.STARTED
        and info.task_attempt == token.attempt
        and info.task_started_time == token.started_time
        and info.task_scheduled_event_id == token.scheduled_event_id
    )


def _fail(t: Transition, request: RespondWorkflowTaskFailedRequest) -> None:
    """The worker could not do the task."""
    if request.cause == TOO_LARGE:
        close.terminate(t, reason="GrpcMessageTooLarge", identity=t.context.identity)
        return
    workflow_task.fail(
        t,
        request.cause,
        failure=request.failure if request.HasField("failure") else None,
        identity=request.identity,
        worker_version=request.worker_version if request.HasField("worker_version") else None,
    )
    tracking.task_failed(t, request.cause)
    workflow_task.schedule(t)
