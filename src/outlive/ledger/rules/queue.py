"""Who is next: fair among runs, by priority, and nobody for ever.

- Calls that go through the same meters stand in one *lane*. In a lane each run has one *flow* per priority, a line of
  tickets, and the flows take turns: after a flow's first ticket is let through, the flow goes to the back. So a run
  with a thousand calls waits no less than one with a single call, and neither can hold up the other.
- A flow's place is the moment it joined, plus PRIORITY_STEP for each step of its priority: a call goes before all of a
  lower priority except those that have waited that much longer. Places never move backwards, so nobody starves.
- Across lanes the places compare too. Whoever finds no room in a meter *marks* it: nobody behind may use that meter
  until there is room for the one in front, so small calls do not starve a large one.
- A caller may stay away (a workflow that sleeps). Its turn waits for it up to TURN_HELD (less where windows are
  short); if it is due later than that the turn goes on to the next, and the place is kept until TICKET_KEPT after it
  should have come.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heapify, heappop, heapreplace

from outlive.ledger.rules.budgets import Need
from outlive.ledger.rules.meters import Meter
from outlive.ledger.types import Budget, Call
from outlive.limits import PRIORITY_STEP, TICKET_KEPT, TURN_HELD


@dataclass(slots=True, eq=False)
class Ticket:
    """A call that wants to be let through."""

    call: Call
    labels: dict[str, str]
    need: Need
    since: int
    number: int
    wanted: list[tuple[Meter, int]] = field(default_factory=list)
    budgets: list[tuple[Budget, tuple[str, ...]]] = field(default_factory=list)
    marks: list[int] = field(default_factory=list)  # of each meter: what had been asked for before it
    back_at: int = 0  # when its caller was told to ask again
    listeners: int = 0  # requests for it that wait at this moment: a grant is sent to them at once
    watchers: int = 0  # requests that wait to tell its caller
    patience: int = TURN_HELD  # how long its turn waits for its caller
    missed: bool = False  # its turn came and nobody took it
    flow: Flow | None = None
    blocked_on: tuple[str, ...] = ()

    def away(self, now: int) -> bool:
        """Its caller is not expected soon."""
        return not (self.listeners or self.watchers) and (self.missed or self.back_at > now + self.patience)

    def forgotten(self, now: int) -> bool:
        """Its caller should have come long ago."""
        return not (self.listeners or self.watchers) and now > self.back_at + TICKET_KEPT


@dataclass(slots=True, eq=False)
class Flow:
    """The tickets of one run and priority in one lane."""

    run: str
    priority: int
    lane: Lane
    joined: int
    number: int
    tickets: deque[Ticket] = field(default_factory=deque)

    def __lt__(self, other: Flow) -> bool:
        return (self.joined, self.number) < (other.joined, other.number)


@dataclass(slots=True, eq=False)
class Lane:
    """Everything that waits for one combination of meters."""

    meters: tuple[Meter, ...]
    flows: list[Flow] = field(default_factory=list)  # in order
    by_run: dict[tuple[str, int], Flow] = field(default_factory=dict)


class Queue:
    """All that waits."""

    def __init__(self) -> None:
        self.tickets: dict[str, Ticket] = {}
        self._lanes: dict[tuple[int, ...], Lane] = {}
        self._number = 0

    def join(self, ticket: Ticket, now: int) -> None:
        """Stand in line. A ticket that comes back from a restart brings its `since` as `now`."""
        meters = tuple(meter for meter, _ in ticket.wanted)
        lane_key = tuple(id(meter) for meter in meters)
        lane = self._lanes.get(lane_key)
        if lane is None:
            lane = self._lanes[lane_key] = Lane(meters)
        flow_key = (ticket.call.run or ticket.call.key, ticket.call.priority)
        flow = lane.by_run.get(flow_key)
        if flow is None:
            joined = now + ticket.call.priority * PRIORITY_STEP
            flow = lane.by_run[flow_key] = Flow(*flow_key, lane, joined, self._next())
            insort(lane.flows, flow)
        flow.tickets.append(ticket)
        ticket.flow = flow
        ticket.marks = []
        for meter, amount in ticket.wanted:
            ticket.marks.append(meter.asked)
            meter.asked += amount
            meter.waiting += 1
        self.tickets[ticket.call.key] = ticket

    def leave(self, ticket: Ticket, now: int, *, served: bool) -> None:
        """Out of the line; if it was served its run goes to the back."""
        flow = ticket.flow
        assert flow is not None
        del self.tickets[ticket.call.key]
        for meter, amount in ticket.wanted:
            meter.served += amount
            meter.waiting -= 1
        lane = flow.lane
        flow.tickets.remove(ticket)
        ticket.flow = None
        if flow.tickets and not served:
            return
        lane.flows.remove(flow)
        if flow.tickets:
            flow.joined = now + flow.priority * PRIORITY_STEP
            flow.number = self._next()
            insort(lane.flows, flow)
            return
        del lane.by_run[flow.run, flow.priority]
        if not lane.flows:
            del self._lanes[tuple(id(meter) for meter in lane.meters)]

    def in_order(self, now: int, marked: set[Meter]) -> Iterator[Ticket]:
        """The next ticket of each flow, in order of place. Lanes with a meter in `marked` are passed over.

        The queue must not change while this is read: take what is to be done, then read again.
        """
        lanes = [(lane.flows[0], 0) for lane in self._lanes.values()]
        heapify(lanes)
        while lanes:
            flow, place = lanes[0]
            lane = flow.lane
            if not marked.isdisjoint(lane.meters):
                heappop(lanes)  # the whole lane is behind somebody who has no room
                continue
            for ticket in flow.tickets:
                if not ticket.away(now):
                    yield ticket
                    break
            if place + 1 < len(lane.flows):
                heapreplace(lanes, (lane.flows[place + 1], place + 1))
            else:
                heappop(lanes)

    def ahead(self, ticket: Ticket) -> int:
        """How many tickets wait before it, about."""
        flow = ticket.flow
        if flow is None:
            return 0
        before = flow.lane.flows.index(flow)
        return before + flow.tickets.index(ticket)

    def _next(self) -> int:
        self._number += 1
        return self._number
