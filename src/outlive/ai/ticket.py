"""What a workflow tells the activity about its call, in a header: the reservation, and what the cache needs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import Any, Literal

from temporalio.api.common.v1 import Payload

from outlive.ledger.client import Call, Price, Tokens

HEADER = "outlive-ai-call"
TAKE_TURN = "outlive.ai.TakeTurn"  # an attempt that must wait for its turn: the workflow waits, then schedules it anew


@dataclass(frozen=True, slots=True)
class Ticket:
    """A call under way. Its attempts are `{key}/{round}.{attempt}`: a round ends when the workflow has to wait."""

    call: Call  # `key` is the call's
    round: int = 1
    state: Literal["granted", "allowed", "cached"] = "granted"
    cache: float | None = None  # seconds that an answer may be old
    digest: str = ""

    def attempt(self, number: int) -> Call:
        """The call as one attempt of this round."""
        return replace(self.call, key=attempt_key(self.call.key, self.round, number), attempt=number)


def attempt_key(key: str, round_: int, number: int) -> str:
    """The name of an attempt."""
    return f"{key}/{round_}.{number}"


def to_header(ticket: Ticket) -> Payload:
    """The header's value. It holds no text of the call."""
    data = json.dumps(asdict(ticket), separators=(",", ":")).encode()
    return Payload(metadata={"encoding": b"json/plain"}, data=data)


def from_headers(headers: Mapping[str, Payload]) -> Ticket | None:
    """The ticket that came with an activity."""
    found = headers.get(HEADER)
    if found is None:
        return None
    data = json.loads(found.data)
    return Ticket(**{**data, "call": call_of(data["call"])})


def call_of(data: Mapping[str, Any]) -> Call:
    """A call from JSON."""
    values = dict(data)
    for name in ("estimate", "maximum"):
        if values.get(name) is not None:
            values[name] = Tokens(**values[name])
    if values.get("price") is not None:
        values["price"] = Price(**values["price"])
    return Call(**values)


def digest_of(model: str, data: bytes) -> str:
    """What an equal call has too: the model, and all that is sent."""
    return sha256(model.encode() + b"\0" + data).hexdigest()
