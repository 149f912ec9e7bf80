"""In the workflow: a model call has its turn before its activity is scheduled, so that waiting holds no slot.

Waiting is a timer (its summary says since when and for what, and so do the workflow's current details). What a
worker's crash leaves behind is found again: the same call keeps its place in the ledger's queue.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError, is_cancelled_exception
from temporalio.worker import (
    ExecuteWorkflowInput,
    StartActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from outlive.ai import recognised
from outlive.ai.errors import typed
from outlive.ai.saying import Options, current
from outlive.ai.ticket import HEADER, TAKE_TURN, Ticket, digest_of, to_header
from outlive.ai.waking import TURN_SIGNAL
from outlive.ledger.client import Call, Tokens

RESERVE: Final = "outlive_ai_reserve"
RELEASE: Final = "outlive_ai_release"
_ASK_TIMEOUT = timedelta(seconds=30)
_ASK_AGAIN = RetryPolicy(initial_interval=timedelta(milliseconds=500), maximum_interval=timedelta(seconds=30))
_WAIT_MIN = 0.05  # seconds
_BYTES_PER_TOKEN = 4
_VOLATILE = frozenset(
    {"timestamp", "run_id", "conversation_id", "serialized_run_context", "provider_response_id", "metadata", "tracing"}
)  # what differs between equal calls


class Inbound(WorkflowInboundInterceptor):
    """Puts `Outbound` in the chain."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._calls = Outbound(outbound)
        super().init(self._calls)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:
        workflow.set_signal_handler(TURN_SIGNAL, self._calls.turn_has_come)
        return await self.next.execute_workflow(input)


def interceptor_class(given: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
    """What the plug-in's interceptor gives the SDK."""
    return Inbound


class Outbound(WorkflowOutboundInterceptor):
    """Gives every model activity its turn and its ticket; other activities pass."""

    def __init__(self, next: WorkflowOutboundInterceptor) -> None:
        super().__init__(next)
        self._calls = 0
        self._replayed = 0  # turns found in the history since the last one that was asked for
        self._asleep: dict[str, bool] = {}  # calls that wait, and whether their turn has come

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:
        if not recognised.is_model_call(input.activity):
            return self.next.start_activity(input)
        self._calls += 1
        call, digest = _call(input, self._calls, current())
        carried: Any = asyncio.create_task(self._carry_out(input, call, digest, current()))
        return carried  # type: ignore[no-any-return]

    async def _carry_out(self, input: StartActivityInput, call: Call, digest: str, options: Options) -> Any:
        number = 1
        while True:
            ticket = Ticket(call, number, cache=options.cache.total_seconds() if options.cache else None, digest=digest)
            ticket = await self._take_turn(ticket)
            try:
                return await self.next.start_activity(
                    replace(input, headers={**input.headers, HEADER: to_header(ticket)})
                )
            except ActivityError as error:
                if isinstance(error.cause, ApplicationError) and error.cause.type == TAKE_TURN:
                    number += 1
                    continue
                known = typed(error)
                if known is not None:
                    raise known from error
                raise

    async def _take_turn(self, ticket: Ticket) -> Ticket:
        """Wait until the call may be made. Raises what the ledger refuses it with."""
        key = ticket.attempt(1).key
        # what a local activity is given is not in the history, so it may tell how this worker came here
        asked = {"call": asdict(ticket.attempt(1)), "cache": ticket.cache, "digest": ticket.digest}
        said = ""
        try:
            while True:
                answer = await _ask({**asked, "replayed": self._replayed})
                self._replayed = self._replayed + 1 if workflow.unsafe.is_replaying() else 0
                if answer["state"] != "waiting":
                    if said and workflow.get_current_details() == said:
                        workflow.set_current_details("")
                    return replace(ticket, state=answer["state"])
                since = datetime.fromtimestamp(answer["since"] / 1000, UTC).isoformat(timespec="seconds")
                said = f"waiting for quota since {since}: {answer['reason']}"
                workflow.set_current_details(said)
                await self._sleep(key, max(answer["retry_after"], _WAIT_MIN), said)
        except asyncio.CancelledError:
            await workflow.execute_local_activity(
                RELEASE, key, start_to_close_timeout=_ASK_TIMEOUT, retry_policy=_ASK_AGAIN
            )
            raise

    async def _sleep(self, key: str, seconds: float, why: str) -> None:
        """Sleep so long, or until the ledger says that it is this call's turn."""
        self._asleep[key] = False
        try:
            await workflow.wait_condition(lambda: self._asleep[key], timeout=seconds, timeout_summary=why)
        except TimeoutError:
            return
        finally:
            del self._asleep[key]

    def turn_has_come(self, key: str) -> None:
        """The signal of a worker that has heard so from the ledger."""
        if key in self._asleep:
            self._asleep[key] = True


async def _ask(asked: Mapping[str, Any]) -> dict[str, Any]:
    try:
        answer: dict[str, Any] = await workflow.execute_local_activity(
            RESERVE, asked, start_to_close_timeout=_ASK_TIMEOUT, retry_policy=_ASK_AGAIN, result_type=dict
        )
    except FailureError as error:  # a local activity's failure may come without one around it
        if is_cancelled_exception(error):
            raise
        known = typed(error)
        if known is None:
            raise
        raise known from error
    return answer


def _call(input: StartActivityInput, number: int, options: Options) -> tuple[Call, str]:
    """The call as the ledger knows it, and the digest that an equal call has too."""
    info = workflow.info()
    asked = recognised.asked(input.activity, input.args, input.summary)
    payloads = workflow.payload_converter().to_payloads(input.args)
    size = sum(len(payload.data) for payload in payloads)
    digest = ""
    if options.cache is not None:
        digest = digest_of(f"{asked.provider}:{asked.model}", b"\0".join(_canonical(each.data) for each in payloads))
    most = asked.max_output
    priority = options.priority or input.priority.priority_key or info.priority.priority_key
    call = Call(
        key=f"{info.namespace}/{info.workflow_id}/{info.run_id}/{number}",
        model=asked.model,
        provider=asked.provider,
        namespace=info.namespace,
        workflow_id=info.workflow_id,
        workflow_type=info.workflow_type,
        run=info.run_id,
        step=input.summary or input.activity_id or input.activity,
        team=options.team,
        labels=dict(options.labels),
        estimate=Tokens(-(-size // _BYTES_PER_TOKEN), 0 if most is None else most),
        maximum=None if most is None else Tokens(size, most),  # no token is shorter than a byte
        priority=min(max(priority or 3, 1), 5),
        hold=True,
        on_budget=options.on_budget,
        price=options.price,
    )
    return call, digest


def _canonical(data: bytes) -> bytes:
    """Arguments without what differs between equal calls."""
    try:
        return json.dumps(_stripped(json.loads(data)), sort_keys=True, separators=(",", ":")).encode()
    except ValueError:
        return data


def _stripped(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _stripped(each) for name, each in value.items() if name not in _VOLATILE}
    return [_stripped(each) for each in value] if isinstance(value, list) else value
