"""What a model call fails with, as a workflow sees it. Each carries the provider's request id where there is one.

AIError                    (an ApplicationError: uncaught, it fails the workflow with its type)
├── BudgetExceeded         a hard budget has too little left; raising it lets the call through
├── CallImpossible         a quota or budget can never admit this call
├── UnknownPrice           no price is known for the model
├── BadRequest             the provider does not accept the request: wrong as it is
│   ├── ContextTooLong     the conversation is longer than the model takes
│   ├── ContentPolicy      the provider or the model declines to answer this
│   └── NotAuthorized      the provider does not accept the key, or there is none
├── OutOfCredit            the account at the provider has run out
├── ProviderFailed         it failed however often it was tried
├── MalformedAnswer        what came back cannot be read
└── SchemaFailed           the answer does not fit the type that was asked for
"""

from __future__ import annotations

from typing import Any, TypeVar

from temporalio.exceptions import ActivityError, ApplicationError

PREFIX = "outlive.ai."
Kind = TypeVar("Kind", bound="AIError")


class AIError(ApplicationError):
    """Why a call was not made or did not succeed. `request_id` is the provider's; `info` is plain JSON."""

    def __init__(self, message: str, *, request_id: str = "", **info: Any) -> None:
        self.request_id = request_id
        self.info = info
        super().__init__(
            message, {"request_id": request_id, **info}, type=PREFIX + type(self).__name__, non_retryable=True
        )


class BudgetExceeded(AIError):
    """A hard budget has too little left for the call. `info["name"]` is the budget's."""


class CallImpossible(AIError):
    """No amount of waiting lets this call through a quota or a budget."""


class UnknownPrice(AIError):
    """No price is known for the model, and `on_unknown_price` is "error"."""


class BadRequest(AIError):
    """The provider does not accept the request."""


class ContextTooLong(BadRequest):
    """The conversation is longer than the model takes."""


class ContentPolicy(BadRequest):
    """The provider or the model declines to answer this."""


class NotAuthorized(BadRequest):
    """The provider does not accept the key, or there is none."""


class OutOfCredit(AIError):
    """The account at the provider has run out of credit or quota."""


class ProviderFailed(AIError):
    """The provider failed, or was not reached, however often it was tried."""


class MalformedAnswer(AIError):
    """What came back cannot be read."""


class SchemaFailed(AIError):
    """The answer does not fit the type that was asked for, also after it was asked again."""


class LimitReached(AIError):
    """An agent came to the end of what it may do: turns, cost or time."""


KINDS: dict[str, type[AIError]] = {
    PREFIX + kind.__name__: kind
    for kind in (
        AIError, BudgetExceeded, CallImpossible, UnknownPrice, BadRequest, ContextTooLong, ContentPolicy,
        NotAuthorized, OutOfCredit, ProviderFailed, MalformedAnswer, SchemaFailed, LimitReached,
    )
}  # fmt: skip


def typed(error: BaseException) -> AIError | None:
    """The typed error inside what an activity failed with; None if it is none of ours."""
    cause: BaseException | None = error
    while isinstance(cause, ActivityError):
        cause = cause.__cause__
    if isinstance(cause, AIError):
        return cause
    if not isinstance(cause, ApplicationError) or (cause.type or "") not in KINDS:
        return None
    details = dict(cause.details[0]) if cause.details else {}
    return KINDS[cause.type or ""](cause.message, request_id=details.pop("request_id", ""), **details)
