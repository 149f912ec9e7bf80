"""What the ledger answers when it does not do what was asked. Each has a stable `kind` that travels over HTTP.

LedgerError
├── BadRequest          the request is wrong whatever the state                    (400)
├── Unauthorized        no secret, or a wrong one                                  (401)
├── UnknownPrice        no price is known for the model, and the caller said "error" (422)
├── NotFound            what the request names is not there                        (404)
├── Conflict            the state does not allow it: decided already, another use of the key (409)
├── CallRefused         this call must not be made                                 (402)
│   ├── QuotaImpossible   no amount of waiting lets it through a quota
│   ├── BudgetImpossible  it alone is larger than a hard budget
│   └── BudgetExceeded    a hard budget has too little left
└── LedgerUnreachable   raised by the client alone: nobody answered                (-)
"""

from __future__ import annotations

from typing import Any, ClassVar

from outlive.base_errors import OutliveError


class LedgerError(OutliveError):
    """Every answer of the ledger other than the one asked for. `details` is plain JSON."""

    kind: ClassVar[str] = "internal"
    status: ClassVar[int] = 500

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class BadRequest(LedgerError):
    """The request is wrong whatever the state."""

    kind = "bad_request"
    status = 400


class Unauthorized(LedgerError):
    """The ledger has a secret, and the request does not carry it."""

    kind = "unauthorized"
    status = 401


class UnknownPrice(LedgerError):
    """No price is known for the model. Say what to do with `unknown_price`."""

    kind = "unknown_price"
    status = 422


class NotFound(LedgerError):
    """What the request names is not there."""

    kind = "not_found"
    status = 404


class Conflict(LedgerError):
    """The state does not allow it."""

    kind = "conflict"
    status = 409


class CallRefused(LedgerError):
    """This call must not be made. `details["name"]` is the quota or budget that refuses it."""

    kind = "refused"
    status = 402


class QuotaImpossible(CallRefused):
    """No amount of waiting lets this call through: it is larger than a quota, or the quota is zero."""

    kind = "quota_impossible"


class BudgetImpossible(CallRefused):
    """The call alone is larger than a hard budget, or a strict budget cannot bound what it may cost."""

    kind = "budget_impossible"


class BudgetExceeded(CallRefused):
    """A hard budget has too little left for the call. Raising the budget lets it through."""

    kind = "budget_exceeded"


class LedgerUnreachable(LedgerError):
    """Nobody answered at the ledger's address. Whether to wait or to go on is the caller's policy."""

    kind = "unreachable"
    status = 503


KINDS: dict[str, type[LedgerError]] = {
    error.kind: error
    for error in (
        LedgerError,
        BadRequest,
        Unauthorized,
        UnknownPrice,
        NotFound,
        Conflict,
        CallRefused,
        QuotaImpossible,
        BudgetImpossible,
        BudgetExceeded,
        LedgerUnreachable,
    )
}
