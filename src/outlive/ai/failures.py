"""What an exception of a provider's client means: which typed error, whether to try again, and when."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from outlive.ai.errors import (
    AIError,
    BadRequest,
    ContentPolicy,
    ContextTooLong,
    MalformedAnswer,
    NotAuthorized,
    OutOfCredit,
    ProviderFailed,
)
from outlive.ledger.client import ProviderLimits

_TOO_LONG = re.compile(r"context_length_exceeded|maximum context length|prompt is too long|input token count", re.I)
_POLICY = re.compile(r"content_policy|content_filter|content filtering|responsible_ai|safety|usage polic", re.I)
_CREDIT = re.compile(r"insufficient_quota|billing|credit balance", re.I)
_PARTS = re.compile(r"([\d.]+)(ms|s|m|h)")
_UNIT = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_KEY = re.compile(r"\b(?:sk|pk|rk|key)-[A-Za-z0-9_\-*]{6,}")
_SECRET_NAMES = ("_API_KEY", "_TOKEN", "_SECRET", "_SECRET_KEY")
_STATUS_RETRIED = frozenset({408, 409, 425, 429})
_TIMEOUTS = ("Timeout",)
_CONNECTION = ("Connect", "Connection", "Protocol", "ReadError", "WriteError", "RemoteProtocol", "Transport")


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call failed. `delay`: seconds that the provider wants to be left alone."""

    kind: type[AIError]
    name: str  # as the ledger keeps it
    message: str
    retried: bool
    request_id: str = ""
    status: int | None = None
    delay: float | None = None
    limits: ProviderLimits | None = None

    def error(self) -> AIError:
        """The typed error."""
        return self.kind(self.message, request_id=self.request_id, status=self.status, kind=self.name)


def failure_of(error: BaseException) -> Failure:
    """Read an exception and what caused it."""
    chain = list(_chain(error))
    headers: Mapping[str, str] = next((found for each in chain if (found := _headers(each))), {})
    statuses = (getattr(each, "status_code", None) for each in chain)
    status = next((found for found in statuses if isinstance(found, int)), None)
    said = scrub("; ".join(dict.fromkeys(str(each) for each in chain if str(each)))[:2000])
    text = said + str([getattr(each, "body", "") for each in chain])
    limits = limits_of(headers, limited=status == 429)
    request_id = headers.get("x-request-id") or headers.get("request-id") or ""
    kind, name, retried = _kind(chain, status, text)
    delay = limits.retry_after if limits else None
    return Failure(kind, name, f"{name}: {said}", retried, request_id, status, delay, limits)


def _kind(chain: list[BaseException], status: int | None, text: str) -> tuple[type[AIError], str, bool]:
    names = [type(each).__name__ for each in chain]
    if status is not None:
        return _of_status(status, text)
    if any(mark in name for name in names for mark in _TIMEOUTS):
        return ProviderFailed, "timeout", True
    if any(mark in name for name in names for mark in _CONNECTION):
        return ProviderFailed, "connection", True
    if _POLICY.search(text) or any("ContentFilter" in name for name in names):
        return ContentPolicy, "content_policy", False
    if any(name in ("UnexpectedModelBehavior", "ValidationError", "JSONDecodeError") for name in names):
        return MalformedAnswer, "malformed", True
    if any(name == "UserError" for name in names):
        return NotAuthorized if "api key" in text.lower() or "API_KEY" in text else BadRequest, "bad_request", False
    if any(name in ("APIResponseValidationError", "APIError", "ModelAPIError") for name in names):
        return ProviderFailed, "provider", True
    return ProviderFailed, names[0], True


def _of_status(status: int, text: str) -> tuple[type[AIError], str, bool]:
    if status < 500 and _TOO_LONG.search(text):
        return ContextTooLong, "context_too_long", False
    if status == 402 or (status < 500 and _CREDIT.search(text)):
        return OutOfCredit, "out_of_credit", False
    if status in (401, 403):
        return NotAuthorized, "not_authorized", False
    if status in _STATUS_RETRIED:
        return ProviderFailed, "rate_limited" if status == 429 else f"status_{status}", True
    if status < 500:
        policy = _POLICY.search(text) is not None
        return (ContentPolicy, "content_policy", False) if policy else (BadRequest, "bad_request", False)
    return ProviderFailed, "overloaded" if status in (503, 529) else "server_error", True


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    for _ in range(10):
        if seen is None:
            return
        yield seen
        seen = seen.__cause__ or seen.__context__


def _headers(error: BaseException) -> dict[str, str]:
    found: Any = getattr(error, "headers", None) or getattr(getattr(error, "response", None), "headers", None)
    try:
        return {str(name).lower(): str(value) for name, value in dict(found or {}).items()}
    except (TypeError, ValueError):
        return {}


# -- rate limits


def limits_of(headers: Mapping[str, str], *, limited: bool = False) -> ProviderLimits | None:
    """What the headers of an answer say of rate limits, of OpenAI's or Anthropic's kind; None if nothing."""
    values: dict[str, Any] = {}
    for name in ("requests", "tokens"):
        for what, kind in (("limit", int), ("remaining", int), ("reset", _seconds)):
            found = headers.get(f"x-ratelimit-{what}-{name}") or headers.get(f"anthropic-ratelimit-{name}-{what}")
            if found:
                values[f"{name}_{what}"] = _read(kind, found)
    after = _retry_after(headers)
    values = {name: value for name, value in values.items() if value is not None}
    if not values and after is None and not limited:
        return None
    return ProviderLimits(limited=limited, retry_after=after, **values)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    if "retry-after-ms" in headers:
        found: float | None = _read(float, headers["retry-after-ms"])
        return None if found is None else found / 1000
    return _read(float, headers["retry-after"]) if "retry-after" in headers else None


def _read(kind: Any, text: str) -> Any:
    try:
        return kind(text)
    except ValueError:
        return None


def _seconds(text: str) -> float:
    """A duration (`6m0s`, `12ms`) or a moment (RFC 3339), as seconds from now."""
    if "T" in text:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
        return max((moment - datetime.now(UTC)).total_seconds(), 0.0)
    parts = _PARTS.findall(text)
    if not parts:
        return float(text)
    return sum(float(number) * _UNIT[unit] for number, unit in parts)


# -- keys


def scrub(text: str) -> str:
    """The text without keys: those of the environment, and whatever looks like one."""
    for name, value in os.environ.items():
        if name.endswith(_SECRET_NAMES) and len(value) >= 8:
            text = text.replace(value, "***")
    return _KEY.sub("***", text)
