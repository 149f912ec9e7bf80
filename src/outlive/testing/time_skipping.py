"""The SDK's test environment on a server whose clock can be skipped."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from temporalio import activity
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.testservice.v1 import LockTimeSkippingRequest, SleepRequest, UnlockTimeSkippingRequest
from temporalio.client import (
    Client,
    FetchWorkflowHistoryEventsInput,
    Interceptor,
    OutboundInterceptor,
    StartWorkflowUpdateInput,
    StartWorkflowUpdateWithStartInput,
    WorkflowHandle,
    WorkflowHistoryEventAsyncIterator,
    WorkflowHistoryEventFilterType,
    WorkflowUpdateHandle,
    WorkflowUpdateStage,
)
from temporalio.testing import WorkflowEnvironment


class TimeSkippingEnvironment(WorkflowEnvironment):
    """A `temporalio.testing.WorkflowEnvironment` whose time passes at once where nobody has anything to do.

    While this environment's client waits for a workflow's result, or for an update to complete, the server
    skips to whatever falls due next: timers, back-offs, time-outs. Several may be waited for side by side.
    Otherwise time goes at its real pace; `sleep` passes it by hand.

    Make one from a client with `TimeSkippingEnvironment.from_client(client)`, or have the server started
    too with `outlive.testing.time_skipping_environment`.
    """

    def __init__(self, client: Client) -> None:
        self._automatic = True
        self._waiting = 0  # for whom time may be skipped
        self._turn = asyncio.Lock()  # the first to wait unlocks time, the last one locks it
        config = client.config()
        config["interceptors"] = [*config["interceptors"], _Skipping(self)]
        super().__init__(Client(**config))

    @classmethod
    def from_client(cls, client: Client) -> TimeSkippingEnvironment:
        """An environment on the server that the client is connected to, which has to be one that skips time."""
        environment = super().from_client(client)  # in whose workflows a failed `assert` fails the workflow
        assert isinstance(environment, cls)
        return environment

    @property
    def supports_time_skipping_v1(self) -> bool:
        """True: time is skipped for the server as a whole."""
        return True

    async def sleep(self, duration: timedelta | float) -> None:
        """Let that much time pass (a span, or seconds), with all that falls due in it.

        An activity may call it too: then the server does not wait for that activity before it skips.
        """
        span = Duration()
        span.FromTimedelta(duration if isinstance(duration, timedelta) else timedelta(seconds=duration))
        service, request = self.client.test_service, SleepRequest(duration=span)
        unlocked = self._waiting and not activity.in_activity()
        await (service.sleep(request) if unlocked else service.unlock_time_skipping_with_sleep(request))

    async def get_current_time(self, handle: WorkflowHandle[Any, Any] | None = None) -> datetime:
        """What the server takes for the time, in UTC."""
        answer = await self.client.test_service.get_current_time(Empty())
        return answer.time.ToDatetime(tzinfo=UTC)

    @contextmanager
    def auto_time_skipping_disabled(self) -> Iterator[None]:
        """Inside, waiting for a result skips no time."""
        before, self._automatic = self._automatic, False
        try:
            yield
        finally:
            self._automatic = before

    @asynccontextmanager
    async def unlocked(self) -> AsyncIterator[None]:
        """Inside, time may be skipped, as it is while a result is waited for."""
        service = self.client.test_service
        async with self._turn:
            if not self._waiting:
                await service.unlock_time_skipping(UnlockTimeSkippingRequest())
            self._waiting += 1
        try:
            yield
        finally:
            async with self._turn:
                self._waiting -= 1
                if not self._waiting:
                    await service.lock_time_skipping(LockTimeSkippingRequest())

    @asynccontextmanager
    async def waiting(self) -> AsyncIterator[None]:
        """`unlocked`, unless that is disabled: around whatever waits for a workflow."""
        if not self._automatic:
            yield
            return
        async with self.unlocked():
            yield


class _Skipping(Interceptor):
    """Skips time while the client waits for workflows."""

    def __init__(self, environment: TimeSkippingEnvironment) -> None:
        super().__init__()
        self._environment = environment

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:
        return _SkippingCalls(next, self._environment)


class _SkippingCalls(OutboundInterceptor):
    def __init__(self, next: OutboundInterceptor, environment: TimeSkippingEnvironment) -> None:
        super().__init__(next)
        self._environment = environment

    def fetch_workflow_history_events(
        self, input: FetchWorkflowHistoryEventsInput
    ) -> WorkflowHistoryEventAsyncIterator:
        events = super().fetch_workflow_history_events(input)
        if input.wait_new_event and input.event_filter_type == WorkflowHistoryEventFilterType.CLOSE_EVENT:
            return _SkippedTo(events, self._environment)
        return events

    async def start_workflow_update(self, input: StartWorkflowUpdateInput) -> WorkflowUpdateHandle[Any]:
        if input.wait_for_stage != WorkflowUpdateStage.COMPLETED:
            return await super().start_workflow_update(input)
        async with self._environment.waiting():
            return await super().start_workflow_update(input)

    async def start_update_with_start_workflow(
        self, input: StartWorkflowUpdateWithStartInput
    ) -> WorkflowUpdateHandle[Any]:
        if input.update_workflow_input.wait_for_stage != WorkflowUpdateStage.COMPLETED:
            return await super().start_update_with_start_workflow(input)
        async with self._environment.waiting():
            return await super().start_update_with_start_workflow(input)


class _SkippedTo(WorkflowHistoryEventAsyncIterator):
    """The close event of a workflow, with time skipped until it is there."""

    def __init__(self, events: WorkflowHistoryEventAsyncIterator, environment: TimeSkippingEnvironment) -> None:
        self._events = events
        self._environment = environment

    async def __anext__(self) -> HistoryEvent:
        async with self._environment.waiting():
            return await self._events.__anext__()
