"""Activity tasks over the wire: poll, heartbeat, complete, fail, cancel; by token and by id."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from temporalio.api.common.v1 import Payloads, Priority, WorkflowExecution, WorkflowType
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatByIdResponse,
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledByIdResponse,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCanceledResponse,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedByIdResponse,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskCompletedResponse,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedByIdResponse,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskFailedResponse,
)

from outlive.clock import Clock
from outlive.core import activities
from outlive.core.activities import Answer
from outlive.core.proto import duration, timestamp
from outlive.core.state import Activity
from outlive.core.transition import Transition
from outlive.core.version_names import of_worker, stamped
from outlive.engine import tokens
from outlive.engine.calls import Call
from outlive.engine.dispatch import Dispatch
from outlive.engine.matching import Matching, Offer, QueueName
from outlive.engine.namespaces import Namespace
from outlive.engine.polling import poll_until, poller_of
from outlive.engine.runs import Run, Runs
from outlive.errors import InvalidArgument, NotFound

T = TypeVar("T")
ByToken = (
    RecordActivityTaskHeartbeatRequest
    | RespondActivityTaskCompletedRequest
    | RespondActivityTaskFailedRequest
    | RespondActivityTaskCanceledRequest
)
ById = (
    RecordActivityTaskHeartbeatByIdRequest
    | RespondActivityTaskCompletedByIdRequest
    | RespondActivityTaskFailedByIdRequest
    | RespondActivityTaskCanceledByIdRequest
)


class ActivityTasks:
    """Handing activity attempts to workers, and taking their answers."""

    def __init__(self, runs: Runs, matching: Matching, clock: Clock, dispatch: Dispatch) -> None:
        self._dispatch = dispatch
        self._runs = runs
        self._matching = matching
        self._clock = clock

    # -- poll

    async def poll_activity_task_queue(
        self, namespace: Namespace, request: PollActivityTaskQueueRequest, call: Call
    ) -> PollActivityTaskQueueResponse:
        name = await self._dispatch.polled_queue(namespace.id, request)
        until = poll_until(call.deadline, self._clock.now())
        taken = await self._matching.poll(
            name, poller_of(request), until, stands=lambda offer: self._stands(offer, name)
        )
        if taken is None:
            return PollActivityTaskQueueResponse()
        offer = taken.offer
        run = self._runs.get(offer.key)
        assert run is not None, "an offer that stands has a run"
        request_id = self._runs.new_id()
        version, build = of_worker(request.deployment_options), stamped(request.worker_version_capabilities)
        self._runs.decide(
            run,
            lambda t: activities.start(
                t, offer.event_id, request_id=request_id, identity=request.identity, version=version, build=build
            ),
        )
        await self._runs.committed(run)
        row = run.state.activities.get(offer.event_id)
        if row is None or row.request_id != request_id:
            return PollActivityTaskQueueResponse()  # it ended meanwhile
        answer = self.answer(run, offer.event_id)
        if taken.scale:
            answer.poller_scaling_decision.poll_request_delta_suggestion = taken.scale
        return answer

    def _stands(self, offer: Offer, name: QueueName) -> bool:
        run = self._runs.get(offer.key)
        if run is None or not activities.startable(run.state, offer.event_id, offer.stamp):
            return False
        return self._dispatch.activity_fits(run, offer, name)

    def answer(self, run: Run, event_id: int) -> PollActivityTaskQueueResponse:
        """The started attempt as a worker is given it."""
        start = run.state.start
        row = run.state.activities.rows[event_id]
        scheduled = self._runs.read_event(run, event_id).activity_task_scheduled_event_attributes
        token = tokens.ActivityTaskToken(tokens.namespace_bytes(start.namespace_id), start.key, event_id, row.stamp)
        priority = activities.merged_priority(run.state, row.priority)
        details = Payloads.FromString(row.heartbeat_details) if row.heartbeat_details is not None else None
        return PollActivityTaskQueueResponse(
            task_token=tokens.encode(token),
            workflow_namespace=start.namespace,
            workflow_type=WorkflowType(name=start.workflow_type),
            workflow_execution=WorkflowExecution(workflow_id=start.workflow_id, run_id=start.run_id),
            activity_type=scheduled.activity_type,
            activity_id=row.activity_id,
            header=scheduled.header if scheduled.HasField("header") else None,
            input=scheduled.input if scheduled.HasField("input") else None,
            heartbeat_details=details,
            scheduled_time=timestamp(row.scheduled_time),
            current_attempt_scheduled_time=timestamp(row.attempt_scheduled_time),
            started_time=timestamp(row.started_time),
            attempt=row.attempt,
            schedule_to_close_timeout=duration(row.schedule_to_close),
            start_to_close_timeout=duration(row.start_to_close),
            heartbeat_timeout=duration(row.heartbeat_timeout),
            retry_policy=activities.retry_policy(row),
            priority=Priority.FromString(priority) if priority is not None else None,
        )

    # -- who answers

    def _by_token(self, namespace: Namespace, request: ByToken) -> tuple[Run, Answer]:
        token = tokens.decode(tokens.ActivityTaskToken, request.task_token)
        if token is None:
            raise NotFound(activities.GONE)
        if token.namespace != tokens.namespace_bytes(namespace.id):
            raise InvalidArgument("Operation requested with a token from a different namespace.")
        run = self._runs.get(token.key)
        if run is None:
            raise NotFound(activities.GONE)
        return run, Answer(token.scheduled_event_id, token.stamp, request.identity)

    def _by_id(self, namespace: Namespace, request: ById) -> tuple[Run, Answer]:
        run = self._runs.require(namespace.id, request.workflow_id, request.run_id)
        row = activities.find_by_id(run.state, request.activity_id)
        return run, Answer(row.scheduled_event_id, None, request.identity)

    async def _decide(self, run: Run, step: Callable[[Transition], T]) -> T:
        result = self._runs.decide(run, step)
        await self._runs.committed(run)
        return result

    # -- completed

    async def respond_activity_task_completed(
        self, namespace: Namespace, request: RespondActivityTaskCompletedRequest, call: Call
    ) -> RespondActivityTaskCompletedResponse:
        run, answer = self._by_token(namespace, request)
        await self._complete(run, answer, request)
        return RespondActivityTaskCompletedResponse()

    async def respond_activity_task_completed_by_id(
        self, namespace: Namespace, request: RespondActivityTaskCompletedByIdRequest, call: Call
    ) -> RespondActivityTaskCompletedByIdResponse:
        run, answer = self._by_id(namespace, request)
        await self._complete(run, answer, request)
        return RespondActivityTaskCompletedByIdResponse()

    async def _complete(
        self,
        run: Run,
        answer: Answer,
        request: RespondActivityTaskCompletedRequest | RespondActivityTaskCompletedByIdRequest,
    ) -> None:
        result = request.result if request.HasField("result") else None
        await self._decide(run, lambda t: activities.complete(t, answer, result))

    # -- failed

    async def respond_activity_task_failed(
        self, namespace: Namespace, request: RespondActivityTaskFailedRequest, call: Call
    ) -> RespondActivityTaskFailedResponse:
        run, answer = self._by_token(namespace, request)
        return RespondActivityTaskFailedResponse(failures=await self._fail(namespace, run, answer, request))

    async def respond_activity_task_failed_by_id(
        self, namespace: Namespace, request: RespondActivityTaskFailedByIdRequest, call: Call
    ) -> RespondActivityTaskFailedByIdResponse:
        run, answer = self._by_id(namespace, request)
        return RespondActivityTaskFailedByIdResponse(failures=await self._fail(namespace, run, answer, request))

    async def _fail(
        self,
        namespace: Namespace,
        run: Run,
        answer: Answer,
        request: RespondActivityTaskFailedRequest | RespondActivityTaskFailedByIdRequest,
    ) -> list[Failure]:
        """Take the failure; returns what had to be put in its place."""
        heartbeat = request.last_heartbeat_details if request.HasField("last_heartbeat_details") else None
        failure = activities.acceptable(request.failure, namespace.limits.payload_size_max)
        await self._decide(run, lambda t: activities.fail(t, answer, failure, heartbeat))
        return [] if failure is request.failure else [failure]

    # -- cancelled

    async def respond_activity_task_canceled(
        self, namespace: Namespace, request: RespondActivityTaskCanceledRequest, call: Call
    ) -> RespondActivityTaskCanceledResponse:
        run, answer = self._by_token(namespace, request)
        details = request.details if request.HasField("details") else None
        await self._decide(run, lambda t: activities.cancel(t, answer, details))
        return RespondActivityTaskCanceledResponse()

    async def respond_activity_task_canceled_by_id(
        self, namespace: Namespace, request: RespondActivityTaskCanceledByIdRequest, call: Call
    ) -> RespondActivityTaskCanceledByIdResponse:
        run, answer = self._by_id(namespace, request)
        details = request.details if request.HasField("details") else None
        await self._decide(run, lambda t: activities.cancel(t, answer, details))
        return RespondActivityTaskCanceledByIdResponse()

    # -- heartbeats

    async def record_activity_task_heartbeat(
        self, namespace: Namespace, request: RecordActivityTaskHeartbeatRequest, call: Call
    ) -> RecordActivityTaskHeartbeatResponse:
        run, answer = self._by_token(namespace, request)
        details = request.details if request.HasField("details") else None
        row = await self._decide(run, lambda t: activities.heartbeat(t, answer, details))
        cancel, paused, reset = _wishes(row)
        return RecordActivityTaskHeartbeatResponse(
            cancel_requested=cancel, activity_paused=paused, activity_reset=reset
        )

    async def record_activity_task_heartbeat_by_id(
        self, namespace: Namespace, request: RecordActivityTaskHeartbeatByIdRequest, call: Call
    ) -> RecordActivityTaskHeartbeatByIdResponse:
        run, answer = self._by_id(namespace, request)
        details = request.details if request.HasField("details") else None
        row = await self._decide(run, lambda t: activities.heartbeat(t, answer, details))
        cancel, paused, reset = _wishes(row)
        return RecordActivityTaskHeartbeatByIdResponse(
            cancel_requested=cancel, activity_paused=paused, activity_reset=reset
        )


def _wishes(row: Activity | None) -> tuple[bool, bool, bool]:
    """What the worker is told with its heartbeat: cancel requested, paused, reset."""
    if row is None:
        return True, False, False
    return row.cancel_requested, bool(row.paused_at), row.reset_requested
