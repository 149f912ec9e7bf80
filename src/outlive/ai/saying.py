"""What is said about calls: for a worker, and for one call or a block of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, Literal

OnUnknownPrice = Literal["error", "zero"] | Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Settings:
    """How a worker's model calls are made. Everything but the address has a default that is safe.

    `ledger` and `secret`: see `outlive.ledger.client.connect`. `on_unknown_price`: "error", "zero", or a function from
    the model's name to the nano-dollars of a call. `on_unreachable`: "wait" until the ledger answers, or "allow" calls
    and write them down afterwards. `record`: what the ledger keeps of prompts and answers; `redact` changes them first.
    `lease`: seconds after which a worker that is not heard of has crashed. `expected_output`: tokens that an answer is
    taken to have before it is known. `provider_key`: a name for the key in use, never the key. `resume_answers`: keep
    an answer in the ledger for an hour, so that a crash before its activity is recorded costs nothing. It lies there as
    the payload codec makes it, so None means: if there is such a codec, or if `record` is "full".
    """

    ledger: str = ""
    secret: str = field(default="", repr=False)
    on_unknown_price: OnUnknownPrice = "error"
    on_unreachable: Literal["wait", "allow"] = "wait"
    record: Literal["full", "hash", "none"] = "hash"
    redact: Callable[[str], str] | None = None
    lease: float = 60.0
    expected_output: int = 300
    provider_key: str = ""
    team: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    resume_answers: bool | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What is said about calls inside the workflow. `cache`: use an equal call's answer that is not older than this."""

    cache: timedelta | None = None
    priority: int | None = None  # 1 first ... 5 last
    team: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    on_budget: Literal["fail", "wait"] = "fail"
    price: Any = None  # an outlive.ledger.client.Price of one's own for the model


_current: ContextVar[Options | None] = ContextVar("outlive_ai_options", default=None)


def current() -> Options:
    """The options in force."""
    return _current.get() or Options()


@contextmanager
def options(**values: Any) -> Iterator[None]:
    """Say something about every model call in the block, whoever makes it: `with ai.options(cache=timedelta(days=1)):`

    The fields are those of `Options`.
    """
    token = _current.set(replace(current(), **values))
    try:
        yield
    finally:
        _current.reset(token)
