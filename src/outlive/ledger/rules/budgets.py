"""Budgets: what has been spent and what is reserved, for each budget, combination of labels and period.

Rules
- A call is checked before it is made, and its reservation counts like money spent until it is settled.
- A plain budget reserves the estimate; a strict one reserves the most that the call can cost, and therefore is never
  passed. A strict budget refuses a call that does not say how many tokens it may use at most.
- Where only reservations of others stand in the way, the call waits for them; where the money is spent, it is refused
  (or waits for somebody to raise the budget, if it asked for that).
- A holder that crashes gives a plain budget its reservation back. Under a strict one it stays spent, as
  *unconfirmed*: the provider may have been paid. A settlement that comes late puts it right.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from outlive.ledger.errors import BadRequest, BudgetExceeded, BudgetImpossible
from outlive.ledger.rules.quotas import filled, matched
from outlive.ledger.types import NANO, Budget, Labels, Period
from outlive.limits import HOUR, SECOND

CounterKey = tuple[str, tuple[str, ...], int]  # budget, values of its EACH labels, start of the period


@dataclass(frozen=True, slots=True)
class Need:
    """What a call counts against budgets."""

    money: int  # nano-dollars, by estimate
    money_max: int | None
    tokens: int
    tokens_max: int | None

    def of(self, budget: Budget) -> int | None:
        """In the budget's unit; None if a strict budget cannot tell."""
        if budget.unit == "usd":
            return self.money_max if budget.strict else self.money
        return self.tokens_max if budget.strict else self.tokens


@dataclass(slots=True, eq=False)
class Counter:
    """One budget, for one combination of labels, in one period."""

    budget: Budget
    values: tuple[str, ...]
    period_start: int  # nanoseconds; 0 for a total
    spent: int = 0
    reserved: int = 0
    unconfirmed: int = 0
    warned_at: int = 0

    @property
    def key(self) -> CounterKey:
        return self.budget.name, self.values, self.period_start

    @property
    def scope(self) -> dict[str, str]:
        return filled(self.budget.scope, self.values)

    @property
    def used(self) -> int:
        return self.spent + self.reserved

    def passes_soft(self) -> bool:
        return self.budget.soft is not None and self.used > self.budget.soft


def check_budget(budget: Budget) -> None:
    """Raises BadRequest with a sentence for people."""
    if not budget.name:
        raise BadRequest("a budget needs a name.")
    if budget.hard is None and budget.soft is None:
        raise BadRequest(f"budget {budget.name} limits nothing: give a hard or a soft limit.")
    for limit in (budget.hard, budget.soft):
        if limit is not None and limit < 0:
            raise BadRequest(f"budget {budget.name}: a limit must not be negative.")
    if budget.strict and budget.hard is None:
        raise BadRequest(f"budget {budget.name} is strict, which needs a hard limit.")


def period_start(period: Period, now: int) -> int:
    """When the period that holds `now` began, UTC; weeks begin on Monday."""
    return 0 if period == "total" else _start_of(period, now // HOUR)


@lru_cache(maxsize=64)
def _start_of(period: Period, hours: int) -> int:
    """Every period begins with an hour, so the hours since 1970 tell it."""
    moment = datetime.fromtimestamp(hours * 3600, UTC)
    if period != "hour":
        moment = moment.replace(hour=0)
    if period == "week":
        moment -= timedelta(days=moment.weekday())
    if period == "month":
        moment = moment.replace(day=1)
    return int(moment.timestamp()) * SECOND


def period_end(period: Period, now: int) -> int | None:
    """When the next period begins; None for a total."""
    if period == "total":
        return None
    start = datetime.fromtimestamp(period_start(period, now) // SECOND, UTC)
    if period == "month":
        return int((start + timedelta(days=32)).replace(day=1).timestamp()) * SECOND
    days = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
    return int((start + days[period]).timestamp()) * SECOND


class Budgets:
    """All budgets and their counters."""

    def __init__(self) -> None:
        self._budgets: dict[str, Budget] = {}
        self.counters: dict[CounterKey, Counter] = {}
        self._changed: dict[CounterKey, Counter] = {}

    def all(self) -> list[Budget]:
        return [budget for _, budget in sorted(self._budgets.items())]

    def get(self, name: str) -> Budget | None:
        return self._budgets.get(name)

    def put(self, budget: Budget) -> None:
        """Set a budget; counters with the same scope, unit and period go on from where they are."""
        check_budget(budget)
        there = self._budgets.get(budget.name)
        self._budgets[budget.name] = budget
        if there is None:
            return
        if (dict(there.scope), there.unit, there.period) != (dict(budget.scope), budget.unit, budget.period):
            self._forget(budget.name)
            return
        for counter in self.counters.values():
            if counter.budget.name == budget.name:
                counter.budget = budget

    def touch(self, counter: Counter, now: int) -> None:
        """What has been spent is another sum now."""
        self._changed[counter.key] = counter
        self.warn(counter, now)

    def warn(self, counter: Counter, now: int) -> None:
        """Remember when the soft limit was passed."""
        if not counter.warned_at and counter.passes_soft():
            counter.warned_at = now
            self._changed[counter.key] = counter

    def take_changed(self) -> list[Counter]:
        """The counters that are others than when this was last called."""
        changed, self._changed = list(self._changed.values()), {}
        return changed

    def forget_past(self, now: int) -> None:
        """Let go of the counters of periods that are over."""
        for key, counter in list(self.counters.items()):
            over = counter.period_start < period_start(counter.budget.period, now)
            if over and not counter.reserved and key not in self._changed:
                del self.counters[key]

    def delete(self, name: str) -> bool:
        self._forget(name)
        return self._budgets.pop(name, None) is not None

    def _forget(self, name: str) -> None:
        for key in [key for key in self.counters if key[0] == name]:
            del self.counters[key]
            self._changed.pop(key, None)

    def matching(self, labels: Labels) -> list[tuple[Budget, tuple[str, ...]]]:
        """The budgets that a call with these labels counts against."""
        found = []
        for budget in self._budgets.values():
            values = matched(budget.scope, labels)
            if values is not None:
                found.append((budget, values))
        return found

    def counter(self, budget: Budget, values: tuple[str, ...], now: int) -> Counter:
        """The counter of now."""
        key = (budget.name, values, period_start(budget.period, now))
        counter = self.counters.get(key)
        if counter is None:
            counter = self.counters[key] = Counter(budget, values, key[2])
        return counter


def admits(counter: Counter, need: Need, *, wait: bool) -> bool:
    """Whether there is room now; False: later. Raises what refuses the call for good."""
    budget = counter.budget
    amount = need.of(budget)
    if budget.hard is None:
        return True
    if amount is None:
        raise BudgetImpossible(
            f"budget {budget.name} is strict, and the call does not say how many tokens it may use at most: "
            "set its maximum output tokens.",
            name=budget.name,
        )
    if counter.used + amount <= budget.hard:
        return True
    if amount > budget.hard:
        raise BudgetImpossible(
            f"the call may cost {said(amount, budget)}, which is more than all of budget {budget.name} "
            f"({said(budget.hard, budget)}): make it smaller, or `outlive budget raise {budget.name}`.",
            **_details(counter, amount),
        )
    if counter.spent + amount <= budget.hard:
        return False  # reservations stand in the way, and they come back or are spent
    if wait:
        return False
    raise BudgetExceeded(
        f"budget {budget.name} has {said(max(0, budget.hard - counter.spent), budget)} of {said(budget.hard, budget)} "
        f"left, and the call may cost {said(amount, budget)}: `outlive budget raise {budget.name}` lets it through.",
        **_details(counter, amount),
    )


def _details(counter: Counter, amount: int) -> dict[str, object]:
    budget = counter.budget
    return {
        "name": budget.name,
        "scope": counter.scope,
        "unit": budget.unit,
        "limit": budget.hard,
        "spent": counter.spent,
        "reserved": counter.reserved,
        "need": amount,
    }


def said(amount: int, budget: Budget) -> str:
    """An amount in words."""
    return f"${amount / NANO:,.4f}" if budget.unit == "usd" else f"{amount:,} tokens"
