"""What travels between the ledger and those who use it. Plain data: nothing here decides or reads anything.

Units: money is whole nano-dollars (1 USD = 1_000_000_000), times are Unix milliseconds, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeAlias

NANO: Final = 1_000_000_000  # nano-dollars of one dollar
EACH: Final = "*"  # in a scope: every value of the label has a quota or budget of its own

Labels: TypeAlias = Mapping[str, str]
Unit = Literal["usd", "tokens"]
Period = Literal["total", "hour", "day", "week", "month"]
Outcome = Literal["open", "ok", "error", "cancelled", "released", "lost"]
Saved = Literal["", "cache", "replay"]
Record = Literal["full", "hash", "none"]


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens of one call. `cached` and `cache_write` are parts of `input`; `reasoning` is a part of `output`."""

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.input + self.output


@dataclass(frozen=True, slots=True)
class Price:
    """A price of one's own, in nano-dollars per million tokens. What is None costs what plain input or output does."""

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """An attempt at a model call that wants to be let through.

    `key` names the attempt for ever: asking again with it answers the same, and keeps the place in the queue.
    `labels` are whatever quotas and budgets are to be told apart by; the fields above them are labels too, by
    the names in `scope_of`. `provider_key` is a name for the provider's key, never the key itself.
    """

    key: str
    model: str
    provider: str = ""
    provider_key: str = ""
    namespace: str = "default"
    workflow_id: str = ""
    workflow_type: str = ""
    run: str = ""
    step: str = ""
    attempt: int = 1
    team: str = ""
    labels: Labels = field(default_factory=dict)
    estimate: Tokens = Tokens()
    maximum: Tokens | None = None  # what it can use at most; strict budgets count this
    priority: int = 3  # 1 first ... 5 last
    lease: float = 60.0  # seconds until a holder that is not heard of counts as crashed
    hold: bool = False  # True: counted as sent only from `start` on, for those who acquire long before they call
    on_budget: Literal["fail", "wait"] = "fail"  # wait: until somebody raises the budget
    unknown_price: Literal["error", "zero"] | int = "error"  # a number: the whole call's nano-dollars
    price: Price | None = None
    batch: bool = False  # sent through a batch API, at half the price


def scope_of(call: Call) -> dict[str, str]:
    """The labels that quotas and budgets match: the call's own and those that its fields are."""
    named = {
        "model": call.model,
        "provider": call.provider,
        "provider_key": call.provider_key,
        "namespace": call.namespace,
        "workflow_id": call.workflow_id,
        "workflow_type": call.workflow_type,
        "run": call.run,
        "team": call.team,
    }
    return {**call.labels, **{name: value for name, value in named.items() if value}}


@dataclass(frozen=True, slots=True)
class ProviderLimits:
    """What the provider said of its rate limits, from a 429 or from the headers of any answer. Seconds from now."""

    limited: bool = False  # it answered 429
    retry_after: float | None = None
    requests_limit: int | None = None
    requests_remaining: int | None = None
    requests_reset: float | None = None
    tokens_limit: int | None = None
    tokens_remaining: int | None = None
    tokens_reset: float | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """How an attempt ended. `usage` None: nothing was reported, so nothing was used unless `cost` says so."""

    outcome: Literal["ok", "error", "cancelled"] = "ok"
    usage: Tokens | None = None
    cost: int | None = None  # nano-dollars, where the caller knows better than the price table
    request_id: str = ""
    error_kind: str = ""
    latency: float | None = None  # seconds
    first_token: float | None = None  # seconds
    cache_hit: bool = False
    saved_by: Saved = ""
    saved: int = 0  # nano-dollars that the cache or a replay saved
    limits: ProviderLimits | None = None
    model: str = ""  # as the provider names it, if it differs
    record: Record = "none"
    prompt: str = ""  # kept whole with "full", as a digest with "hash"
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Warned:
    """A soft limit that the call's budgets have passed."""

    budget: str
    scope: Labels
    unit: Unit
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Granted:
    """The call may be made now, and must be settled, released or renewed before `lease_until`."""

    key: str
    since: int  # when it was first asked for
    lease_until: int
    warnings: tuple[Warned, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Not yet. Ask again with the same key in `retry_after` seconds: the place is kept until well after that."""

    key: str
    since: int
    retry_after: float
    ahead: int  # tickets that wait before it, about
    reason: str  # words for people: what it waits for
    blocked_on: tuple[str, ...]  # quotas and budgets, by name


@dataclass(frozen=True, slots=True)
class Attempt:
    """A row of the book: one attempt at one call."""

    key: str
    namespace: str = "default"
    workflow_id: str = ""
    workflow_type: str = ""
    run: str = ""
    step: str = ""
    attempt: int = 1
    model: str = ""
    provider: str = ""
    provider_key: str = ""
    team: str = ""
    labels: Labels = field(default_factory=dict)
    estimate_input: int = 0
    estimate_output: int = 0
    outcome: Outcome = "open"
    error_kind: str = ""
    request_id: str = ""
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int = 0
    price_version: str = ""
    asked_at: int = 0
    granted_at: int = 0
    started_at: int = 0
    ended_at: int = 0
    lease_until: int = 0
    latency: float | None = None
    first_token: float | None = None
    cache_hit: bool = False
    saved_by: Saved = ""
    saved: int = 0
    batch: bool = False
    record: Record = "none"
    prompt: str = ""
    answer: str = ""
    reserved: int = 0  # nano-dollars reserved by estimate
    reserved_max: int = 0  # nano-dollars reserved at most
    reserved_max_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """The attempt with this key has ended already; this is its row."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Quota:
    """Limits for every call that matches `scope` (label -> value, or EACH). None: unlimited."""

    name: str
    scope: Labels = field(default_factory=dict)
    requests: int | None = None  # per `per` seconds
    tokens: int | None = None  # per `per` seconds
    concurrency: int | None = None
    per: float = 60.0


@dataclass(frozen=True, slots=True)
class Budget:
    """Money or tokens for every call that matches `scope`, in a period. `soft` warns, `hard` refuses."""

    name: str
    scope: Labels = field(default_factory=dict)
    unit: Unit = "usd"
    period: Period = "total"
    hard: int | None = None
    soft: int | None = None
    strict: bool = False  # count the most that a call can cost, so that `hard` is never passed


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """A quota as it stands for one combination of labels."""

    quota: Quota
    scope: Labels
    requests: int = 0
    tokens: int = 0
    open: int = 0
    waiting: int = 0
    blocked_until: int = 0  # by the provider's word


@dataclass(frozen=True, slots=True)
class BudgetUse:
    """A budget as it stands for one combination of labels and one period."""

    budget: Budget
    scope: Labels
    period_start: int
    spent: int = 0
    reserved: int = 0
    unconfirmed: int = 0  # of `spent`: of holders that crashed under a strict budget
    warned_at: int = 0


@dataclass(frozen=True, slots=True)
class Waiter:
    """A call that waits, as lists show it."""

    key: str
    since: int
    workflow_id: str
    run: str
    model: str
    priority: int
    blocked_on: tuple[str, ...]


Json: TypeAlias = Any


# -- the book -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows of the book. What is empty does not restrict. Times are Unix milliseconds; `until` is exclusive."""

    namespace: str = ""
    workflow_id: str = ""
    workflow_type: str = ""
    run: str = ""
    model: str = ""
    provider: str = ""
    team: str = ""
    outcome: str = ""
    labels: Labels = field(default_factory=dict)
    since: int | None = None
    until: int | None = None


By = Literal["model", "day", "type", "run", "team", "provider", "workflow", "namespace"]


@dataclass(frozen=True, slots=True)
class CostRow:
    """What the calls of one group came to."""

    group: str
    calls: int = 0
    failed: int = 0
    cache_hits: int = 0
    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0
    cost: int = 0
    saved: int = 0


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """Rows, newest first, and where the next page begins (empty: there is none)."""

    attempts: tuple[Attempt, ...] = ()
    next: str = ""


# -- cached responses ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cached:
    """A response kept for whoever asks the same. `cost` and `usage` are what it came to when it was made."""

    value: bytes
    stored_at: int
    expires_at: int = 0  # 0: never
    hits: int = 0
    cost: int = 0
    usage: Tokens = Tokens()
    model: str = ""


# -- contents -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owner:
    """Something that contents are kept for, such as a run."""

    namespace: str
    owner: str
    contents: int = 0
    size: int = 0
    since: int = 0


# -- streams ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Chunk:
    """A piece of a stream. `attempt` tells the tries apart: what a later one sends replaces what earlier ones sent."""

    offset: int  # place in the stream, from 0, across attempts
    attempt: int
    data: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Chunks:
    """What a stream has from an offset on. `attempt` is the one that counts; `first` the first offset still kept."""

    chunks: tuple[Chunk, ...] = ()
    next: int = 0
    attempt: int = 0
    closed: bool = False
    first: int = 0


# -- approvals ----------------------------------------------------------------------------------------

ApprovalState = Literal["open", "approved", "rejected", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class Approval:
    """A question to a person, and what became of it. `id` is the asker's: asking again with it changes nothing."""

    id: str
    title: str
    namespace: str = "default"
    workflow_id: str = ""
    run: str = ""
    details: Json = None
    options: tuple[str, ...] = ("approve", "reject")
    schema: Json = None  # JSON schema of what the person may edit
    form: Json = None  # what it is filled with
    assignee: str = ""
    escalate_to: str = ""
    asked_at: int = 0
    deadline: int = 0  # Unix milliseconds; 0: none
    escalate_at: int = 0
    escalated: bool = False
    state: ApprovalState = "open"
    choice: str = ""
    decided_by: str = ""
    decided_at: int = 0
    reason: str = ""
    edits: Json = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person says. `choice` is one of the approval's options; all but the last of them approve."""

    choice: str
    by: str
    reason: str = ""
    edits: Json = None


@dataclass(frozen=True, slots=True)
class Signed:
    """A link that lets whoever has it take one decision on one approval."""

    path: str
    expires_at: int
