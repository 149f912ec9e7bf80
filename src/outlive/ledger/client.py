"""What programs use of the ledger: the interface, its types and errors, and two forms of it. docs/ledger.md has more.

    async with connect("http://127.0.0.1:9233") as ledger:  # over HTTP
        answer = await ledger.reserve(Call(key="run-1/step-2/1", model="gpt-5-mini", provider="openai"), wait=20)

    async with in_process() as ledger:  # the same in this process, in memory or on a file
        ...

Importing this module is cheap and reads no clock, file or environment, so workflows may import it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from outlive.ledger.errors import (
    BadRequest,
    BudgetExceeded,
    BudgetImpossible,
    CallRefused,
    Conflict,
    LedgerError,
    LedgerUnreachable,
    NotFound,
    QuotaImpossible,
    Unauthorized,
    UnknownPrice,
)
from outlive.ledger.interface import Ledger
from outlive.ledger.remote import HttpLedger
from outlive.ledger.types import (
    EACH,
    NANO,
    Approval,
    Attempt,
    AttemptPage,
    Budget,
    BudgetUse,
    Cached,
    Call,
    Chunk,
    Chunks,
    CostRow,
    Decision,
    Filter,
    Granted,
    Owner,
    Price,
    ProviderLimits,
    Quota,
    QuotaUse,
    Recorded,
    Result,
    Signed,
    Tokens,
    Waiter,
    Waiting,
    Warned,
)

if TYPE_CHECKING:
    from outlive.clock import Clock
    from outlive.ledger.service import Service

ADDRESS = "http://127.0.0.1:9233"


def connect(address: str = "", secret: str = "", *, timeout: float = 10.0) -> HttpLedger:
    """The ledger at an address; without one, at that of OUTLIVE_LEDGER, or where `outlive server` has it.

    The secret is that of OUTLIVE_LEDGER_SECRET, if none is given.
    """
    address = address or os.environ.get("OUTLIVE_LEDGER", "") or ADDRESS
    return HttpLedger(address, secret or os.environ.get("OUTLIVE_LEDGER_SECRET", ""), timeout=timeout)


def in_process(path: Path | None = None, clock: Clock | None = None) -> Service:
    """A ledger of this process's own, in memory or on an SQLite file. Open it with `async with`."""
    from outlive.ledger.service import Service
    from outlive.ledger.store.sqlite import SqliteDatabase

    return Service(SqliteDatabase(path), clock)


__all__ = [
    "ADDRESS",
    "EACH",
    "NANO",
    "Approval",
    "Attempt",
    "AttemptPage",
    "BadRequest",
    "Budget",
    "BudgetExceeded",
    "BudgetImpossible",
    "BudgetUse",
    "Cached",
    "Call",
    "CallRefused",
    "Chunk",
    "Chunks",
    "Conflict",
    "CostRow",
    "Decision",
    "Filter",
    "Granted",
    "HttpLedger",
    "Ledger",
    "LedgerError",
    "LedgerUnreachable",
    "NotFound",
    "Owner",
    "Price",
    "ProviderLimits",
    "Quota",
    "QuotaImpossible",
    "QuotaUse",
    "Recorded",
    "Result",
    "Signed",
    "Tokens",
    "Unauthorized",
    "UnknownPrice",
    "Waiter",
    "Waiting",
    "Warned",
    "connect",
    "in_process",
]
