"""In the activity: a model call is counted, kept alive, settled with what it used, and answered from the cache."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal, TypeVar

from temporalio import activity
from temporalio.converter import DataConverter
from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from outlive.ai import recognised
from outlive.ai.answers import Answers
from outlive.ai.approving import Approving
from outlive.ai.errors import AIError, BudgetExceeded, CallImpossible, UnknownPrice
from outlive.ai.failures import Failure, failure_of, limits_of, scrub
from outlive.ai.recognised import Answered
from outlive.ai.saying import Settings
from outlive.ai.ticket import TAKE_TURN, Ticket, attempt_key, call_of, from_headers
from outlive.ai.waking import Waker
from outlive.ledger import client as ledger_client
from outlive.ledger.client import (
    Attempt,
    Cached,
    Call,
    Filter,
    Granted,
    Ledger,
    LedgerError,
    LedgerUnreachable,
    NotFound,
    Recorded,
    Result,
    Tokens,
)

_SETTLE_PATIENCE = 60.0  # seconds that a result waits for a ledger that does not answer
_PAUSE = 0.5  # seconds
_WORTH_A_SIGNAL = 3.0  # seconds: who waits longer is told of its turn, who waits less asks when its timer fires
_REFUSALS: Mapping[type[LedgerError], type[AIError]] = {
    ledger_client.BudgetExceeded: BudgetExceeded,
    ledger_client.BudgetImpossible: CallImpossible,
    ledger_client.QuotaImpossible: CallImpossible,
    ledger_client.UnknownPrice: UnknownPrice,
}
Value = TypeVar("Value")


@dataclass(slots=True)
class Report:
    """What is learned about a call while it is made. Times are those of `time.monotonic`."""

    started: float = field(default_factory=time.monotonic)
    headers: Mapping[str, str] = field(default_factory=dict)
    first_token: float | None = None
    said: int = 0  # characters of a stream so far
    answered: Answered | None = None  # by a call that failed after its answer came


report: ContextVar[Report | None] = ContextVar("outlive_ai_report", default=None)


class Desk:
    """The ledger as a worker's activities use it."""

    def __init__(self, settings: Settings, converter: Callable[[], DataConverter]) -> None:
        self.settings = settings
        self._answers = Answers(settings, lambda: self.ledger, converter)
        self._waker = Waker(lambda: self.ledger)
        self.approving = Approving(lambda: self.ledger)
        self._ledgers: dict[int, Ledger] = {}
        self._late: set[asyncio.Task[Any]] = set()

    @property
    def ledger(self) -> Ledger:
        """The connection of the running event loop."""
        loop = id(asyncio.get_running_loop())
        found = self._ledgers.get(loop)
        if found is None:
            found = self._ledgers[loop] = ledger_client.connect(self.settings.ledger, self.settings.secret)
        return found

    async def close(self) -> None:
        """Let late settlements end, and the connection go."""
        self._waker.stop()
        self.approving.stop()
        if self._late:
            await asyncio.wait(self._late, timeout=5.0)
        found = self._ledgers.pop(id(asyncio.get_running_loop()), None)
        if isinstance(found, ledger_client.HttpLedger):
            await found.close()

    # -- local activities of the workflow's side

    @activity.defn(name="outlive_ai_reserve")
    async def reserve(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Ask for a turn: granted, waiting, cached, or allowed since nobody answers."""
        call = self._completed(call_of(asked["call"]))
        try:
            if asked["replayed"]:
                await self._note_replay(call)
            age = asked["cache"]
            if age is not None and await self._answers.fresh(call.namespace, asked["digest"], age) is not None:
                return {"state": "cached"}
            self._waker.forget(call.key)
            answer = await self.ledger.reserve(call)
        except LedgerUnreachable as error:
            if self.settings.on_unreachable == "allow":
                return {"state": "allowed"}
            raise ApplicationError(error.message, type="outlive.ai.LedgerUnreachable") from None
        except LedgerError as error:
            raise refusal(error) from None
        if isinstance(answer, ledger_client.Waiting):
            if answer.retry_after >= _WORTH_A_SIGNAL:
                self._waker.watch(activity.client(), call)
            return {
                "state": "waiting",
                "since": answer.since,
                "retry_after": answer.retry_after,
                "reason": answer.reason,
            }
        return {"state": "granted"}

    async def _note_replay(self, call: Call) -> None:
        """Earlier calls of the run were answered by its history: write down what they would have cost again."""
        costs = await self.ledger.costs("run", Filter(namespace=call.namespace, run=call.run))
        saved = sum(row.cost for row in costs)
        if saved:
            replayed = replace(call, key=f"{call.key}/replayed", step="replay", unknown_price="zero")
            await self.ledger.record(replayed, Result(saved_by="replay", saved=saved, cost=0))

    @activity.defn(name="outlive_ai_release")
    async def release(self, key: str) -> None:
        """The call is no longer wanted."""
        await self.ledger.release(key)

    def _completed(self, call: Call) -> Call:
        """The call with what only the worker knows."""
        settings = self.settings
        unknown = settings.on_unknown_price
        price: Any = unknown(call.model) if callable(unknown) else unknown
        estimate = call.estimate
        if not estimate.output:
            estimate = replace(estimate, output=settings.expected_output)
        return replace(
            call,
            estimate=estimate,
            lease=settings.lease,
            unknown_price=price,
            provider_key=call.provider_key or settings.provider_key,
            team=call.team or settings.team,
            labels={**settings.labels, **call.labels},
        )

    # -- the call

    async def _prepare(self, input: ExecuteActivityInput) -> None:
        """Load what the model needs before its call counts as sent."""
        from outlive.ai.requests import prepare

        await prepare(input.args[0].model)

    async def carry_out(self, ticket: Ticket, input: ExecuteActivityInput, next: ActivityInboundInterceptor) -> Any:
        """Make the call that an activity is, or answer it from what is kept."""
        info = activity.info()
        call = replace(self._completed(ticket.attempt(info.attempt)), hold=False)
        if ticket.cache is not None:
            hit = await self._answers.fresh(call.namespace, ticket.digest, ticket.cache)
            if hit is not None:
                return await self._reuse(ticket, call, hit, input, "cache")
        if info.attempt > 1 or ticket.round > 1:
            kept = await self._answers.unrecorded(ticket)
            if kept is not None:
                return await self._reuse(ticket, call, kept, input, "replay")
        if info.activity_type == recognised.OWN:
            await self._prepare(input)
        counted = ticket.state != "allowed" and await self._admit(ticket, call, info.attempt)
        return await self._make(ticket, call, counted, input, next)

    async def _admit(self, ticket: Ticket, call: Call, attempt: int) -> bool:
        """Count the call as sent. False: nobody answers, and calls go on all the same."""
        try:
            if attempt == 1 and ticket.state == "granted":
                try:
                    await self.ledger.start(call.key)
                    return True
                except NotFound:  # its lease ran out while the activity waited for a worker
                    call = replace(call)
            answer = await self.ledger.reserve(call)
        except LedgerUnreachable as error:
            if self.settings.on_unreachable == "allow":
                return False
            again = timedelta(seconds=5)
            raise ApplicationError(error.message, type="outlive.ai.LedgerUnreachable", next_retry_delay=again) from None
        except LedgerError as error:
            raise refusal(error) from None
        if isinstance(answer, Granted):
            return True
        if isinstance(answer, Recorded):
            raise ApplicationError("this attempt has ended already", type=TAKE_TURN, non_retryable=True)
        await self.ledger.release(call.key)
        raise ApplicationError("has to wait for its turn", type=TAKE_TURN, non_retryable=True)

    async def _make(
        self,
        ticket: Ticket,
        call: Call,
        counted: bool,
        input: ExecuteActivityInput,
        next: ActivityInboundInterceptor,
    ) -> Any:
        learned = Report()
        token = report.set(learned)
        alive = asyncio.create_task(self._keep_alive(call, counted))
        try:
            result = await next.execute_activity(input)
        except asyncio.CancelledError:
            self._later(self._write(call, counted, self._ended(call, learned, None, outcome="cancelled")))
            raise
        except Exception as error:
            failure = failure_of(error)
            await self._write(call, counted, self._ended(call, learned, None, failure))
            if activity.info().activity_type != recognised.OWN or isinstance(error, AIError):
                raise
            raise _raised(failure) from None
        finally:
            alive.cancel()
            report.reset(token)
        said = recognised.answered(result)
        ended = replace(self._ended(call, learned, said), prompt=self._kept_text(input.args))
        await self._answers.keep_unrecorded(ticket, call.key, result, said)
        row = await self._write(call, counted, ended)
        cost = row.cost if row is not None else 0
        await self._answers.keep_equal(ticket, call.key, result, said, cost)
        return _marked(result, cost=cost)

    async def _keep_alive(self, call: Call, counted: bool) -> None:
        """Say now and then that this worker lives: to the ledger, and to the server where it listens."""
        timeout = activity.info().heartbeat_timeout
        beat = min(self.settings.lease, timeout.total_seconds() if timeout else self.settings.lease) / 3
        renewed = time.monotonic()
        while True:
            await asyncio.sleep(beat)
            if timeout:
                activity.heartbeat()
            if counted and time.monotonic() - renewed >= self.settings.lease / 3:
                with suppress(LedgerError):  # a ledger that is away for long takes the settlement all the same
                    await self.ledger.renew(call.key)
                renewed = time.monotonic()

    def _ended(
        self,
        call: Call,
        learned: Report,
        said: Answered | None,
        failure: Failure | None = None,
        outcome: Any = "ok",
    ) -> Result:
        said = said or learned.answered or Answered()
        usage = said.usage
        if usage is None and learned.first_token is not None:  # cut: it costs what came, as far as can be told
            usage = Tokens(call.estimate.input, -(-learned.said // 4))
        headers = learned.headers
        request_id = headers.get("x-request-id") or headers.get("request-id") or said.request_id
        first = learned.first_token
        return Result(
            outcome="error" if failure is not None else outcome,
            usage=usage,
            request_id=request_id or (failure.request_id if failure else ""),
            error_kind=failure.name if failure else "",
            latency=time.monotonic() - learned.started,
            first_token=None if first is None else first - learned.started,
            limits=(failure.limits if failure else None) or limits_of(headers),
            model=said.model,
            record=self.settings.record,
            answer=self._redacted(said.text),
        )

    def _kept_text(self, args: Any) -> str:
        if self.settings.record == "none":
            return ""
        payloads = activity.payload_converter().to_payloads(args)
        return self._redacted("\n".join(payload.data.decode(errors="replace") for payload in payloads))

    def _redacted(self, text: str) -> str:
        if self.settings.record == "none" or not text:
            return ""
        text = scrub(text)
        return self.settings.redact(text) if self.settings.redact else text

    async def _write(self, call: Call, counted: bool, result: Result) -> Attempt | None:
        """Settle, or write down afterwards."""
        ledger = self.ledger
        if counted:
            return await self._insisted(lambda: ledger.settle(call.key, result))
        return await self._insisted(lambda: ledger.record(call, result))

    async def _insisted(self, write: Callable[[], Awaitable[Attempt]]) -> Attempt | None:
        """Write a row; a ledger that is away is waited for, first here, then behind."""
        try:
            return await asyncio.wait_for(_insist(write), _SETTLE_PATIENCE)
        except TimeoutError:
            self._later(_insist(write))
            return None

    def _later(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    # -- answers that are kept

    async def _reuse(
        self, ticket: Ticket, call: Call, hit: Cached, input: ExecuteActivityInput, by: Literal["cache", "replay"]
    ) -> Any:
        result, attempt = await self._answers.read(hit, input)
        if ticket.state == "granted":
            with suppress(LedgerError):  # its lease gives it back
                await self.ledger.release(attempt_key(ticket.call.key, ticket.round, 1))
        saved = hit.cost if by == "cache" else await self._settled(attempt, hit)
        row = Result(
            cache_hit=by == "cache", saved_by=by, saved=saved, model=hit.model, record="none", latency=0.0, cost=0
        )
        await self._write(replace(call, key=f"{call.key}.{by}", unknown_price="zero"), False, row)
        return _marked(result, cached=by == "cache", cost=0 if by == "cache" else saved)

    async def _settled(self, attempt: str, hit: Cached) -> int:
        """What the attempt came to that got an answer and died; it is settled if it did not come to that."""
        ledger, result = self.ledger, Result(usage=hit.usage, model=hit.model, record="none")
        row = await self._insisted(lambda: ledger.settle(attempt, result))
        return row.cost if row is not None else 0


class ActivitySide(ActivityInboundInterceptor):
    """Takes what comes with a ticket to the desk."""

    def __init__(self, next: ActivityInboundInterceptor, desk: Desk) -> None:
        super().__init__(next)
        self._desk = desk

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        ticket = from_headers(input.headers)
        if ticket is None:
            return await self.next.execute_activity(input)
        return await self._desk.carry_out(ticket, input, self.next)


async def _insist(work: Callable[[], Awaitable[Value]]) -> Value | None:
    """Do it until somebody answers. None: the answer is that it cannot be done."""
    while True:
        try:
            return await work()
        except LedgerUnreachable:
            await asyncio.sleep(_PAUSE)
        except LedgerError as error:
            activity.logger.warning("a model call could not be written to the ledger: %s", error.message)
            return None


def refusal(error: LedgerError) -> AIError:
    """What the ledger refuses a call with, as the workflow sees it."""
    for kind, ours in _REFUSALS.items():
        if isinstance(error, kind):
            return ours(error.message, **error.details)
    return AIError(error.message, kind=error.kind)


def _raised(failure: Failure) -> ApplicationError:
    if not failure.retried:
        return failure.error()
    made = failure.error()
    delay = None if failure.delay is None else timedelta(seconds=max(failure.delay, 0.01))
    return ApplicationError(made.message, *made.details, type=made.type, next_retry_delay=delay)


def _marked(result: Any, **marks: Any) -> Any:
    """Our own results say what they cost and whether they were kept; those of others stay as they are."""
    return {**result, **marks} if isinstance(result, dict) and "raw" in result else result
