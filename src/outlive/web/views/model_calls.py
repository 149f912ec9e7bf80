"""What a run asked of models: calls with their tokens and money, and the conversation, from the ledger."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from outlive.client import WorkflowServiceClient
from outlive.ledger.interface import Ledger
from outlive.ledger.types import NANO, Attempt, Filter
from outlive.web import bounds
from outlive.web.views import run as run_view
from outlive.web.views import shapes
from outlive.web.views.groups import RunLink
from outlive.web.views.run import RunHeader
from outlive.web.views.shapes import Message


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One attempt at a call. Times are moments, ``waited`` (for quota), ``first_token`` and ``took`` seconds;
    money is dollars. ``known`` of its messages stood in the call before it as well."""

    key: str
    step: str
    attempt: int
    model: str
    provider: str
    outcome: str
    error: str
    at: datetime | None
    waited: float
    first_token: float | None
    took: float | None
    input: int
    output: int
    cached: int
    reasoning: int
    cost: float
    saved: float
    saved_by: str
    messages: list[Message] = field(default_factory=list)
    known: int = 0


@dataclass(frozen=True, slots=True)
class Sums:
    """What the calls shown came to."""

    calls: int
    failed: int
    cache_hits: int
    input: int
    output: int
    cost: float
    saved: float
    waited: float


@dataclass(frozen=True, slots=True)
class ModelCallsView:
    """The page: calls in the order they were asked for. ``more``: older ones are left out."""

    header: RunHeader
    calls: list[ModelCall]
    sums: Sums
    more: bool


async def load(
    client: WorkflowServiceClient, ledger: Ledger, link: RunLink, now: Callable[[], datetime]
) -> ModelCallsView:
    """Ask the server and the ledger. Raises RpcError, LedgerError."""
    head = await run_view.head(client, link, now())
    page = await ledger.attempts(Filter(namespace=link.namespace, run=link.run_id), limit=bounds.MODEL_CALLS)
    calls = unrepeated([call(one) for one in sorted(page.attempts, key=lambda one: (one.asked_at, one.key))])
    return ModelCallsView(head, calls, sums(calls), bool(page.next))


def call(one: Attempt) -> ModelCall:
    """The row as the page shows it."""
    begun = one.started_at or one.granted_at or one.ended_at
    return ModelCall(
        key=one.key,
        step=one.step,
        attempt=one.attempt,
        model=one.model,
        provider=one.provider,
        outcome=one.outcome,
        error=one.error_kind,
        at=datetime.fromtimestamp(one.asked_at / 1000, UTC) if one.asked_at else None,
        waited=max(begun - one.asked_at, 0) / 1000 if one.asked_at and begun else 0.0,
        first_token=one.first_token,
        took=one.latency,
        input=one.input,
        output=one.output,
        cached=one.cached,
        reasoning=one.reasoning,
        cost=one.cost / NANO,
        saved=one.saved / NANO,
        saved_by=one.saved_by or ("cache" if one.cache_hit else ""),
        messages=_conversation(one) if one.record == "full" else [],
    )


def unrepeated(calls: list[ModelCall]) -> list[ModelCall]:
    """The calls, each knowing how much of its conversation the one before it had already."""
    found: list[ModelCall] = []
    for one in calls:
        before = found[-1].messages if found else []
        known = 0
        for mine, theirs in zip(one.messages, before, strict=False):
            if (mine.role, mine.text) != (theirs.role, theirs.text):
                break
            known += 1
        found.append(replace(one, known=min(known, len(one.messages) - 1) if one.messages else 0))
    return found


def _conversation(one: Attempt) -> list[Message]:
    """The recorded prompt and answer, in any provider's form, as one conversation."""
    parts = _parsed(one.prompt, "user") + _parsed(one.answer, "assistant")
    return shapes.conversation(parts) or []


def _parsed(text: str, role: str) -> list[Any]:
    """Messages as they were recorded; a text that is none is one message."""
    if not text:
        return []
    try:
        value = json.loads(text) if len(text) <= bounds.PRETTY_BYTES * 4 else text
    except (ValueError, RecursionError):
        value = text
    if isinstance(value, dict):
        inner = value.get("messages") or value.get("contents")
        value = inner if isinstance(inner, list) else [{"role": role, **value}]
    if isinstance(value, list) and shapes.conversation(value):
        return value
    words = text if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return [{"role": role, "content": value if isinstance(value, str) else words}]


def sums(calls: list[ModelCall]) -> Sums:
    """What the calls came to together."""
    return Sums(
        calls=len(calls),
        failed=sum(one.outcome in ("error", "lost") for one in calls),
        cache_hits=sum(bool(one.saved_by) for one in calls),
        input=sum(one.input for one in calls),
        output=sum(one.output for one in calls),
        cost=sum(one.cost for one in calls),
        saved=sum(one.saved for one in calls),
        waited=sum(one.waited for one in calls),
    )
