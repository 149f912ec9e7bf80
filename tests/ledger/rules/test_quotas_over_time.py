"""What quotas let through over ten minutes, and whom they let wait."""

from __future__ import annotations

from statistics import median

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.ledger.rules.admission import Admission, Reservation, Spent
from outlive.ledger.rules.budgets import Need
from outlive.ledger.rules.queue import Ticket
from outlive.ledger.types import Call, ProviderLimits, Quota, Tokens
from outlive.limits import MINUTE, SECOND
from tests.ledger.rules.simulated import Simulation, most_in_any

NEED = Need(0, 0, 0, None)


def call(key: str, run: str = "", tokens: int = 1000, **more: object) -> Call:
    return Call(key=key, model="m", run=run or key, estimate=Tokens(tokens, 0), **more)  # type: ignore[arg-type]


def with_quota(**limits: object) -> Admission:
    admission = Admission()
    admission.quotas.put(Quota("q", {"model": "m"}, **limits))  # type: ignore[arg-type]
    return admission


def test_ten_minutes_use_the_quota_pass_no_window_and_starve_nobody() -> None:
    simulation = Simulation(with_quota(requests=100, tokens=60_000), workers=50, until=10 * MINUTE)
    simulation.run()
    used = sum(amount for _, amount in simulation.sent)
    assert used >= 0.95 * 10 * 60_000
    tokens, requests = most_in_any(MINUTE, simulation.sent)
    assert tokens <= 60_000
    assert requests <= 100
    assert max(simulation.waits) < 3 * median(simulation.waits)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    workers=st.integers(1, 60),
    tokens=st.integers(1_000, 100_000),
    requests=st.integers(1, 200),
    concurrency=st.one_of(st.none(), st.integers(1, 20)),
)
def test_no_minute_holds_more_than_its_quota(
    seed: int, workers: int, tokens: int, requests: int, concurrency: int | None
) -> None:
    admission = with_quota(requests=requests, tokens=tokens, concurrency=concurrency)
    simulation = Simulation(admission, workers, until=3 * MINUTE, seed=seed)
    simulation.run()
    assert simulation.sent
    most_tokens, most_requests = most_in_any(MINUTE, simulation.sent)
    assert most_tokens <= tokens
    assert most_requests <= requests


def test_a_run_with_a_thousand_calls_does_not_hold_up_a_run_with_one() -> None:
    admission = with_quota(requests=10, per=1.0)
    for number in range(1000):
        admission.ask(call(f"big/{number}", "big"), NEED, 0)
    admission.ask(call("small/0", "small"), NEED, SECOND // 2)
    for key in admission.queue.tickets.values():
        key.listeners = 1
    admission.advance(SECOND * 2)
    assert "small/0" in admission.open, "its turn comes with the next window"


def test_a_higher_priority_goes_first_but_not_for_ever() -> None:
    admission = with_quota(requests=1, per=1.0)
    admission.ask(call("first"), NEED, 0)
    old = admission.ask(call("old", priority=3), NEED, 1)
    now = 2
    for number in range(200):
        urgent = admission.ask(call(f"urgent/{number}", priority=1), NEED, now)
        assert isinstance(old, Ticket)
        for ticket in admission.queue.tickets.values():
            ticket.listeners = 1
        now += round(1.02 * SECOND)
        admission.advance(now)
        if number == 0:
            assert urgent.call.key in admission.open
        if "old" in admission.open:
            break
    assert 58 <= now / SECOND <= 64, "two steps of priority are worth a minute"


def test_small_calls_do_not_starve_a_large_one() -> None:
    admission = with_quota(tokens=10_000)
    for number in range(9):
        assert isinstance(admission.ask(call(f"a/{number}"), NEED, number * 6 * SECOND), Reservation)
    large = admission.ask(call("large", tokens=9_000), NEED, 54 * SECOND)
    small = admission.ask(call("small", tokens=1_000), NEED, 55 * SECOND)
    assert isinstance(large, Ticket)
    assert isinstance(small, Ticket), "it would fit, but the large one is before it"
    large.listeners = small.listeners = 1
    admission.advance(110 * SECOND)
    assert "large" in admission.open


def test_what_was_estimated_too_high_can_be_used_by_others() -> None:
    admission = with_quota(tokens=1_000)
    admission.ask(call("a"), NEED, 0)
    waiting = admission.ask(call("b", tokens=600), NEED, 1)
    assert isinstance(waiting, Ticket)
    waiting.listeners = 1
    admission.settle("a", Spent(0, 300), 2)
    admission.advance(20 * SECOND)
    assert "b" in admission.open


def test_a_quarter_may_be_used_at_once_and_the_rest_keeps_a_pace() -> None:
    admission = with_quota(requests=100)
    answers = [admission.ask(call(str(number)), NEED, 0) for number in range(100)]
    assert [isinstance(answer, Reservation) for answer in answers] == [True] * 25 + [False] * 75
    for ticket in admission.queue.tickets.values():
        ticket.listeners = 1
    moments = [0]
    while admission.queue.tickets:
        moment = admission.next_moment()
        assert moment is not None
        assert moment > moments[-1], "each look lets somebody through"
        moments.append(moment)
        admission.advance(moment)
    assert len(moments) == 76
    assert 40 * SECOND < moments[-1] < 45 * SECOND


def test_a_place_is_kept_while_its_caller_is_away() -> None:
    admission = with_quota(requests=1)
    admission.ask(call("now"), NEED, 0)
    away = admission.ask(call("away"), NEED, SECOND)
    assert isinstance(away, Ticket)
    wait = admission.send_away(away, SECOND)
    later = admission.ask(call("later"), NEED, 2 * SECOND)
    assert isinstance(later, Ticket)
    later.listeners = 1
    turn = SECOND + wait
    admission.advance(turn - 1)
    assert "later" not in admission.open
    answer = admission.ask(call("away"), NEED, turn + SECOND)
    assert isinstance(answer, Reservation)
    assert "later" in admission.queue.tickets


def test_a_turn_that_nobody_takes_goes_on_and_the_place_stays() -> None:
    admission = with_quota(concurrency=1)
    admission.ask(call("holder"), NEED, 0)
    gone = admission.ask(call("gone"), NEED, 1)
    assert isinstance(gone, Ticket)
    gone.back_at = 2
    admission.release("holder", 3)
    assert not admission.open["gone"].claimed
    other = admission.ask(call("other"), NEED, 4)
    assert isinstance(other, Ticket)
    other.listeners = 1
    admission.advance(20 * SECOND)
    assert list(admission.open) == ["other"]
    assert "gone" in admission.queue.tickets
    admission.release("other", 21 * SECOND)
    assert isinstance(admission.ask(call("gone"), NEED, 22 * SECOND), Reservation)


def test_a_crashed_holder_gives_its_reservation_back() -> None:
    admission = with_quota(concurrency=1)
    admission.ask(call("holder", lease=30.0), NEED, 0)
    waiting = admission.ask(call("next"), NEED, SECOND)
    assert isinstance(waiting, Ticket)
    waiting.listeners = 1
    admission.renew("holder", 29 * SECOND)
    admission.advance(31 * SECOND)
    assert "holder" in admission.open, "it was heard of"
    admission.advance(60 * SECOND)
    assert list(admission.open) == ["next"]
    assert ("lost", "holder") in admission.take_changes()


def test_a_429_holds_everyone_for_as_long_as_it_says() -> None:
    admission = Admission()
    labels = {"model": "m"}
    admission.said(labels, ProviderLimits(limited=True, retry_after=20.0), 0)
    waiting = admission.ask(call("a"), NEED, SECOND)
    assert isinstance(waiting, Ticket)
    assert waiting.blocked_on == ("provider's rate limit",)
    waiting.listeners = 1
    assert admission.next_moment() == 20 * SECOND
    admission.advance(20 * SECOND - 1)
    assert not admission.open
    admission.advance(20 * SECOND)
    assert "a" in admission.open


@pytest.mark.parametrize(("remaining", "expected"), [(10, Reservation), (3, Ticket)])
def test_what_others_use_of_the_same_key_is_counted(remaining: int, expected: type) -> None:
    admission = with_quota(requests=20)
    for number in range(5):
        admission.ask(call(f"a/{number}"), NEED, number)
        admission.settle(f"a/{number}", Spent(), number)
    said = ProviderLimits(requests_limit=20, requests_remaining=remaining, requests_reset=40.0)
    admission.said({"model": "m"}, said, SECOND)
    answers = [admission.ask(call(f"b/{number}"), NEED, 30 * SECOND) for number in range(5)]
    assert isinstance(answers[-1], expected)
    for ticket in admission.queue.tickets.values():
        ticket.listeners = 1
    admission.advance(42 * SECOND)
    assert not admission.queue.tickets


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_nothing_leaks_whatever_happens(data: st.DataObject) -> None:
    """Whatever callers do, in the end every meter and every budget is as if nothing were open."""
    admission = with_quota(tokens=5_000, concurrency=3, requests=20)
    now, keys = 0, [f"k{number}" for number in range(8)]
    for _ in range(data.draw(st.integers(1, 60))):
        now += data.draw(st.integers(0, 30 * SECOND))
        key = data.draw(st.sampled_from(keys))
        action = data.draw(st.sampled_from(["ask", "hold", "settle", "release", "start", "renew", "advance"]))
        if action in ("ask", "hold"):
            answer = admission.ask(call(key, hold=action == "hold"), NEED, now)
            if isinstance(answer, Ticket):
                admission.send_away(answer, now)
        elif action == "settle":
            admission.settle(key, Spent(0, data.draw(st.integers(0, 2_000))), now)
        elif action == "release":
            admission.release(key, now)
        elif action == "start":
            admission.start(key, now)
        elif action == "renew":
            admission.renew(key, now)
        else:
            admission.advance(now)
        assert len(admission.open) <= 3
        moment = admission.next_moment()
        assert moment is None or moment >= now
    for _ in range(20):
        now += 5 * MINUTE
        admission.advance(now)
    assert not admission.open
    assert not admission.queue.tickets
    for meter, _ in admission.quotas.meters({"model": "m"}, 0):
        assert meter.room(now) == meter.limit
        assert meter.waiting == 0
    admission.tidy(now)
    assert admission.quotas.gauges() == []
