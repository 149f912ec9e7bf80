"""Quotas and budgets as they are kept: set, raised, deleted and listed."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

from outlive.clock import Clock
from outlive.ledger.errors import BadRequest, NotFound
from outlive.ledger.rules.admission import Admission
from outlive.ledger.rules.budgets import Counter, check_budget, period_start
from outlive.ledger.rules.quotas import check_quota, matched
from outlive.ledger.store.port import Database
from outlive.ledger.types import Budget, BudgetUse, Quota, QuotaUse
from outlive.ledger.wire import dump, load
from outlive.limits import HOUR, MS, SECOND

_PUT = "INSERT INTO {table} VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET data = excluded.data"


class KeptLimits:
    """`changed` is called when what waits may have room now."""

    def __init__(self, database: Database, admission: Admission, clock: Clock, changed: Callable[[], None]) -> None:
        self._database = database
        self._admission = admission
        self._clock = clock
        self._changed = changed

    async def begin(self) -> int:
        """Bring everything back; the longest span that a quota counts over, in nanoseconds."""
        longest = HOUR
        for (data,) in await self._database.scan("SELECT data FROM quota ORDER BY name"):
            quota = load(Quota, json.loads(data))
            self._admission.quotas.put(quota)
            longest = max(longest, 2 * round(quota.per * SECOND))
        budgets = self._admission.budgets
        for (data,) in await self._database.scan("SELECT data FROM budget ORDER BY name"):
            budgets.put(load(Budget, json.loads(data)))
        now = self._clock.now()
        rows = await self._database.scan(
            "SELECT budget, labels, period_start, spent, unconfirmed, warned_at FROM counter"
        )
        for name, labels, start, spent, unconfirmed, warned_at in rows:
            budget = budgets.get(name)
            if budget is not None and start == period_start(budget.period, now):
                counter = Counter(budget, tuple(json.loads(labels)), start, spent, 0, unconfirmed, warned_at)
                budgets.counters[counter.key] = counter
        for provider, key, model, until in await self._database.scan(
            "SELECT provider, provider_key, model, until FROM block"
        ):
            self._admission.quotas.restore_block((provider, key, model), until)
        return longest

    # -- quotas

    async def put_quota(self, quota: Quota) -> None:
        check_quota(quota)
        self._admission.quotas.put(quota)
        self._database.write(_PUT.format(table="quota"), (quota.name, json.dumps(dump(quota))))
        await self._apply()

    async def delete_quota(self, name: str) -> bool:
        there = self._admission.quotas.delete(name)
        self._database.write("DELETE FROM quota WHERE name = ?", (name,))
        await self._apply()
        return there

    async def quotas(self) -> list[QuotaUse]:
        now = self._clock.now()
        uses: dict[str, list[QuotaUse]] = {}
        for quota, gauges in self._admission.quotas.gauges():
            meters = gauges.meters()
            uses.setdefault(quota.name, []).append(
                QuotaUse(
                    quota,
                    gauges.scope,
                    requests=gauges.requests.used(now) if gauges.requests is not None else 0,
                    tokens=gauges.tokens.used(now) if gauges.tokens is not None else 0,
                    open=gauges.concurrency.open if gauges.concurrency is not None else 0,
                    waiting=max((meter.waiting for meter in meters), default=0),
                    blocked_until=self._blocked_until(quota, now),
                )
            )
        return [use for quota in self._admission.quotas.all() for use in uses.get(quota.name) or [QuotaUse(quota, {})]]

    def _blocked_until(self, quota: Quota, now: int) -> int:
        """The latest moment until which a provider has stopped calls under this quota; 0 if none."""
        latest = 0
        for (provider, key, model), block in self._admission.quotas.blocks().items():
            labels = {"provider": provider, "provider_key": key, "model": model}
            labels = {name: value for name, value in labels.items() if value}
            if block.until > now and matched(quota.scope, labels) is not None:
                latest = max(latest, block.until // MS)
        return latest

    # -- budgets

    async def put_budget(self, budget: Budget) -> None:
        check_budget(budget)
        self._admission.budgets.put(budget)
        self._database.write(_PUT.format(table="budget"), (budget.name, json.dumps(dump(budget))))
        await self._apply()

    async def raise_budget(self, name: str, *, by: int | None = None, to: int | None = None) -> Budget:
        budget = self._admission.budgets.get(name)
        if budget is None:
            raise NotFound(f"there is no budget {name}: `outlive budget list` shows those that are.", name=name)
        if (by is None) == (to is None):
            raise BadRequest("say either how much to raise the budget by, or what to.")
        if budget.hard is None:
            raise BadRequest(f"budget {name} has no hard limit to raise.")
        hard = budget.hard + by if by is not None else to
        if hard is None or hard <= budget.hard:
            raise BadRequest(f"{hard} would not raise budget {name}, which is {budget.hard}.")
        raised = replace(budget, hard=hard)
        await self.put_budget(raised)
        return raised

    async def delete_budget(self, name: str) -> bool:
        there = self._admission.budgets.delete(name)
        await self._database.committed()  # what was counted for it until now is written before it is deleted
        self._database.write("DELETE FROM budget WHERE name = ?", (name,))
        self._database.write("DELETE FROM counter WHERE budget = ?", (name,))
        await self._apply()
        return there

    async def budgets(self) -> list[BudgetUse]:
        now = self._clock.now()
        self._admission.budgets.forget_past(now)
        uses: dict[str, list[BudgetUse]] = {}
        for counter in self._admission.budgets.counters.values():
            if counter.period_start == period_start(counter.budget.period, now):
                uses.setdefault(counter.budget.name, []).append(_use(counter))
        found = []
        for budget in self._admission.budgets.all():
            start = period_start(budget.period, now) // MS
            found += sorted(uses.get(budget.name, []), key=lambda use: -use.spent) or [BudgetUse(budget, {}, start)]
        return found

    def sweep(self) -> None:
        """Let go of what counts nothing any more."""
        self._admission.tidy(self._clock.now())

    async def _apply(self) -> None:
        self._admission.limits_changed(self._clock.now())
        self._changed()
        await self._database.committed()


def _use(counter: Counter) -> BudgetUse:
    return BudgetUse(
        counter.budget,
        counter.scope,
        counter.period_start // MS,
        counter.spent,
        counter.reserved,
        counter.unconfirmed,
        counter.warned_at // MS,
    )
