"""TestService: skipping the clock of a server that was started for tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from temporalio.api.testservice.v1 import (
    GetCurrentTimeResponse,
    LockTimeSkippingRequest,
    LockTimeSkippingResponse,
    SleepRequest,
    SleepResponse,
    SleepUntilRequest,
    UnlockTimeSkippingRequest,
    UnlockTimeSkippingResponse,
)

from outlive.api.handlers import Answer, Method, Rpc
from outlive.core.proto import ns_of, time_of, timestamp
from outlive.engine.calls import Call
from outlive.engine.time_skipping import TimeSkipping
from outlive.errors import InvalidArgument, Unimplemented
from outlive.limits import VIRTUAL_TIME_MAX

_REQUESTS: dict[str, type[Message]] = {
    "LockTimeSkipping": LockTimeSkippingRequest,
    "UnlockTimeSkipping": UnlockTimeSkippingRequest,
    "Sleep": SleepRequest,
    "SleepUntil": SleepUntilRequest,
    "UnlockTimeSkippingWithSleep": SleepRequest,
    "GetCurrentTime": Empty,
}


def test_service(skipping: TimeSkipping | None) -> dict[str, Rpc]:
    """The service's RPCs by name. Without a clock that can be skipped they are UNIMPLEMENTED."""
    methods = _Methods(skipping).by_name() if skipping is not None else {}
    return {name: Rpc(request, methods.get(name, _refused)) for name, request in _REQUESTS.items()}


def calls_that_matter(skipping: TimeSkipping) -> dict[str, Callable[[Rpc], Rpc]]:
    """How the clock sees the calls of WorkflowService: no time is skipped while a query is answered, and it is
    known who waits for what time brings.
    """
    query, wait = _inside(skipping.held), _inside(skipping.waited_for)
    return {
        "QueryWorkflow": query,
        "GetWorkflowExecutionHistory": wait,
        "UpdateWorkflowExecution": wait,
        "PollWorkflowExecutionUpdate": wait,
        "ExecuteMultiOperation": wait,
    }


def _inside(context: Callable[[], AbstractContextManager[None]]) -> Callable[[Rpc], Rpc]:
    """The RPC with its coroutine run inside the context."""

    def wrapped(rpc: Rpc) -> Rpc:
        async def run(request: Any, call: Call) -> Answer:
            with context():
                return await rpc.method(request, call)

        return Rpc(rpc.request, run)

    return wrapped


async def _refused(request: Any, call: Call) -> Answer:
    raise Unimplemented("the clock of this server cannot be skipped: start one for tests with `outlive PORT`")


class _Methods:
    """What each RPC does."""

    def __init__(self, skipping: TimeSkipping) -> None:
        self._skipping = skipping

    def by_name(self) -> dict[str, Method]:
        return {
            "LockTimeSkipping": self._lock,
            "UnlockTimeSkipping": self._unlock,
            "Sleep": self._sleep,
            "SleepUntil": self._sleep_until,
            "UnlockTimeSkippingWithSleep": self._unlock_with_sleep,
            "GetCurrentTime": self._current_time,
        }

    async def _lock(self, request: LockTimeSkippingRequest, call: Call) -> Answer:
        self._skipping.lock()
        return LockTimeSkippingResponse()

    async def _unlock(self, request: UnlockTimeSkippingRequest, call: Call) -> Answer:
        self._skipping.unlock()
        return UnlockTimeSkippingResponse()

    async def _sleep(self, request: SleepRequest, call: Call) -> Answer:
        await self._skipping.sleep_until(self._after(request.duration))
        return SleepResponse()

    async def _sleep_until(self, request: SleepUntilRequest, call: Call) -> Answer:
        await self._skipping.sleep_until(_within("timestamp", time_of(request.timestamp)))
        return SleepResponse()

    async def _unlock_with_sleep(self, request: SleepRequest, call: Call) -> Answer:
        await self._skipping.unlock_while_sleeping_until(self._after(request.duration))
        return SleepResponse()

    async def _current_time(self, request: Empty, call: Call) -> Answer:
        return GetCurrentTimeResponse(time=timestamp(self._skipping.now()))

    def _after(self, duration: Duration) -> int:
        if duration.seconds > 0 > duration.nanos or duration.seconds < 0 < duration.nanos:
            raise InvalidArgument("duration: seconds and nanos have different signs")
        return _within("duration", self._skipping.now() + ns_of(duration))


def _within(name: str, time: int) -> int:
    """A time that can be waited for."""
    if time > VIRTUAL_TIME_MAX:
        last = timestamp(VIRTUAL_TIME_MAX).ToJsonString()
        raise InvalidArgument(f"{name}: the clock cannot be skipped beyond {last}")
    return time
