"""Letting calls through: quotas, budgets, reservations, leases and the queue, as one state machine.

A call is asked for (`ask`), and

    (new) --ask--> WAITING --room in everything, and its turn--> GRANTED --start--> SENT --settle--> (ended)
                      |                                        |   |               |
                      +--refused: quota or budget--> (error)   |   +--release------+--> (ended, given back)
                                                               +--lease runs out--> LOST

Rules
- Nothing here waits or reads a clock. The shell hands in `now`, keeps what `take_changes` tells, and calls `advance`
  when `next_moment` has come.
- Time never runs backwards here, whatever the machine's clock does.
- A grant whose caller is away is *unclaimed*: nothing has been sent, so it goes back if nobody comes for it.
- A lease that runs out frees concurrency at once and plain budgets at once. What counted in a window stays until it
  leaves by itself: the provider may have counted it.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Literal

from outlive.ledger.errors import BadRequest, CallRefused
from outlive.ledger.rules.budgets import Budgets, Counter, Need, admits, period_end
from outlive.ledger.rules.meters import Meter, Use, Window
from outlive.ledger.rules.queue import Queue, Ticket
from outlive.ledger.rules.quotas import Quotas, check_possible
from outlive.ledger.types import Call, ProviderLimits, scope_of
from outlive.limits import (
    CLAIM_GRACE,
    LEASE_AFTER_RESTART,
    LEASE_MAX,
    LEASE_MIN,
    MINUTE,
    MS,
    RETRY_AFTER_MAX,
    SECOND,
    TURN_HELD,
    TURN_HELD_SHARE,
)


@dataclass(slots=True, eq=False)
class Reservation:
    """A call that has been let through."""

    call: Call
    labels: dict[str, str]
    need: Need
    since: int
    granted: int
    lease_until: int
    claimed: bool = True
    started: int | None = None  # None: not sent yet
    uses: list[tuple[Meter, Use]] = field(default_factory=list)
    counters: list[tuple[Counter, int]] = field(default_factory=list)


@dataclass(slots=True)
class Spent:
    """What an ended call has used."""

    money: int = 0
    tokens: int = 0


Change = tuple[Literal["waiting", "granted", "claimed", "released", "lost", "returned", "refused"], str]


class Admission:
    """The state of all that is asked for, waits, or is under way."""

    def __init__(self) -> None:
        self.quotas = Quotas()
        self.budgets = Budgets()
        self.queue = Queue()
        self.open: dict[str, Reservation] = {}
        self._leases: list[tuple[int, str]] = []  # a heap; entries may be out of date
        self._now = 0
        self._number = 0
        self._changes: list[Change] = []

    # -- asking

    def ask(self, call: Call, need: Need, now: int) -> Reservation | Ticket:
        """Let the call through, or give it a place in the queue. Raises CallRefused for what can never be.

        Asking again with the same key is how a caller that was away comes for its turn.
        """
        now = self._at(now)
        reservation = self.open.get(call.key)
        if reservation is not None:
            return self._claim(reservation, now)
        there = self.queue.tickets.get(call.key)
        if there is not None:
            there.missed = False
            there.back_at = now
            found = self._pump_for(there, now)
            if found is not None:
                return found
        check_call(call)
        self._number += 1
        ticket = Ticket(call, scope_of(call), need, now, self._number, back_at=now)
        self._find_limits(ticket)
        self._check(ticket, now)
        crowded = any(meter.waiting for meter, _ in ticket.wanted)
        if not crowded and self._try(ticket, now, set()):
            return self._grant(ticket, now, present=True)
        self.queue.join(ticket, now)
        self._changes.append(("waiting", call.key))
        blocked = self.quotas.blocked_until(ticket.labels) > now
        if crowded and not blocked and all(meter.fits(amount, now) for meter, amount in ticket.wanted):
            return self._pump_for(ticket, now) or ticket
        return ticket

    def _pump_for(self, ticket: Ticket, now: int) -> Reservation | Ticket | None:
        """Where the ticket of one who asks at this moment has got to; None if it was refused."""
        ticket.listeners += 1
        self._pump(now)
        ticket.listeners -= 1
        key = ticket.call.key
        return self.open.get(key) or self.queue.tickets.get(key)

    def _find_limits(self, ticket: Ticket) -> None:
        ticket.wanted = self.quotas.meters(ticket.labels, ticket.call.estimate.total)
        spans = [meter.span for meter, _ in ticket.wanted if isinstance(meter, Window)]
        ticket.patience = min(TURN_HELD, min(spans, default=MINUTE) // TURN_HELD_SHARE)
        ticket.budgets = self.budgets.matching(ticket.labels)

    def _check(self, ticket: Ticket, now: int) -> None:
        """Raise what refuses the call for good."""
        check_possible(ticket.wanted)
        for budget, values in ticket.budgets:
            admits(self.budgets.counter(budget, values, now), ticket.need, wait=ticket.call.on_budget == "wait")

    def _try(self, ticket: Ticket, now: int, marked: set[Meter]) -> bool:
        """Whether there is room in everything. Marks the meters where there is none."""
        lacking = [meter for meter, amount in ticket.wanted if not meter.fits(amount, now)]
        marked.update(lacking)
        names = [meter.name for meter in lacking]
        if self.quotas.blocked_until(ticket.labels) > now:
            names.append(PROVIDER)
        for budget, values in ticket.budgets:
            counter = self.budgets.counter(budget, values, now)
            if not admits(counter, ticket.need, wait=ticket.call.on_budget == "wait"):
                names.append(budget.name)
        ticket.blocked_on = tuple(dict.fromkeys(names))
        return not names

    def _grant(self, ticket: Ticket, now: int, *, present: bool) -> Reservation:
        lease = min(max(round(ticket.call.lease * SECOND), LEASE_MIN), LEASE_MAX)
        until = now + lease if present else max(now, ticket.back_at) + min(CLAIM_GRACE, ticket.patience * 12)
        reservation = Reservation(ticket.call, ticket.labels, ticket.need, ticket.since, now, until, claimed=present)
        for meter, amount in ticket.wanted:
            reservation.uses.append((meter, meter.take(amount)))
        for budget, values in ticket.budgets:
            counter = self.budgets.counter(budget, values, now)
            amount = ticket.need.of(budget) or 0
            counter.reserved += amount
            reservation.counters.append((counter, amount))
            self.budgets.warn(counter, now)
        self.open[ticket.call.key] = reservation
        heapq.heappush(self._leases, (until, ticket.call.key))
        if present and not ticket.call.hold:
            self._start(reservation, now)
        self._changes.append(("granted", ticket.call.key))
        return reservation

    def _claim(self, reservation: Reservation, now: int) -> Reservation:
        if not reservation.claimed:
            reservation.claimed = True
            self.renew(reservation.call.key, now)
            if not reservation.call.hold:
                self._start(reservation, now)
            self._changes.append(("claimed", reservation.call.key))
        return reservation

    # -- what holders say

    def start(self, key: str, now: int) -> Reservation | None:
        """The call is sent now. None if there is no such reservation."""
        now = self._at(now)
        reservation = self.open.get(key)
        if reservation is not None:
            reservation.claimed = True
            self._start(reservation, now)
            self.renew(key, now)
        return reservation

    def _start(self, reservation: Reservation, now: int) -> None:
        if reservation.started is None:
            reservation.started = now
            for meter, use in reservation.uses:
                meter.start(use, now)

    def renew(self, key: str, now: int, lease: float | None = None) -> Reservation | None:
        """The holder is alive."""
        now = self._at(now)
        reservation = self.open.get(key)
        if reservation is not None:
            wanted = round((lease if lease is not None else reservation.call.lease) * SECOND)
            reservation.lease_until = max(now, now + min(max(wanted, LEASE_MIN), LEASE_MAX))
            heapq.heappush(self._leases, (reservation.lease_until, key))
        return reservation

    def settle(self, key: str, spent: Spent, now: int) -> Reservation | None:
        """The call has ended and used this much. None if there is no such reservation."""
        now = self._at(now)
        reservation = self.open.pop(key, None)
        if reservation is None:
            return None
        self._start(reservation, now)  # a holder that never said so has sent it all the same
        for meter, use in reservation.uses:
            used = spent.tokens if meter.what == "tokens" else use.amount
            meter.learn(now - reservation.granted, use.amount, used)
            meter.finish(use, used)
        for counter, amount in reservation.counters:
            counter.reserved -= amount
            counter.spent += spent.money if counter.budget.unit == "usd" else spent.tokens
            self.budgets.touch(counter, now)
        self._pump(now)
        return reservation

    def charge(self, labels: dict[str, str], spent: Spent, now: int, *, windows: bool) -> None:
        """Count a call that was made without a reservation, or whose reservation has run out.

        `windows`: in the quotas' windows too, where a reservation that ran out is counted already.
        """
        now = self._at(now)
        for budget, values in self.budgets.matching(labels):
            counter = self.budgets.counter(budget, values, now)
            counter.spent += spent.money if budget.unit == "usd" else spent.tokens
            self.budgets.touch(counter, now)
        for meter, _ in self.quotas.meters(labels, 0) if windows else ():
            if isinstance(meter, Window):
                meter.restore(1 if meter.what == "requests" else spent.tokens, now)

    def confirm(self, labels: dict[str, str], need: Need, granted: int, now: int) -> None:
        """A holder that was taken for crashed has settled after all: take back what strict budgets kept for it."""
        for budget, values in self.budgets.matching(labels):
            if not budget.strict:
                continue
            counter = self.budgets.counter(budget, values, granted)
            amount = min(need.of(budget) or 0, counter.unconfirmed)
            counter.unconfirmed -= amount
            counter.spent -= amount
            self.budgets.touch(counter, self._at(now))

    def release(self, key: str, now: int) -> bool:
        """The call was not sent, or is no longer wanted: everything goes back, a place in the queue too."""
        now = self._at(now)
        ticket = self.queue.tickets.get(key)
        if ticket is not None:
            self.queue.leave(ticket, now, served=False)
            self._changes.append(("refused", key))
            self._pump(now)
            return True
        reservation = self.open.pop(key, None)
        if reservation is None:
            return False
        self._give_back(reservation)
        self._changes.append(("released", key))
        self._pump(now)
        return True

    def said(self, labels: dict[str, str], limits: ProviderLimits, now: int) -> None:
        """What the provider's answer to a call tells of its limits."""
        self.quotas.said(labels, limits, self._at(now))

    def _give_back(self, reservation: Reservation) -> None:
        for meter, use in reservation.uses:
            meter.drop(use)
        for counter, amount in reservation.counters:
            counter.reserved -= amount

    # -- time

    def advance(self, now: int) -> None:
        """Let leases run out, and whoever has room now through."""
        now = self._at(now)
        while self._leases and self._leases[0][0] <= now:
            _, key = heapq.heappop(self._leases)
            reservation = self.open.get(key)
            if reservation is not None and reservation.lease_until <= now:
                self._run_out(reservation, now)
        for ticket in [t for t in self.queue.tickets.values() if t.forgotten(now)]:
            self.queue.leave(ticket, now, served=False)
            self._changes.append(("refused", ticket.call.key))
        self._pump(now)

    def _run_out(self, reservation: Reservation, now: int) -> None:
        key = reservation.call.key
        del self.open[key]
        if reservation.started is None:
            self._give_back(reservation)
            if reservation.claimed:
                self._changes.append(("released", key))
                return
            ticket = Ticket(reservation.call, reservation.labels, reservation.need, reservation.since, 0)
            ticket.missed, ticket.back_at = True, now
            self._find_limits(ticket)
            self.queue.join(ticket, reservation.since)
            self._changes.append(("returned", key))
            return
        for meter, use in reservation.uses:
            if not isinstance(meter, Window):
                meter.drop(use)
        for counter, amount in reservation.counters:
            counter.reserved -= amount
            if counter.budget.strict:
                counter.spent += amount
                counter.unconfirmed += amount
            self.budgets.touch(counter, now)
        self._changes.append(("lost", key))

    def tidy(self, now: int) -> None:
        """Let go of what counts nothing any more: meters of runs that have ended, periods that are over."""
        held = {meter for reservation in self.open.values() for meter, _ in reservation.uses}
        self.quotas.forget_idle(self._at(now), held)
        self.budgets.forget_past(self._now)

    def next_moment(self) -> int | None:
        """When `advance` should be called at the latest; None while nothing waits and nothing is open."""
        now = self._now
        leases = self._leases
        while leases and not self._holds(*leases[0]):
            heapq.heappop(leases)
        moments = [leases[0][0]] if leases else []
        marked: set[Meter] = set()
        for ticket in self.queue.in_order(now, marked):
            moments.append(self._turn(ticket, now, first=True))
            marked.update(meter for meter, _ in ticket.wanted)
        if self.queue.tickets:
            moments.append(now + RETRY_AFTER_MAX)
        return max(min(moments), now) if moments else None

    def _holds(self, until: int, key: str) -> bool:
        """Whether an entry of the heap of leases is still true."""
        reservation = self.open.get(key)
        return reservation is not None and reservation.lease_until == until

    # -- the queue

    def _pump(self, now: int) -> None:
        """Let through whoever has room now, in order."""
        if not self.queue.tickets:
            return
        marked: set[Meter] = set()
        again = True
        while again:
            again = False
            for ticket in self.queue.in_order(now, marked):
                try:
                    if not self._try(ticket, now, marked):
                        continue
                except CallRefused:
                    self.queue.leave(ticket, now, served=False)
                    self._changes.append(("refused", ticket.call.key))
                    again = True
                    break
                self.queue.leave(ticket, now, served=True)
                self._grant(ticket, now, present=ticket.listeners > 0)
                again = True
                break

    def send_away(self, ticket: Ticket, now: int) -> int:
        """Nanoseconds until the ticket's turn, as far as can be told. Its caller is expected back then."""
        now = self._at(now)
        wait = min(max(self._turn(ticket, now, first=False) - now, 10 * MS), RETRY_AFTER_MAX)
        ticket.back_at = now + wait
        return wait

    def _turn(self, ticket: Ticket, now: int, *, first: bool) -> int:
        at = max(now, self.quotas.blocked_until(ticket.labels))
        for (meter, amount), mark in zip(ticket.wanted, ticket.marks, strict=False):
            ahead = 0 if first else round(max(0, mark - meter.served) * meter.mean_share)
            free = meter.free_at(amount, ahead, now)
            if free is None:
                lacking = max(0, amount + ahead - meter.room(now))
                free = now + round((meter.mean_open or SECOND) * lacking / max(meter.limit, 1))
            at = max(at, free)
        for budget, values in ticket.budgets:
            counter = self.budgets.counter(budget, values, now)
            if (
                budget.hard is not None
                and counter.spent + counter.reserved + (ticket.need.of(budget) or 0) > budget.hard
            ):
                at = max(at, min(period_end(budget.period, now) or now + RETRY_AFTER_MAX, now + RETRY_AFTER_MAX))
        return at

    # -- changes

    def take_changes(self) -> list[Change]:
        """What has happened to others than the one who asked, since this was last called."""
        changes, self._changes = self._changes, []
        return changes

    def limits_changed(self, now: int) -> None:
        """Quotas or budgets are others now: everything that waits or is open is measured by them."""
        now = self._at(now)
        waiting = sorted(self.queue.tickets.values(), key=lambda t: (t.since, t.number))
        for ticket in waiting:
            self.queue.leave(ticket, now, served=False)
        for reservation in self.open.values():
            self._measure_again(reservation, now)
        for ticket in waiting:
            self._find_limits(ticket)
            self.queue.join(ticket, ticket.since)
        self._pump(now)

    def _measure_again(self, reservation: Reservation, now: int) -> None:
        held = {meter for meter, _ in reservation.uses}
        for meter, amount in self.quotas.meters(reservation.labels, reservation.call.estimate.total):
            if meter not in held:
                use = meter.take(amount)
                reservation.uses.append((meter, use))
                if reservation.started is not None:
                    meter.start(use, now)
        counted = {id(counter) for counter, _ in reservation.counters}
        for budget, values in self.budgets.matching(reservation.labels):
            counter = self.budgets.counter(budget, values, reservation.granted)
            if id(counter) not in counted:
                amount = reservation.need.of(budget) or 0
                counter.reserved += amount
                reservation.counters.append((counter, amount))

    # -- after a restart

    def restore_open(self, reservation: Reservation, now: int) -> None:
        """Take up a reservation that was open when the ledger stopped; its holder gets a moment to be heard of."""
        now = self._at(now)
        reservation.lease_until = max(reservation.lease_until, now + LEASE_AFTER_RESTART)
        for meter, amount in self.quotas.meters(reservation.labels, reservation.call.estimate.total):
            use = meter.take(amount)
            if reservation.started is not None:
                meter.start(use, reservation.started)
            reservation.uses.append((meter, use))
        for budget, values in self.budgets.matching(reservation.labels):
            counter = self.budgets.counter(budget, values, reservation.granted)
            amount = reservation.need.of(budget) or 0
            counter.reserved += amount
            reservation.counters.append((counter, amount))
        self.open[reservation.call.key] = reservation
        heapq.heappush(self._leases, (reservation.lease_until, reservation.call.key))

    def restore_use(self, labels: dict[str, str], tokens: int, at: int) -> None:
        """Count an ended call in the windows that still hold it."""
        for meter, _ in self.quotas.meters(labels, 0):
            if isinstance(meter, Window):
                meter.restore(1 if meter.what == "requests" else tokens, at)

    def restore_ticket(self, call: Call, need: Need, since: int, now: int) -> None:
        """Give a call that waited its place back."""
        self._number += 1
        ticket = Ticket(call, scope_of(call), need, since, self._number, back_at=self._at(now))
        self._find_limits(ticket)
        self.queue.join(ticket, since)

    def _at(self, now: int) -> int:
        self._now = max(self._now, now)
        return self._now


PROVIDER = "provider's rate limit"


def check_call(call: Call) -> None:
    """Raises BadRequest with a sentence for people."""
    if not call.key or len(call.key) > 1000:
        raise BadRequest("a call needs a key of 1 to 1000 characters.")
    if not call.model:
        raise BadRequest("a call needs the name of its model.")
    if not 1 <= call.priority <= 5:
        raise BadRequest(f"priority is {call.priority}, and must be from 1 (first) to 5 (last).")
    for tokens in (call.estimate, call.maximum):
        if tokens is not None and min(tokens.input, tokens.output) < 0:
            raise BadRequest("token counts must not be negative.")
