"""RPCs by capability: name -> (check of the request, engine coroutine).

One module a capability, each with one function `rpcs(engine)`. To add an RPC: its coroutine in the engine, its
check in `validation/`, its line in the module here. `services.py` puts the tables together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias

from outlive.api import validation
from outlive.api.handlers import Answer
from outlive.engine.calls import Call
from outlive.engine.namespaces import Namespace

EngineMethod: TypeAlias = Callable[[Namespace, Any, Call], Awaitable[Answer]]
Check: TypeAlias = Callable[[Any, validation.Scope], None]
Rpcs: TypeAlias = Mapping[str, tuple[Check, EngineMethod]]
