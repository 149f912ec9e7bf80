"""The callbacks of a run as its state keeps them: CallbackInfo messages, in the answer that carries them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from temporalio.api.enums.v1 import CallbackState
from temporalio.api.workflow.v1 import CallbackInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from outlive.core.proto import time_of
from outlive.core.state import State


def of(state: State) -> Sequence[CallbackInfo]:
    """The run's callbacks, in the order in which they were registered."""
    if state.info.callbacks is None:
        return ()
    return DescribeWorkflowExecutionResponse.FromString(state.info.callbacks).callbacks


def keep(state: State, infos: Iterable[CallbackInfo]) -> None:
    """Put these in the place of what there was."""
    state.info.callbacks = DescribeWorkflowExecutionResponse(callbacks=infos).SerializeToString()


def next_attempt(info: CallbackInfo) -> int:
    """When the callback is tried again; 0 unless it backs off."""
    if info.state != CallbackState.CALLBACK_STATE_BACKING_OFF:
        return 0
    return time_of(info.next_attempt_schedule_time)


def to_deliver(state: State) -> list[int]:
    """The numbers of the callbacks that are to be called now."""
    return [number for number, info in enumerate(of(state)) if info.state == CallbackState.CALLBACK_STATE_SCHEDULED]
