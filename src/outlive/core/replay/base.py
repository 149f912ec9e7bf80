"""What all parts of the replay share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from temporalio.api.enums.v1 import EventType

from outlive.core.state import State

Handler: TypeAlias = Callable[[State, int, int, Any], None]  # state, event id, event time, attributes
Handlers: TypeAlias = Mapping[EventType.ValueType, Handler]
