"""Calls against a real ledger: reserving, waiting, settling, restarts; on both databases and in both forms."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from outlive.ledger.client import (
    NANO,
    BadRequest,
    Budget,
    BudgetExceeded,
    BudgetImpossible,
    Call,
    Filter,
    Granted,
    Ledger,
    NotFound,
    Price,
    ProviderLimits,
    Quota,
    QuotaImpossible,
    Recorded,
    Result,
    Tokens,
    UnknownPrice,
    Waiting,
)
from outlive.ledger.service import Service
from tests.ledger.conftest import Open

PRICE = Price(input=1_000_000_000, output=2_000_000_000)  # nano-dollars a million tokens: 1,000 and 2,000 a token


def call(key: str, **more: Any) -> Call:
    return Call(**{"key": key, "model": "m", "price": PRICE, "estimate": Tokens(100, 100), **more})


async def test_a_call_is_let_through_settled_and_written(ledger: Ledger) -> None:
    granted = await ledger.reserve(call("a", run="r1", workflow_type="W", labels={"tenant": "t1"}))
    assert isinstance(granted, Granted)
    assert granted.lease_until > granted.since
    usage = Tokens(input=120, output=50, cached=20, reasoning=10)
    row = await ledger.settle("a", Result(usage=usage, request_id="req_1", latency=1.5, first_token=0.2))
    assert (row.outcome, row.cost, row.price_version) == ("ok", 120 * 1000 + 50 * 2000, "own")
    assert (row.input, row.output, row.cached, row.reasoning) == (120, 50, 20, 10)
    assert row.labels == {"tenant": "t1"}
    assert await ledger.attempt("a") == row
    assert await ledger.settle("a", Result(usage=Tokens(9, 9))) == row, "once only"
    assert await ledger.reserve(call("a")) == Recorded(row)
    (sums,) = await ledger.costs("type")
    assert (sums.group, sums.calls, sums.input, sums.cost) == ("W", 1, 120, 220_000)
    assert [a.key for a in (await ledger.attempts(Filter(labels={"tenant": "t1"}))).attempts] == ["a"]
    assert (await ledger.attempts(Filter(labels={"tenant": "other"}))).attempts == ()


async def test_prices_come_from_the_table_and_an_unknown_one_is_never_a_silent_zero(ledger: Ledger) -> None:
    known = call("known", model="gpt-5-mini", provider="openai", price=None)
    await ledger.reserve(known)
    row = await ledger.settle("known", Result(usage=Tokens(1_000, 200, cached=100)))
    assert row.cost == 627_500
    assert row.price_version.startswith("genai-prices ")
    with pytest.raises(UnknownPrice, match="no-such-model"):
        await ledger.reserve(call("unknown", model="no-such-model", price=None))
    for policy, cost in (("zero", 0), (77, 77)):
        await ledger.reserve(call(f"{policy}", model="no-such-model", price=None, unknown_price=policy))
        row = await ledger.settle(f"{policy}", Result(usage=Tokens(5, 5)))
        assert row.cost == cost
        assert row.price_version.startswith("unknown")


async def test_what_can_never_be_let_through_fails_at_once(ledger: Ledger) -> None:
    await ledger.put_quota(Quota("tpm", {"model": "m"}, tokens=150))
    with pytest.raises(QuotaImpossible, match="tpm") as refused:
        await ledger.reserve(call("a"), wait=30)
    assert refused.value.details["need"] == 200
    await ledger.delete_quota("tpm")
    await ledger.put_budget(Budget("b", {"team": "*"}, hard=100_000))
    with pytest.raises(BudgetImpossible, match="all of budget b"):
        await ledger.reserve(call("a", team="x"))
    await ledger.put_budget(Budget("b", {"team": "*"}, hard=10 * NANO, strict=True))
    with pytest.raises(BudgetImpossible, match="maximum output tokens"):
        await ledger.reserve(call("a", team="x"))
    assert isinstance(await ledger.reserve(call("a", team="x", maximum=Tokens(100, 500))), Granted)


async def test_waiting_keeps_a_place_and_is_woken(ledger: Ledger) -> None:
    await ledger.put_quota(Quota("one", {"model": "m"}, concurrency=1))
    await ledger.reserve(call("a"))
    waiting = await ledger.reserve(call("b"))
    assert isinstance(waiting, Waiting)
    assert waiting.blocked_on == ("one",)
    assert 0 < waiting.retry_after <= 60
    assert [w.key for w in await ledger.waiting()] == ["b"]
    asking = asyncio.create_task(ledger.reserve(call("b"), wait=20))
    watching = asyncio.create_task(ledger.turns(["b"], wait=20))
    await asyncio.sleep(0.05)
    await ledger.settle("a", Result(usage=Tokens(1, 1)))
    assert isinstance(await asyncio.wait_for(asking, 5), Granted)
    assert await asyncio.wait_for(watching, 5) == ["b"]
    assert await ledger.waiting() == []


async def test_a_hard_budget_refuses_warns_and_is_raised_while_a_call_waits(ledger: Ledger) -> None:
    await ledger.put_budget(Budget("b", {"run": "*"}, hard=700_000, soft=500_000))
    first = await ledger.reserve(call("a", run="r"))
    assert isinstance(first, Granted)
    assert first.warnings == ()
    await ledger.settle("a", Result(usage=Tokens(300, 0)))
    second = await ledger.reserve(call("b", run="r"))
    assert isinstance(second, Granted)
    assert [w.budget for w in second.warnings] == ["b"]
    await ledger.settle("b", Result(usage=Tokens(300, 0)))
    with pytest.raises(BudgetExceeded, match="budget b") as refused:
        await ledger.reserve(call("c", run="r"), wait=10)
    assert refused.value.details["spent"] == 600_000
    waiting = asyncio.create_task(ledger.reserve(call("d", run="r", on_budget="wait"), wait=20))
    while not await ledger.waiting():
        await asyncio.sleep(0.01)
    raised = await ledger.raise_budget("b", by=NANO)
    assert raised.hard == NANO + 700_000
    assert isinstance(await asyncio.wait_for(waiting, 5), Granted)
    (use,) = await ledger.budgets()
    assert (use.spent, use.reserved, use.scope) == (600_000, 300_000, {"run": "r"})
    assert use.warned_at > 0


async def test_a_429_holds_every_caller_of_the_model(ledger: Ledger) -> None:
    await ledger.reserve(call("a"))
    limits = ProviderLimits(limited=True, retry_after=0.3)
    row = await ledger.settle("a", Result(outcome="error", error_kind="rate_limited", limits=limits))
    assert (row.outcome, row.cost) == ("error", 0)
    waiting = await ledger.reserve(call("b"))
    assert isinstance(waiting, Waiting)
    assert waiting.blocked_on == ("provider's rate limit",)
    assert isinstance(await ledger.reserve(call("b"), wait=10), Granted)
    assert isinstance(await ledger.reserve(call("c", model="other")), Granted)


async def test_what_was_made_without_asking_is_recorded_and_counted_once(ledger: Ledger) -> None:
    await ledger.put_budget(Budget("b", hard=NANO))
    for _ in range(2):
        row = await ledger.record(call("a"), Result(usage=Tokens(10, 10), latency=0.5))
    assert row.cost == 30_000
    hit = await ledger.record(call("hit"), Result(cache_hit=True, usage=Tokens(100, 100)))
    assert (hit.cost, hit.saved, hit.saved_by) == (0, 300_000, "cache")
    (use,) = await ledger.budgets()
    assert use.spent == 30_000
    (sums,) = await ledger.costs("model")
    assert (sums.calls, sums.cache_hits, sums.cost, sums.saved) == (2, 1, 30_000, 300_000)


async def test_prompts_are_kept_as_asked(ledger: Ledger) -> None:
    found = {}
    for record in ("full", "hash", "none"):
        await ledger.reserve(call(record))
        found[record] = await ledger.settle(record, Result(record=record, prompt="secret", answer="words"))
    assert (found["full"].prompt, found["full"].answer) == ("secret", "words")
    assert found["hash"].prompt.startswith("sha256:")
    assert "secret" not in found["hash"].prompt
    assert (found["none"].prompt, found["none"].answer) == ("", "")


async def test_what_is_not_known_is_said(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        await ledger.settle("never", Result())
    with pytest.raises(NotFound):
        await ledger.renew("never")
    assert await ledger.release("never") is False
    with pytest.raises(BadRequest, match="priority"):
        await ledger.reserve(call("x", priority=9))
    with pytest.raises(NotFound):
        await ledger.raise_budget("never", by=1)


async def test_pages_of_the_book(ledger: Ledger) -> None:
    for number in range(5):
        await ledger.record(call(f"k{number}"), Result(usage=Tokens(1, 1)))
    seen, after = [], ""
    while True:
        page = await ledger.attempts(limit=2, after=after)
        seen += [attempt.key for attempt in page.attempts]
        after = page.next
        if not after:
            break
    assert sorted(seen) == [f"k{number}" for number in range(5)]
    assert len(seen) == 5


async def test_a_restart_forgets_nothing(database: Open) -> None:
    quota = Quota("one", {"model": "m"}, concurrency=1, tokens=100_000)
    async with Service(database()) as before:
        await before.put_quota(quota)
        await before.put_budget(Budget("b", {"team": "*"}, hard=NANO, period="day"))
        await before.reserve(call("done", team="x"))
        await before.settle("done", Result(usage=Tokens(500, 0)))
        await before.reserve(call("open", team="x"))
        assert isinstance(await before.reserve(call("waits", team="x")), Waiting)
    async with Service(database()) as after:
        (use,) = await after.budgets()
        assert (use.spent, use.reserved) == (500_000, 300_000)
        (held,) = await after.quotas()
        assert (held.quota, held.tokens, held.requests, held.open, held.waiting) == (quota, 700, 0, 1, 1)
        assert [waiter.key for waiter in await after.waiting()] == ["waits"]
        assert isinstance(await after.renew("open"), Granted)
        row = await after.settle("open", Result(usage=Tokens(10, 0)))
        assert row.cost == 10_000
        assert isinstance(await after.reserve(call("waits", team="x"), wait=5), Granted)
        assert isinstance(await after.reserve(call("done")), Recorded)
        (sums,) = await after.costs("day", Filter(team="x"))
        assert (sums.calls, sums.cost) == (3, 510_000)


async def test_a_lost_call_that_settles_after_all(database: Open) -> None:
    async with Service(database()) as service:
        await service.put_budget(Budget("strict", hard=NANO, strict=True))
        await service.put_budget(Budget("plain", hard=NANO))
        await service.reserve(call("a", lease=1.0, maximum=Tokens(100, 400)))
        while (await service.attempt("a")).outcome == "open":
            await asyncio.sleep(0.05)
        assert (await service.attempt("a")).outcome == "lost"
        by_name = {use.budget.name: use for use in await service.budgets()}
        assert (by_name["strict"].spent, by_name["strict"].unconfirmed) == (900_000, 900_000)
        assert (by_name["plain"].spent, by_name["plain"].reserved) == (0, 0)
        row = await service.settle("a", Result(usage=Tokens(100, 100)))
        assert (row.outcome, row.cost) == ("ok", 300_000)
        uses = await service.budgets()
        assert [(use.spent, use.unconfirmed, use.reserved) for use in uses] == [(300_000, 0, 0)] * 2


async def test_two_hundred_callers_never_overspend_a_strict_budget(service: Service) -> None:
    """Each call may cost up to 9 times its estimate; the budget holds 40 of them at most."""
    hard = 40 * 300_000
    await service.put_budget(Budget("b", hard=hard, strict=True))
    refused = 0

    async def caller(number: int) -> None:
        nonlocal refused
        for turn in range(3):
            key = f"{number}/{turn}"
            try:
                asked = call(key, run=f"r{number}", estimate=Tokens(50, 50), maximum=Tokens(100, 400))
                answer = await service.reserve(asked, wait=30)
            except BudgetExceeded:
                refused += 1
                return
            assert isinstance(answer, Granted)
            (use,) = await service.budgets()
            assert use.spent + use.reserved <= hard
            await service.settle(key, Result(usage=Tokens(100, (number * 7 + turn * 13) % 401)))

    await asyncio.wait_for(asyncio.gather(*(caller(number) for number in range(200))), 50)
    (use,) = await service.budgets()
    assert use.spent <= hard
    assert use.spent > 0.85 * hard
    assert use.reserved == 0
    assert refused
