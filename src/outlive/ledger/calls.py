"""Calls: the shell around `rules/admission.py`. It reads the clock, keeps what was decided, and wakes who waits.

Rules
- Nothing awaits between asking the rules and writing what they decided, so no lock is needed.
- What was decided is answered when it is on disk: a grant or a place that a caller knows of survives a kill.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from outlive.clock import Clock
from outlive.ledger.book import Book
from outlive.ledger.errors import NotFound, UnknownPrice
from outlive.ledger.kept import kept
from outlive.ledger.prices import Priced, Prices
from outlive.ledger.rules.admission import Admission, Reservation, Spent, check_call
from outlive.ledger.rules.budgets import Counter, Need
from outlive.ledger.rules.queue import Ticket
from outlive.ledger.store.port import Database
from outlive.ledger.types import Attempt, Call, Granted, Recorded, Result, Tokens, Waiter, Waiting, Warned, scope_of
from outlive.ledger.wire import changed, dump, load, to_json
from outlive.limits import LEDGER_WAIT_MAX, MS, SECOND

_COUNTER = (
    "INSERT INTO counter VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (budget, labels, period_start)"
    " DO UPDATE SET spent = excluded.spent, unconfirmed = excluded.unconfirmed, warned_at = excluded.warned_at"
)
_TICKET = (
    "INSERT INTO ticket VALUES (?, ?, ?, ?) ON CONFLICT (key)"
    " DO UPDATE SET call = excluded.call, need = excluded.need, since = excluded.since"
)
_TIMER_MIN = 2 * MS  # turns that come closer together than this share one look


class Calls:
    """Reserving, settling, and the book of it."""

    def __init__(self, database: Database, book: Book, prices: Prices, admission: Admission, clock: Clock) -> None:
        self._database = database
        self._book = book
        self._prices = prices
        self._admission = admission
        self._clock = clock
        self._rows: dict[str, tuple[Attempt, str]] = {}  # of what is open, with the calls' terms
        self._tickets: set[str] = set()  # that have a row
        self._waiters: dict[str, set[asyncio.Future[None]]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._armed = 0  # when it rings

    # -- asking

    async def reserve(self, call: Call, *, wait: float = 0.0) -> Granted | Waiting | Recorded:
        check_call(call)
        key = call.key
        if key not in self._admission.open and key not in self._admission.queue.tickets:
            found = await self._book.find(key)
            if found is not None and found[0].outcome != "open":
                return Recorded(found[0])
        await self._prices.ready_for(call)
        deadline = self._clock.now() + min(round(wait * SECOND), LEDGER_WAIT_MAX)
        while True:
            young = self._book.remembered(key)
            if young is not None:
                await self._database.committed()
                return Recorded(young)
            now = self._clock.now()
            try:
                answer = self._admission.ask(call, self._need(call, now), now)
            finally:
                self.keep_changes()
            if isinstance(answer, Reservation):
                await self._database.committed()
                return _granted(answer)
            if now >= deadline:
                break
            await self._listen(answer, (deadline - now) / SECOND)
        away = self._admission.send_away(answer, now)
        await self._database.committed()
        ahead = self._admission.queue.ahead(answer)
        return Waiting(key, answer.since // MS, away / SECOND, ahead, _reason(answer, ahead), answer.blocked_on)

    def _need(self, call: Call, now: int) -> Need:
        money = self._prices.cost(call, call.estimate, now).cost
        if call.maximum is None:
            return Need(money, None, call.estimate.total, None)
        most = self._prices.cost(call, call.maximum, now).cost
        return Need(money, max(money, most), call.estimate.total, max(call.estimate.total, call.maximum.total))

    async def _listen(self, ticket: Ticket, seconds: float) -> None:
        """Wait until something becomes of the ticket, or for so long."""
        ticket.listeners += 1
        try:
            await self._any_of([ticket.call.key], seconds)
        finally:
            ticket.listeners -= 1
            ticket.back_at = self._clock.now()

    async def turns(self, keys: Sequence[str], *, wait: float = 20.0) -> list[str]:
        tickets = self._admission.queue.tickets
        ready = [key for key in keys if key not in tickets]
        if ready:
            return ready
        watched = [tickets[key] for key in keys]
        for ticket in watched:
            ticket.watchers += 1
        try:
            await self._any_of(keys, min(wait, LEDGER_WAIT_MAX / SECOND))
        finally:
            for ticket in watched:
                ticket.watchers -= 1
                ticket.back_at = max(ticket.back_at, self._clock.now())
        return [key for key in keys if key not in tickets]

    async def _any_of(self, keys: Sequence[str], seconds: float) -> None:
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for key in keys:
            self._waiters.setdefault(key, set()).add(woken)
        self._arm()
        try:
            await asyncio.wait({woken}, timeout=seconds)
        finally:
            for key in keys:
                waiting = self._waiters.get(key)
                if waiting is not None:
                    waiting.discard(woken)
                    if not waiting:
                        del self._waiters[key]

    # -- what holders say

    async def start(self, key: str) -> Granted:
        reservation = self._admission.start(key, self._clock.now())
        if reservation is None:
            raise _gone(key)
        self._write_open(reservation)
        await self._database.committed()
        return _granted(reservation)

    async def renew(self, key: str, *, lease: float | None = None) -> Granted:
        reservation = self._admission.renew(key, self._clock.now(), lease)
        if reservation is None:
            raise _gone(key)
        self._arm()
        return _granted(reservation)

    async def release(self, key: str) -> bool:
        known = self._admission.release(key, self._clock.now())
        self.keep_changes()
        await self._database.committed()
        return known

    async def settle(self, key: str, result: Result) -> Attempt:
        if key not in self._admission.open:
            return await self._settle_late(key, result)
        now = self._clock.now()
        call = self._admission.open[key].call
        if not self._prices.is_ready_for(call):  # the first after a restart
            await self._prices.ready_for(call)
            return await self.settle(key, result)
        row, _ = self._rows.pop(key)
        if not row.started_at:  # a holder that never said so has sent it all the same
            row = replace(row, started_at=now // MS)
        ended, spent = self._ended(row, call, result, now)
        reservation = self._admission.settle(key, spent, now)
        assert reservation is not None
        return await self._write_ended(ended, reservation.labels, result, now)

    async def _settle_late(self, key: str, result: Result) -> Attempt:
        """The lease has run out, or the request is a repeated one."""
        found = await self._book.find(key)
        row, terms = found if found is not None else (None, "")
        row = self._book.remembered(key) or row
        if row is None:
            raise NotFound(
                f"nothing is reserved under the key {key}: `record` writes a call that was made without.", key=key
            )
        if row.outcome != "lost":
            await self._database.committed()
            return row
        call = load(Call, json.loads(terms)) if terms else _call_of(row)
        await self._prices.ready_for(call)
        if (young := self._book.remembered(key)) is not None and young.outcome != "lost":
            await self._database.committed()
            return young
        now = self._clock.now()
        ended, spent = self._ended(row, call, result, now)
        labels = scope_of(call)
        self._admission.confirm(labels, _need_of(row), row.granted_at * MS, now)
        self._admission.charge(labels, spent, now, windows=False)
        return await self._write_ended(ended, labels, result, now)

    async def record(self, call: Call, result: Result) -> Attempt:
        check_call(call)
        await self._prices.ready_for(call)
        if call.key in self._admission.open:
            return await self.settle(call.key, result)
        found = await self._book.find(call.key)
        young = self._book.remembered(call.key)
        if young is not None and young.outcome != "lost":
            await self._database.committed()
            return young
        if found is not None and found[0].outcome == "lost":
            return await self._settle_late(call.key, result)
        if found is not None:
            return found[0]
        self._admission.release(call.key, self._clock.now())
        now = self._clock.now()
        row = _row(call, Need(0, None, 0, None), now)
        if result.latency is not None:
            row = replace(row, started_at=max(0, row.started_at - round(result.latency * 1000)))
        ended, spent = self._ended(row, call, result, now)
        labels = scope_of(call)
        self._admission.charge(labels, spent, now, windows=not (result.cache_hit or result.saved_by))
        return await self._write_ended(ended, labels, result, now)

    async def _write_ended(self, ended: Attempt, labels: dict[str, str], result: Result, now: int) -> Attempt:
        if result.limits is not None:
            self._admission.said(labels, result.limits, now)
            who = (labels.get("provider", ""), labels.get("provider_key", ""), labels.get("model", ""))
            self._database.write(
                "INSERT INTO block VALUES (?, ?, ?, ?) ON CONFLICT (provider, provider_key, model)"
                " DO UPDATE SET until = excluded.until",
                (*who, self._admission.quotas.blocked_until(labels)),
            )
        self._book.write(ended)
        self.keep_changes()
        await self._database.committed()
        return ended

    def _ended(self, row: Attempt, call: Call, result: Result, now: int) -> tuple[Attempt, Spent]:
        """The row of a call that has ended, and what budgets and windows are to count for it."""
        saved = result.cache_hit or bool(result.saved_by)
        usage = result.usage or Tokens()
        if result.usage is None and result.outcome == "ok" and not saved:
            usage = call.estimate  # it was answered, and nobody said what it took
        priced = self._priced(row, call, usage, now)
        cost = result.cost if result.cost is not None else 0 if saved else priced.cost
        ended = changed(
            row,
            outcome=result.outcome,
            error_kind=result.error_kind,
            request_id=result.request_id,
            model=result.model or row.model,
            input=usage.input,
            output=usage.output,
            cached=usage.cached,
            cache_write=usage.cache_write,
            reasoning=usage.reasoning,
            cost=cost,
            price_version=priced.version if result.cost is None else "reported",
            ended_at=now // MS,
            latency=result.latency,
            first_token=result.first_token,
            cache_hit=result.cache_hit,
            saved_by=result.saved_by or ("cache" if result.cache_hit else ""),
            saved=result.saved or (priced.cost if saved else 0),
            record=result.record,
            prompt=kept(result.record, result.prompt),
            answer=kept(result.record, result.answer),
        )
        return ended, Spent(cost, 0 if saved else usage.total)

    def _priced(self, row: Attempt, call: Call, usage: Tokens, now: int) -> Priced:
        try:
            return self._prices.cost(call, usage, now)
        except UnknownPrice:  # the table was another one when the call was let through
            return Priced(row.reserved, "unknown: estimate")

    # -- keeping what was decided

    def keep_changes(self) -> None:
        """Write what the rules have decided since this was last called, and wake those it is about."""
        for kind, key in self._admission.take_changes():
            if kind in ("granted", "claimed"):
                reservation = self._admission.open.get(key)
                if reservation is not None:
                    self._write_open(reservation)
                if kind == "granted":
                    self._drop_ticket(key)
            elif kind in ("waiting", "returned"):
                self._write_ticket(key)
                if kind == "returned":
                    self._rows.pop(key, None)
                    self._book.erase(key)
            elif kind == "released":
                self._rows.pop(key, None)
                self._book.erase(key)
            elif kind == "lost":
                self._write_lost(key)
            else:
                self._drop_ticket(key)
            for woken in self._waiters.get(key, ()):
                if kind in ("granted", "refused") and not woken.done():
                    woken.set_result(None)
        for counter in self._admission.budgets.take_changed():
            self._write_counter(counter)
        self._arm()

    def _write_open(self, reservation: Reservation) -> None:
        row = _row(reservation.call, reservation.need, reservation.since, reservation)
        terms = _json(reservation.call)
        self._rows[row.key] = row, terms
        self._book.write(row, terms)

    def _write_lost(self, key: str) -> None:
        found = self._rows.pop(key, None)
        if found is not None:
            row, terms = found
            lost = replace(row, outcome="lost", error_kind="lease_expired", ended_at=self._clock.now() // MS)
            self._book.write(lost, terms)  # a settlement that comes late needs them

    def _write_ticket(self, key: str) -> None:
        ticket = self._admission.queue.tickets.get(key)
        if ticket is not None:
            self._tickets.add(key)
            self._database.write(_TICKET, (key, _json(ticket.call), _json(ticket.need), ticket.since))

    def _drop_ticket(self, key: str) -> None:
        if key in self._tickets:
            self._tickets.remove(key)
            self._database.write("DELETE FROM ticket WHERE key = ?", (key,))

    def _write_counter(self, counter: Counter) -> None:
        self._database.write_last(
            counter.key,
            _COUNTER,
            (
                counter.budget.name,
                json.dumps(counter.values),
                counter.period_start,
                counter.spent,
                counter.unconfirmed,
                counter.warned_at,
            ),
        )

    # -- time

    def _arm(self) -> None:
        """Look again when the next lease runs out or the next turn comes. A look that comes early does no harm."""
        moment = self._admission.next_moment()
        if moment is None or (self._timer is not None and self._armed <= moment):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._armed = moment
        wait = max(moment - self._clock.now(), _TIMER_MIN)
        self._timer = asyncio.get_running_loop().call_later(wait / SECOND, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._admission.advance(self._clock.now())
        self.keep_changes()

    def stop(self) -> None:
        """No more turns. Who waits is told to ask again."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for waiting in self._waiters.values():
            for woken in waiting:
                if not woken.done():
                    woken.set_result(None)

    # -- lists

    async def waiting(self) -> list[Waiter]:
        tickets = sorted(self._admission.queue.tickets.values(), key=lambda ticket: (ticket.since, ticket.number))
        return [
            Waiter(
                ticket.call.key,
                ticket.since // MS,
                ticket.call.workflow_id,
                ticket.call.run,
                ticket.call.model,
                ticket.call.priority,
                ticket.blocked_on,
            )
            for ticket in tickets
        ]

    # -- after a restart

    async def begin(self, span: int) -> None:
        """Take up what was open, what waited, and what the last `span` nanoseconds have used."""
        now = self._clock.now()
        rows = await self._book.since((now - span) // MS)
        for row, terms in sorted(rows, key=lambda found: found[0].started_at):
            if row.outcome == "open":
                call = load(Call, json.loads(terms)) if terms else _call_of(row)
                started = row.started_at * MS or None
                granted, lease = row.granted_at * MS, row.lease_until * MS
                need = _need_of(row)
                reservation = Reservation(
                    call, scope_of(call), need, row.asked_at * MS, granted, lease, started=started
                )
                self._rows[row.key] = row, terms
                self._admission.restore_open(reservation, now)
            elif not row.saved_by and row.started_at:
                tokens = row.estimate_input + row.estimate_output if row.outcome == "lost" else row.input + row.output
                self._admission.restore_use(scope_of(_call_of(row)), tokens, row.started_at * MS)
        tickets = await self._database.scan("SELECT call, need, since FROM ticket ORDER BY since")
        for text, need_text, since in tickets:
            call, need = load(Call, json.loads(text)), load(Need, json.loads(need_text))
            self._tickets.add(call.key)
            self._admission.restore_ticket(call, need, since, now)
        self._admission.advance(now)
        self.keep_changes()


def _granted(reservation: Reservation) -> Granted:
    warnings = tuple(
        Warned(counter.budget.name, counter.scope, counter.budget.unit, counter.budget.soft or 0, counter.used)
        for counter, _ in reservation.counters
        if counter.passes_soft()
    )
    return Granted(reservation.call.key, reservation.since // MS, reservation.lease_until // MS, warnings)


def _reason(ticket: Ticket, ahead: int) -> str:
    if not ticket.blocked_on:
        return f"waits behind {ahead} others" if ahead else "waits for its turn"
    behind = f", behind {ahead} others" if ahead else ""
    return f"waits for {' and '.join(ticket.blocked_on)}{behind}"


def _row(call: Call, need: Need, asked: int, reservation: Reservation | None = None) -> Attempt:
    """A row that has not ended. Without a reservation it was made when it was asked for."""
    granted = reservation.granted if reservation is not None else asked
    started = (reservation.started or 0) if reservation is not None else asked
    return Attempt(
        key=call.key,
        namespace=call.namespace,
        workflow_id=call.workflow_id,
        workflow_type=call.workflow_type,
        run=call.run,
        step=call.step,
        attempt=call.attempt,
        model=call.model,
        provider=call.provider,
        provider_key=call.provider_key,
        team=call.team,
        labels=call.labels,
        estimate_input=call.estimate.input,
        estimate_output=call.estimate.output,
        asked_at=asked // MS,
        granted_at=granted // MS,
        started_at=started // MS,
        lease_until=reservation.lease_until // MS if reservation is not None else 0,
        batch=call.batch,
        reserved=need.money,
        reserved_max=-1 if need.money_max is None else need.money_max,
        reserved_max_tokens=-1 if need.tokens_max is None else need.tokens_max,
    )


def _call_of(row: Attempt) -> Call:
    return Call(
        key=row.key,
        model=row.model,
        provider=row.provider,
        provider_key=row.provider_key,
        namespace=row.namespace,
        workflow_id=row.workflow_id,
        workflow_type=row.workflow_type,
        run=row.run,
        step=row.step,
        attempt=row.attempt,
        team=row.team,
        labels=row.labels,
        estimate=Tokens(row.estimate_input, row.estimate_output),
        batch=row.batch,
    )


def _need_of(row: Attempt) -> Need:
    return Need(
        row.reserved,
        None if row.reserved_max < 0 else row.reserved_max,
        row.estimate_input + row.estimate_output,
        None if row.reserved_max_tokens < 0 else row.reserved_max_tokens,
    )


def _json(value: Any) -> str:
    return to_json(dump(value))


def _gone(key: str) -> NotFound:
    return NotFound(f"the reservation {key} has run out or was never made: reserve again.", key=key)
