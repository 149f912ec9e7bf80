"""The book: one row per attempt at a call, and what the rows add up to."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, Final

from outlive.ledger.errors import BadRequest, NotFound
from outlive.ledger.store.port import Database, Row
from outlive.ledger.store.schema import ATTEMPT_SELECT, ATTEMPT_UPSERT, attempt_of, attempt_row
from outlive.ledger.types import Attempt, AttemptPage, By, CostRow, Filter
from outlive.limits import PAGE_SIZE_MAX, SETTLED_KEPT

_DAY_MS: Final = 86_400_000
_GROUPS: Final[dict[str, str]] = {
    "model": "model",
    "day": f"granted_at / {_DAY_MS}",
    "type": "workflow_type",
    "run": "run",
    "team": "team",
    "provider": "provider",
    "workflow": "workflow_id",
    "namespace": "namespace",
}
_SUMS: Final = (
    "count(*), sum(CASE WHEN outcome IN ('error', 'lost') THEN 1 ELSE 0 END), sum(cache_hit),"
    " sum(input), sum(output), sum(cached), sum(cache_write), sum(reasoning), sum(cost), sum(saved)"
)
_NO_FILTER: Final = Filter()


class Book:
    """The rows. Ended ones that are young are remembered, so that a repeated request finds them before their commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._ended: OrderedDict[str, Attempt] = OrderedDict()

    # -- writing

    def write(self, attempt: Attempt, terms: str = "") -> None:
        """Have the row in the next commit."""
        self._database.write(ATTEMPT_UPSERT, attempt_row(attempt, terms))
        if attempt.outcome == "open":
            self._ended.pop(attempt.key, None)
            return
        self._ended[attempt.key] = attempt
        if len(self._ended) > SETTLED_KEPT:
            self._ended.popitem(last=False)

    def erase(self, key: str) -> None:
        """Forget a row: the call was never sent."""
        self._database.write("DELETE FROM attempt WHERE key = ?", (key,))
        self._ended.pop(key, None)

    # -- reading

    def remembered(self, key: str) -> Attempt | None:
        """An ended attempt, if it is a young one."""
        return self._ended.get(key)

    async def find(self, key: str) -> tuple[Attempt, str] | None:
        """The row, with its call's terms if it has them."""
        rows = await self._database.read(f"{ATTEMPT_SELECT} WHERE key = ?", (key,))
        return (attempt_of(rows[0]), rows[0][-1]) if rows else None

    async def since(self, moment: int) -> list[tuple[Attempt, str]]:
        """What may still count after a restart: everything open, and what was let through since (milliseconds)."""
        statement = f"{ATTEMPT_SELECT} WHERE outcome = 'open' UNION {ATTEMPT_SELECT} WHERE granted_at >= ?"
        rows = await self._database.scan(statement, (moment,))
        return [(attempt_of(row), row[-1]) for row in rows]

    async def attempt(self, key: str) -> Attempt:
        young = self.remembered(key)
        found = await self.find(key) if young is None else (young, "")
        if found is None:
            raise NotFound(f"the book has no attempt with the key {key}.", key=key)
        await self._database.committed()
        return found[0]

    async def attempts(self, where: Filter = _NO_FILTER, *, limit: int = 100, after: str = "") -> AttemptPage:
        if not 1 <= limit <= PAGE_SIZE_MAX:
            raise BadRequest(f"limit is {limit}, and must be from 1 to {PAGE_SIZE_MAX}.")
        condition, values = self._condition(where)
        if after:
            at, _, key = after.partition("/")
            if not at.isdecimal():
                raise BadRequest("after is not a page that the ledger has given.")
            condition += " AND (granted_at < ? OR (granted_at = ? AND key < ?))"
            values += [int(at), int(at), key]
        statement = f"{ATTEMPT_SELECT} WHERE {condition} ORDER BY granted_at DESC, key DESC LIMIT {limit + 1}"
        rows = await self._database.scan(statement, values)
        attempts = tuple(attempt_of(row) for row in rows[:limit])
        more = len(rows) > limit
        return AttemptPage(attempts, f"{attempts[-1].granted_at}/{attempts[-1].key}" if more else "")

    async def costs(self, by: By, where: Filter = _NO_FILTER) -> list[CostRow]:
        group = _GROUPS.get(by)
        if group is None:
            raise BadRequest(f"costs are told by {', '.join(_GROUPS)}, not by {by}.")
        condition, values = self._condition(where)
        statement = f"SELECT {group}, {_SUMS} FROM attempt WHERE {condition} GROUP BY {group}"
        rows = [_cost_row(by, row) for row in await self._database.scan(statement, values)]
        return sorted(rows, key=lambda row: (row.group if by == "day" else -row.cost, row.group))

    def _condition(self, where: Filter) -> tuple[str, list[Any]]:
        parts, values = ["1 = 1"], []
        for name in ("namespace", "workflow_id", "workflow_type", "run", "model", "provider", "team", "outcome"):
            value = getattr(where, name)
            if value:
                parts.append(f"{name} = ?")
                values.append(value)
        for name, value in where.labels.items():
            parts.append(f"{self._database.dialect.json_text.format(column='labels')} = ?")
            values += [name, value]
        for moment, comparison in ((where.since, ">="), (where.until, "<")):
            if moment is not None:
                parts.append(f"granted_at {comparison} ?")
                values.append(moment)
        return " AND ".join(parts), values


def _cost_row(by: str, row: Row) -> CostRow:
    group, *sums = row
    if by == "day":
        group = datetime.fromtimestamp(int(group) * _DAY_MS / 1000, UTC).date().isoformat()
    return CostRow(str(group), *(int(value or 0) for value in sums))
