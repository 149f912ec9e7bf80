"""What model calls came to: by day, and by model, type, team or workflow; quotas and budgets as they stand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, cast

from outlive.ledger.interface import Ledger
from outlive.ledger.types import NANO, By, CostRow, Filter, QuotaUse
from outlive.web import bounds
from outlive.web.views import home
from outlive.web.views.home import Spent

GROUPS: Final = ("model", "type", "team", "workflow", "provider", "run")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one group came to; money is dollars."""

    group: str
    calls: int
    failed: int
    cache_hits: int
    input: int
    output: int
    cost: float
    saved: float


@dataclass(frozen=True, slots=True)
class Bar:
    """One day of the plot: ``height`` in per cent of the highest."""

    day: date
    cost: float
    height: float


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """A quota as it stands. Shares are of 1, None where it does not limit that."""

    name: str
    scope: str
    per: float
    requests: str
    tokens: str
    requests_share: float | None
    tokens_share: float | None
    open: int
    waiting: int
    blocked_until: datetime | None


@dataclass(frozen=True, slots=True)
class CostsView:
    """The page, over the last ``days`` days."""

    namespace: str
    by: str
    days: int
    total: Cost
    bars: list[Bar]
    rows: list[Cost]
    budgets: list[Spent]
    quotas: list[QuotaRow]


async def load(ledger: Ledger, namespace: str, by: str, days: int, now: Callable[[], datetime]) -> CostsView:
    """Ask the ledger. Raises LedgerError."""
    today = now().astimezone(UTC).date()
    first = today - timedelta(days=days - 1)
    since = int(datetime(first.year, first.month, first.day, tzinfo=UTC).timestamp() * 1000)
    where = Filter(namespace=namespace, since=since)
    rows, daily, budgets, quotas = await asyncio.gather(
        ledger.costs(cast(By, by), where), ledger.costs("day", where), ledger.budgets(), ledger.quotas()
    )
    costs = sorted((_cost(row) for row in rows), key=lambda one: (-one.cost, one.group))
    return CostsView(
        namespace=namespace,
        by=by,
        days=days,
        total=_total([_cost(row) for row in daily]),
        bars=bars([_cost(row) for row in daily], first, days),
        rows=costs[: bounds.COST_ROWS],
        budgets=[home.spent(use) for use in budgets],
        quotas=[_quota(use) for use in quotas],
    )


def _cost(row: CostRow) -> Cost:
    return Cost(
        row.group, row.calls, row.failed, row.cache_hits, row.input, row.output, row.cost / NANO, row.saved / NANO
    )


def _total(rows: list[Cost]) -> Cost:
    return Cost(
        "",
        sum(row.calls for row in rows),
        sum(row.failed for row in rows),
        sum(row.cache_hits for row in rows),
        sum(row.input for row in rows),
        sum(row.output for row in rows),
        sum(row.cost for row in rows),
        sum(row.saved for row in rows),
    )


def bars(daily: list[Cost], first: date, days: int) -> list[Bar]:
    """A bar for each day, those without calls included."""
    by_day = {row.group: row.cost for row in daily}
    highest = max(by_day.values(), default=0.0) or 1.0
    found = []
    for n in range(days):
        day = first + timedelta(days=n)
        cost = by_day.get(day.isoformat(), 0.0)
        found.append(Bar(day, cost, round(cost / highest * 100, 2)))
    return found


def _quota(use: QuotaUse) -> QuotaRow:
    quota = use.quota
    return QuotaRow(
        name=quota.name,
        scope=" ".join(f"{label}={value}" for label, value in sorted(use.scope.items())),
        per=quota.per,
        requests=f"{use.requests:,} of {quota.requests:,}" if quota.requests else f"{use.requests:,}",
        tokens=f"{use.tokens:,} of {quota.tokens:,}" if quota.tokens else f"{use.tokens:,}",
        requests_share=use.requests / quota.requests if quota.requests else None,
        tokens_share=use.tokens / quota.tokens if quota.tokens else None,
        open=use.open,
        waiting=use.waiting,
        blocked_until=datetime.fromtimestamp(use.blocked_until / 1000, UTC) if use.blocked_until else None,
    )
