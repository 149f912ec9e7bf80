"""Budgets: never passed where strict, passed by no more than estimates err where not, and told by periods."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.ledger.errors import BadRequest, BudgetExceeded, BudgetImpossible, CallRefused
from outlive.ledger.rules.admission import Admission, Reservation, Spent
from outlive.ledger.rules.budgets import Need, check_budget, period_end, period_start
from outlive.ledger.rules.queue import Ticket
from outlive.ledger.types import Budget, Call, Period, Tokens
from outlive.limits import HOUR, SECOND

DAY_ONE = int(datetime(2026, 11, 23, 15, 30, tzinfo=UTC).timestamp()) * SECOND


def call(key: str, **more: object) -> Call:
    return Call(key=key, model="m", run=key, estimate=Tokens(100, 0), lease=30.0, **more)  # type: ignore[arg-type]


def need(estimate: int, most: int | None) -> Need:
    return Need(estimate, most, estimate, most)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_strict_budget_is_never_passed_whoever_crashes(data: st.DataObject) -> None:
    hard = data.draw(st.integers(0, 5_000))
    admission = Admission()
    admission.budgets.put(Budget("b", hard=hard, strict=True))
    now, paid, most_of = DAY_ONE, 0, {}
    crashed: set[str] = set()
    for number in range(data.draw(st.integers(1, 60))):
        now += data.draw(st.integers(0, 20 * SECOND))
        action = data.draw(st.sampled_from(["ask", "ask", "settle", "crash", "release"]))
        if action == "ask":
            estimate = data.draw(st.integers(0, 500))
            most = estimate + data.draw(st.integers(0, 1_000))
            key = str(number)
            try:
                admission.ask(
                    call(key, on_budget=data.draw(st.sampled_from(["fail", "wait"]))), need(estimate, most), now
                )
            except CallRefused:
                continue
            most_of[key] = most
        elif alive := sorted(admission.open.keys() - crashed):
            key = data.draw(st.sampled_from(alive))
            if action == "release":
                admission.release(key, now)
                continue
            used = data.draw(st.integers(0, most_of[key]))
            paid += used  # the provider was paid, whether anybody tells the ledger or not
            if action == "settle":
                admission.settle(key, Spent(used, used), now)
            else:
                crashed.add(key)
        for key in admission.open.keys() - crashed:
            admission.renew(key, now)
        admission.advance(now)
        counters = list(admission.budgets.counters.values())
        assert all(counter.used <= hard for counter in counters)
        assert paid <= hard


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 300), st.integers(0, 600)), max_size=60), st.integers(1, 4_000))
def test_a_plain_budget_is_passed_by_the_errors_of_estimates_at_most(calls: list[tuple[int, int]], hard: int) -> None:
    admission = Admission()
    admission.budgets.put(Budget("b", hard=hard))
    under_way: list[tuple[str, int, int]] = []
    errors = 0
    for number, (estimate, used) in enumerate(calls):
        try:
            answer = admission.ask(call(str(number)), need(estimate, None), number)
        except CallRefused:
            continue
        if isinstance(answer, Reservation):
            under_way.append((str(number), estimate, used))
        if len(under_way) == 4:
            for key, guessed, took in under_way:
                admission.settle(key, Spent(took, took), number)
                errors += max(0, took - guessed)
            under_way = []
    spent = sum(counter.spent for counter in admission.budgets.counters.values())
    assert spent <= hard + errors


def test_reservations_of_others_are_waited_for_and_spent_money_is_not() -> None:
    admission = Admission()
    admission.budgets.put(Budget("b", hard=100))
    admission.ask(call("a"), need(80, None), 0)
    waiting = admission.ask(call("b"), need(60, None), 1)
    assert isinstance(waiting, Ticket)
    assert waiting.blocked_on == ("b",)
    waiting.listeners = 1
    admission.settle("a", Spent(30, 30), 2)
    assert "b" in admission.open
    with pytest.raises(BudgetImpossible):
        admission.ask(call("c"), need(101, None), 3)
    with pytest.raises(BudgetExceeded):
        admission.ask(call("d"), need(71, None), 4)
    also = admission.ask(call("e"), need(50, None), 5)
    assert isinstance(also, Ticket)
    admission.settle("b", Spent(60, 60), 6)
    assert "e" not in admission.queue.tickets, "the money is gone: it is refused, and told so when it asks"
    with pytest.raises(BudgetExceeded):
        admission.ask(call("e"), need(50, None), 7)


def test_a_day_ends_and_what_waits_goes_on() -> None:
    admission = Admission()
    admission.budgets.put(Budget("b", hard=100, period="day"))
    admission.ask(call("a"), need(100, None), DAY_ONE)
    admission.settle("a", Spent(100, 100), DAY_ONE)
    waiting = admission.ask(call("b", on_budget="wait"), need(50, None), DAY_ONE)
    assert isinstance(waiting, Ticket)
    waiting.listeners = 1
    midnight = period_end("day", DAY_ONE)
    assert midnight is not None
    admission.advance(midnight - 1)
    assert "b" not in admission.open
    admission.advance(midnight)
    assert "b" in admission.open


@given(st.integers(0, 4_000_000_000), st.sampled_from(["hour", "day", "week", "month"]))
def test_periods_follow_each_other(second: int, period: Period) -> None:
    now = second * SECOND
    start, end = period_start(period, now), period_end(period, now)
    assert end is not None
    assert start <= now < end
    assert period_start(period, end) == end
    assert period_start(period, end - 1) == start
    assert end - start >= HOUR


@pytest.mark.parametrize(
    "budget",
    [Budget(""), Budget("b"), Budget("b", hard=-1), Budget("b", soft=-1), Budget("b", soft=1, strict=True)],
)
def test_a_budget_that_means_nothing_is_refused(budget: Budget) -> None:
    with pytest.raises(BadRequest):
        check_budget(budget)
