"""Reading histories: pages, long polls, the close event, backwards."""

from __future__ import annotations

from collections.abc import Callable

from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from outlive.clock import Clock
from outlive.core import task_events
from outlive.engine import tokens, wire
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace
from outlive.engine.polling import poll_until
from outlive.engine.runs import Run, Runs
from outlive.engine.waiting import Waiters, wait_for
from outlive.errors import InvalidArgument
from outlive.limits import HISTORY_LONG_POLL, HISTORY_PAGE_BYTES, HISTORY_PAGE_EVENTS
from outlive.store.port import Storage

CLOSE_ONLY = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
BAD_TOKEN = "Invalid NextPageToken."
_HISTORY = GetWorkflowExecutionHistoryResponse.DESCRIPTOR.fields_by_name["history"].number
_REVERSE = GetWorkflowExecutionHistoryReverseResponse.DESCRIPTOR.fields_by_name["history"].number


class Histories:
    """The history of a run as clients and workers read it."""

    def __init__(self, runs: Runs, storage: Storage, clock: Clock) -> None:
        self._runs = runs
        self._storage = storage
        self._clock = clock

    async def get_workflow_execution_history(
        self, namespace: Namespace, request: GetWorkflowExecutionHistoryRequest, call: Call
    ) -> GetWorkflowExecutionHistoryResponse | bytes:
        """A page; with `wait_new_event`, what is new, or nothing after a while."""
        run, token = self._where(namespace, request)
        await self._runs.committed(run)
        if request.history_event_filter_type == CLOSE_ONLY:
            return await self._close_event(namespace, run, request, call)
        first = token.first if token else 1
        if token is not None and token.last:
            return self._page(run, first, token.last, request, token.unwritten)
        if request.wait_new_event and not await self._has(run, first, call):
            return self._empty(namespace, run, first)
        show = call.from_sdk and not request.wait_new_event
        return self._page(run, first, 0, request, show)

    def _where(
        self, namespace: Namespace, request: GetWorkflowExecutionHistoryRequest
    ) -> tuple[Run, tokens.HistoryPageToken | None]:
        if not request.next_page_token:
            execution = request.execution
            return self._runs.require(namespace.id, execution.workflow_id, execution.run_id), None
        token = self._decode(namespace, request.next_page_token)
        run = self._runs.get(token.key)
        if run is None or run.state.start.workflow_id != request.execution.workflow_id:
            raise InvalidArgument(BAD_TOKEN)
        return run, token

    def _decode(self, namespace: Namespace, data: bytes) -> tokens.HistoryPageToken:
        try:
            token = tokens.decode(tokens.HistoryPageToken, data)
        except InvalidArgument:
            token = None
        if token is None or token.namespace != tokens.namespace_bytes(namespace.id):
            raise InvalidArgument(BAD_TOKEN)
        return token

    # -- a page

    def _page(
        self, run: Run, first: int, upto: int, request: GetWorkflowExecutionHistoryRequest, unwritten: bool
    ) -> bytes:
        """Events from `first` on, at most up to `upto` (0: all there are)."""
        end = run.state.info.next_event_id - 1
        end = min(end, upto) if upto else end
        size = (
            min(request.maximum_page_size, HISTORY_PAGE_EVENTS)
            if request.maximum_page_size > 0
            else (HISTORY_PAGE_EVENTS)
        )
        events: list[bytes] = []
        if first <= end:
            events = self._runs.events(run, first, min(end, first + size - 1), max_bytes=HISTORY_PAGE_BYTES)
        following = first + len(events)
        more = following <= end or (request.wait_new_event and run.state.open)
        response = GetWorkflowExecutionHistoryResponse()
        if more:
            response.next_page_token = self._token(run, following, upto, unwritten)
        elif unwritten:
            events = events + [_shown(e) for e in task_events.unwritten(run.state)]
        return response.SerializeToString() + wire.history(_HISTORY, events)

    def _token(self, run: Run, first: int, upto: int, unwritten: bool) -> bytes:
        namespace = tokens.namespace_bytes(run.state.start.namespace_id)
        return tokens.encode(tokens.HistoryPageToken(namespace, run.key, first, upto, unwritten))

    def _empty(self, namespace: Namespace, run: Run, first: int) -> bytes:
        response = GetWorkflowExecutionHistoryResponse(next_page_token=self._token(run, first, 0, False))
        return response.SerializeToString() + wire.history(_HISTORY, ())

    # -- waiting

    async def _has(self, run: Run, event_id: int, call: Call) -> bool:
        """Wait until the event is written, the run has closed, or the time is over."""
        return await self._until(
            run, call, lambda: run.state.info.next_event_id > event_id or not run.state.open, run.waiters
        )

    async def _until(self, run: Run, call: Call, condition: Callable[[], bool], waiters: Waiters) -> bool:
        """Wait among the run's `waiters` until the condition holds; False when the time is over."""
        until = poll_until(call.deadline, self._clock.now(), HISTORY_LONG_POLL)
        return await wait_for(self._runs, self._clock, run, condition, waiters, until)

    async def _close_event(
        self, namespace: Namespace, run: Run, request: GetWorkflowExecutionHistoryRequest, call: Call
    ) -> bytes:
        """The last event of a closed run; waits for it."""
        closed = await self._until(run, call, lambda: not run.state.open, run.close_waiters)
        if not closed:
            if request.wait_new_event:
                return self._empty(namespace, run, run.state.info.next_event_id)
            return wire.history(_HISTORY, ())
        last = run.state.info.next_event_id - 1
        return wire.history(_HISTORY, self._runs.events(run, last, last))

    # -- backwards

    async def get_workflow_execution_history_reverse(
        self, namespace: Namespace, request: GetWorkflowExecutionHistoryReverseRequest, call: Call
    ) -> bytes:
        execution = request.execution
        if request.next_page_token:
            token = self._decode(namespace, request.next_page_token)
            run, last = self._runs.get(token.key), token.first
            if run is None:
                raise InvalidArgument(BAD_TOKEN)
        else:
            run = self._runs.require(namespace.id, execution.workflow_id, execution.run_id)
            last = run.state.info.next_event_id - 1
        await self._runs.committed(run)
        size = request.maximum_page_size if request.maximum_page_size > 0 else HISTORY_PAGE_EVENTS
        events = self._storage.events_reverse(run.key, last, min(size, HISTORY_PAGE_EVENTS))
        response = GetWorkflowExecutionHistoryReverseResponse()
        if last - len(events) >= 1:
            response.next_page_token = self._token(run, last - len(events), 0, False)
        return response.SerializeToString() + wire.history(_REVERSE, events)


def _shown(event: HistoryEvent) -> bytes:
    """An event that is not written yet, as readers see it: without who has the task."""
    if event.HasField("workflow_task_started_event_attributes"):
        event.workflow_task_started_event_attributes.ClearField("identity")
    return event.SerializeToString()
