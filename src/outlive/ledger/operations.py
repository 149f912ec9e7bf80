"""The operations that travel as `POST /v1/{name}`: their parameters and what they answer, read off the interface.

An answer is `{"result": ...}`, a refusal `{"error": {"kind": ..., "message": ..., "details": {...}}}`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, get_args, get_origin, get_type_hints

from outlive.ledger.errors import BadRequest
from outlive.ledger.interface import Ledger
from outlive.ledger.wire import dump, dump_one_of, is_tagged, load

VERSION: Final = "v1"
NAMES: Final = (
    "reserve", "turns", "start", "renew", "settle", "release", "record", "waiting",
    "put_quota", "delete_quota", "quotas", "put_budget", "raise_budget", "delete_budget", "budgets",
    "attempt", "attempts", "costs",
    "cache_get", "cache_put", "cache_clear",
    "put_content", "keep_content", "get_content", "release_content", "content_owners",
    "append", "read",
    "ask_approval", "approval", "approvals", "decide", "cancel_approval", "sign",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation as it travels."""

    name: str
    parameters: Mapping[str, Any]  # name -> type
    required: frozenset[str]
    result: Any
    tagged: bool

    def pack(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments as JSON."""
        return {name: dump(value) for name, value in values.items()}

    def unpack(self, body: Any) -> dict[str, Any]:
        """Arguments from JSON. Raises BadRequest."""
        if not isinstance(body, dict):
            raise BadRequest("the body must be a JSON object.")
        missing = self.required - body.keys()
        if missing:
            raise BadRequest(f"{self.name} needs {', '.join(sorted(missing))}.")
        known = self.parameters
        return {name: load(known[name], value, name) for name, value in body.items() if name in known}

    def pack_result(self, result: Any) -> Any:
        return dump_one_of(result) if self.tagged else dump(result)

    def unpack_result(self, result: Any) -> Any:
        return None if self.result is type(None) else load(self.result, result, "the answer")


@cache
def operation(name: str) -> Operation:
    """The operation of that name. Raises KeyError."""
    if name not in NAMES:
        raise KeyError(name)
    method = getattr(Ledger, name)
    hints = get_type_hints(method)
    parameters = {key: _plain(hints[key]) for key in inspect.signature(method).parameters if key != "self"}
    required = frozenset(
        key
        for key, parameter in inspect.signature(method).parameters.items()
        if key != "self" and parameter.default is inspect.Parameter.empty
    )
    result = hints["return"]
    return Operation(name, parameters, required, result, is_tagged(result))


def _plain(kind: Any) -> Any:
    """Sequences are taken as lists."""
    return list[get_args(kind)[0]] if get_origin(kind) is Sequence else kind  # type: ignore[misc]
