"""What a filter may name: the attributes of workflows, schedules and standalone activities."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from outlive.core.filter.nodes import Attribute
from outlive.core.visibility import (
    ACTIVITY_DIVISION,
    KEYWORD,
    PREDEFINED_ATTRIBUTES,
    SCHEDULE_DIVISION,
    SCHEDULE_ID_PREFIX,
    SYSTEM_ATTRIBUTES,
    AttributeTypes,
)

_EVERYWHERE: Final = frozenset(SYSTEM_ATTRIBUTES) | frozenset(PREDEFINED_ATTRIBUTES)
_PREFIX: Final = "Temporal"


@dataclass(frozen=True, slots=True)
class Scope:
    """One kind of list."""

    title: str
    division: str | None  # TemporalNamespaceDivision of its records
    ids: frozenset[str]  # names for the workflow id ...
    id_prefix: str = ""  # ... without this, which every one of them begins with
    own: AttributeTypes = field(default_factory=dict)  # attributes that only this kind has
    allowed: frozenset[str] = _EVERYWHERE  # of the system and predefined attributes
    status_is_text: bool = False  # ExecutionStatus is a plain Keyword: any text will do, no number does


WORKFLOWS: Final = Scope("workflows", None, frozenset({"ScheduleId"}))
"""ListWorkflowExecutions, CountWorkflowExecutions, ScanWorkflowExecutions, batches."""

SCHEDULES: Final = Scope(
    "schedules",
    SCHEDULE_DIVISION,
    frozenset({"ScheduleId"}),
    SCHEDULE_ID_PREFIX,
    allowed=frozenset({"TemporalSchedulePaused"}),
)
"""ListSchedules, CountSchedules."""

ACTIVITIES: Final = Scope(
    "activities",
    ACTIVITY_DIVISION,
    frozenset({"ActivityId", "ScheduleId"}),
    own={"ActivityType": KEYWORD},
    status_is_text=True,
)
"""ListActivityExecutions, CountActivityExecutions."""


class UnknownAttribute(Exception):
    """No attribute of that name may be used here; the argument says why."""


def resolve(name: str, types: AttributeTypes, scope: Scope) -> tuple[Attribute, str]:
    """The attribute that a filter's name stands for, and what comes before its values.

    The prefix `Temporal` may be left out of, or put before, a name that is known in every namespace.
    Raises UnknownAttribute.
    """
    for candidate in (name, _PREFIX + name, name.removeprefix(_PREFIX)):
        if candidate in scope.ids:
            return Attribute("WorkflowId", KEYWORD), scope.id_prefix
        if candidate in scope.own:
            return Attribute(candidate, scope.own[candidate]), ""
        if candidate in types and (candidate == name or candidate in _EVERYWHERE):
            if candidate in _EVERYWHERE and candidate not in scope.allowed:
                raise UnknownAttribute(f"cannot filter {scope.title} on {candidate}")
            return Attribute(candidate, types[candidate]), ""
    raise UnknownAttribute(f"invalid search attribute: {name}")
