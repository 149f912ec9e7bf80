"""A provider's day in simulated time: callers that ask, wait away, call and settle. No clock, no input or output."""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from outlive.ledger.rules.admission import Admission, Spent
from outlive.ledger.rules.budgets import Need
from outlive.ledger.rules.queue import Ticket
from outlive.ledger.types import Call, Tokens
from outlive.limits import SECOND


@dataclass
class Simulation:
    """`workers` callers in a closed loop; each call estimates 1,000 tokens and uses fewer or more."""

    admission: Admission
    workers: int
    until: int  # nanoseconds
    seed: int = 1
    estimate: Tokens = Tokens(400, 600)  # noqa: RUF009 - frozen
    uses: Callable[[random.Random], int] = lambda r: r.randrange(300, 900)
    waits: list[int] = field(default_factory=list)
    sent: list[tuple[int, int]] = field(default_factory=list)  # when, and what it came to

    def run(self) -> None:
        chance = random.Random(self.seed)
        events: list[tuple[int, int, int, int, int]] = []  # when, tie, worker, number, tokens (-1: asks)
        asked: dict[tuple[int, int], int] = {}
        ties = iter(range(10**9))
        for worker in range(self.workers):
            heapq.heappush(events, (chance.randrange(SECOND // 10), next(ties), worker, 0, -1))
        while events:
            now, _, worker, number, tokens = heapq.heappop(events)
            if now > self.until:
                return
            key = f"{worker}/{number}"
            if tokens >= 0:
                self.admission.settle(key, Spent(0, tokens), now)
                heapq.heappush(events, (now + SECOND // 100, next(ties), worker, number + 1, -1))
            else:
                asked.setdefault((worker, number), now)
                call = Call(key=key, model="m", run=f"run-{worker}", estimate=self.estimate)
                answer = self.admission.ask(call, Need(0, 0, self.estimate.total, None), now)
                if isinstance(answer, Ticket):
                    back = now + self.admission.send_away(answer, now)
                    heapq.heappush(events, (back, next(ties), worker, number, -1))
                else:
                    self.waits.append(now - asked[worker, number])
                    used = self.uses(chance)
                    self.sent.append((now, used))
                    end = now + chance.randrange(1, 4) * SECOND
                    heapq.heappush(events, (end, next(ties), worker, number, used))
            self.admission.advance(now)
            self.admission.take_changes()


def most_in_any(span: int, sent: list[tuple[int, int]]) -> tuple[int, int]:
    """The most tokens, and the most requests, that any span of that many nanoseconds holds."""
    tokens = most = requests = 0
    first = 0
    for place, (at, amount) in enumerate(sent):
        tokens += amount
        while sent[first][0] <= at - span:
            tokens -= sent[first][1]
            first += 1
        most = max(most, tokens)
        requests = max(requests, place - first + 1)
    return most, requests
