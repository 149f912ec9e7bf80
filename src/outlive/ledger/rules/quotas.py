"""Which meters a call goes through: one set for each quota that matches and each combination of EACH labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from outlive.ledger.errors import BadRequest, QuotaImpossible
from outlive.ledger.rules.meters import Concurrency, Meter, Window
from outlive.ledger.types import EACH, Labels, ProviderLimits, Quota
from outlive.limits import PROVIDER_BACKOFF, PROVIDER_BACKOFF_MAX, PROVIDER_BLOCK_MAX, SECOND

PROVIDER_LABELS = frozenset(("provider", "provider_key", "model"))
"""A quota on nothing but these stands for a limit of the provider's, so the provider's word tightens it."""


def matched(scope: Labels, labels: Labels) -> tuple[str, ...] | None:
    """The values of the EACH labels, in the order of the scope's names; None if the scope does not match."""
    values = []
    for name in sorted(scope):
        value = labels.get(name)
        if value is None or (scope[name] != EACH and scope[name] != value):
            return None
        if scope[name] == EACH:
            values.append(value)
    return tuple(values)


def filled(scope: Labels, values: tuple[str, ...]) -> dict[str, str]:
    """The scope with the values in the place of EACH."""
    rest = iter(values)
    return {name: next(rest) if scope[name] == EACH else scope[name] for name in sorted(scope)}


def check_quota(quota: Quota) -> None:
    """Raises BadRequest with a sentence for people."""
    if not quota.name:
        raise BadRequest("a quota needs a name.")
    if quota.requests is None and quota.tokens is None and quota.concurrency is None:
        raise BadRequest(f"quota {quota.name} limits nothing: give requests, tokens or concurrency.")
    for what in ("requests", "tokens", "concurrency"):
        limit = getattr(quota, what)
        if limit is not None and limit < 0:
            raise BadRequest(f"quota {quota.name}: {what} is {limit}, and must not be negative.")
    if not 0.001 <= quota.per <= 86_400:
        raise BadRequest(f"quota {quota.name}: per is {quota.per} seconds, and must be from 0.001 to 86400.")


@dataclass(slots=True)
class Gauges:
    """The meters of one quota for one combination of labels."""

    scope: Mapping[str, str]
    requests: Window | None = None
    tokens: Window | None = None
    concurrency: Concurrency | None = None

    def meters(self) -> list[Meter]:
        return [meter for meter in (self.requests, self.tokens, self.concurrency) if meter is not None]


@dataclass(slots=True)
class _Held:
    """A quota with the gauges that calls have made it have."""

    quota: Quota
    gauges: dict[tuple[str, ...], Gauges] = field(default_factory=dict)


@dataclass(slots=True)
class Block:
    """No calls to a provider's model (or key) until then."""

    until: int = 0
    strikes: int = 0  # 429s in a row that did not say how long


class Quotas:
    """All quotas, and what providers have said."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}
        self._blocks: dict[tuple[str, str, str], Block] = {}

    def all(self) -> list[Quota]:
        return [held.quota for _, held in sorted(self._held.items())]

    def gauges(self) -> list[tuple[Quota, Gauges]]:
        return [(held.quota, gauges) for _, held in sorted(self._held.items()) for gauges in held.gauges.values()]

    def put(self, quota: Quota) -> None:
        """Set a quota. Gauges with the same scope and span keep what they have counted."""
        check_quota(quota)
        there = self._held.get(quota.name)
        same = there is not None and _shape(there.quota) == _shape(quota)
        if there is None or not same:
            self._held[quota.name] = _Held(quota)
            return
        there.quota = quota
        for gauges in there.gauges.values():
            for meter in gauges.meters():
                meter.limit = getattr(quota, meter.what)

    def delete(self, name: str) -> bool:
        return self._held.pop(name, None) is not None

    def meters(self, labels: Labels, tokens: int) -> list[tuple[Meter, int]]:
        """What the call must have room in, and how much of it."""
        wanted: list[tuple[Meter, int]] = []
        for held in self._held.values():
            values = matched(held.quota.scope, labels)
            if values is None:
                continue
            gauges = held.gauges.get(values)
            if gauges is None:
                gauges = held.gauges[values] = _made(held.quota, values)
            if gauges.requests is not None:
                wanted.append((gauges.requests, 1))
            if gauges.tokens is not None:
                wanted.append((gauges.tokens, tokens))
            if gauges.concurrency is not None:
                wanted.append((gauges.concurrency, 1))
        return wanted

    def forget_idle(self, now: int, held: set[Meter]) -> None:
        """Let go of the gauges that count nothing, such as those of runs that have ended. `held`: by open calls."""
        for there in self._held.values():
            for values, gauges in list(there.gauges.items()):
                if all(meter.idle(now) and meter not in held for meter in gauges.meters()):
                    del there.gauges[values]

    # -- the provider's word

    def blocked_until(self, labels: Labels) -> int:
        block = self._blocks.get(_who(labels))
        return block.until if block is not None else 0

    def said(self, labels: Labels, said: ProviderLimits, now: int) -> None:
        """Tighten what the provider's answer to a call with these labels tells of."""
        who = _who(labels)
        if said.limited:
            self._block(who, said.retry_after, now)
        elif who in self._blocks:
            self._blocks[who].strikes = 0
        for held in self._held.values():
            if not held.quota.scope or not set(held.quota.scope) <= PROVIDER_LABELS:
                continue
            values = matched(held.quota.scope, labels)
            gauges = held.gauges.get(values) if values is not None else None
            if gauges is None:
                continue
            span = round(held.quota.per * SECOND)
            if gauges.requests is not None:
                until = now + _bounded(said.requests_reset, span)
                gauges.requests.said(said.requests_limit, said.requests_remaining, until, now)
            if gauges.tokens is not None:
                until = now + _bounded(said.tokens_reset, span)
                gauges.tokens.said(said.tokens_limit, said.tokens_remaining, until, now)

    def _block(self, who: tuple[str, str, str], retry_after: float | None, now: int) -> None:
        block = self._blocks.setdefault(who, Block())
        if retry_after is not None:
            wait, block.strikes = _bounded(retry_after, 0), 0
        else:
            wait = min(PROVIDER_BACKOFF << min(block.strikes, 16), PROVIDER_BACKOFF_MAX)
            # answers to calls that were under way together are one sign, not many
            block.strikes += 1 if now >= block.until else 0
        block.until = max(block.until, now + wait)

    def blocks(self) -> dict[tuple[str, str, str], Block]:
        """(provider, key, model) -> until when; also those that are over."""
        return self._blocks

    def restore_block(self, who: tuple[str, str, str], until: int) -> None:
        self._blocks[who] = Block(until)


def check_possible(wanted: list[tuple[Meter, int]]) -> None:
    """Raises QuotaImpossible if no amount of waiting makes room."""
    for meter, amount in wanted:
        if amount > meter.limit:
            raise QuotaImpossible(_why(meter, amount), name=meter.name, what=meter.what, limit=meter.limit, need=amount)


def _why(meter: Meter, amount: int) -> str:
    if meter.limit == 0:
        return f"quota {meter.name} allows no {meter.what} at all: set it higher with `outlive quota set {meter.name}`."
    return (
        f"the call may use {amount:,} {meter.what}, and quota {meter.name} never allows more than {meter.limit:,} at a "
        f"time: make the call smaller, or raise it with `outlive quota set {meter.name} --{meter.what}`."
    )


def _made(quota: Quota, values: tuple[str, ...]) -> Gauges:
    span = round(quota.per * SECOND)
    gauges = Gauges(filled(quota.scope, values))
    if quota.requests is not None:
        gauges.requests = Window(quota.name, "requests", quota.requests, span)
    if quota.tokens is not None:
        gauges.tokens = Window(quota.name, "tokens", quota.tokens, span)
    if quota.concurrency is not None:
        gauges.concurrency = Concurrency(quota.name, quota.concurrency)
    return gauges


def _shape(quota: Quota) -> Quota:
    """What of a quota makes its gauges what they are, limits aside."""
    return replace(
        quota,
        scope=dict(quota.scope),
        requests=None if quota.requests is None else 0,
        tokens=None if quota.tokens is None else 0,
        concurrency=None if quota.concurrency is None else 0,
    )


def _who(labels: Labels) -> tuple[str, str, str]:
    return labels.get("provider", ""), labels.get("provider_key", ""), labels.get("model", "")


def _bounded(seconds: float | None, default: int) -> int:
    """Nanoseconds of what a provider said, within reason."""
    if seconds is None:
        return default
    return max(0, min(round(seconds * SECOND), PROVIDER_BLOCK_MAX))
