"""The filter of ListWorkers and CountWorkers: the grammar of list filters, over what a heartbeat tells.

A condition that means nothing here (an unknown name, an operator or value that does not fit) is met by no
worker: only a filter that is malformed is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat

from outlive.core.filter import nodes
from outlive.core.filter.conditions import Conditions, Literal
from outlive.core.filter.lexer import Token, tokenize
from outlive.core.filter.nodes import Attribute, Condition, Node, Operator
from outlive.core.filter.parser import Parser
from outlive.core.filter.scopes import WORKFLOWS
from outlive.core.filter.values import Mismatch, convert
from outlive.core.proto import time_of
from outlive.core.visibility import DATETIME, KEYWORD

Met = Callable[[WorkerHeartbeat], bool]


def _status(heartbeat: WorkerHeartbeat) -> str:
    """`Running`, `ShuttingDown`, ..."""
    name = WorkerStatus.Name(heartbeat.status) if heartbeat.status in WorkerStatus.values() else str(heartbeat.status)
    return "".join(word.capitalize() for word in name.removeprefix("WORKER_STATUS_").split("_"))


TEXTS: Final[Mapping[str, Callable[[WorkerHeartbeat], str]]] = {
    "WorkerInstanceKey": lambda h: h.worker_instance_key,
    "WorkerIdentity": lambda h: h.worker_identity,
    "HostName": lambda h: h.host_info.host_name,
    "TaskQueue": lambda h: h.task_queue,
    "DeploymentName": lambda h: h.deployment_version.deployment_name,
    "BuildId": lambda h: h.deployment_version.build_id,
    "SdkName": lambda h: h.sdk_name,
    "SdkVersion": lambda h: h.sdk_version,
    "WorkerStatus": _status,
    "Status": _status,
}
TIMES: Final[Mapping[str, Callable[[WorkerHeartbeat], int]]] = {
    "StartTime": lambda h: time_of(h.start_time),
    "HeartbeatTime": lambda h: time_of(h.heartbeat_time),
}
_COMPARE: Final[Mapping[Operator, Callable[[int, int], bool]]] = {
    Operator.EQ: int.__eq__,
    Operator.NE: int.__ne__,
    Operator.LT: int.__lt__,
    Operator.LE: int.__le__,
    Operator.GT: int.__gt__,
    Operator.GE: int.__ge__,
}
_NEVER: Final = nodes.In(Attribute("", KEYWORD), ())


class _Conditions(Conditions):
    """Conditions on what a heartbeat tells."""

    def __init__(self) -> None:
        super().__init__({}, WORKFLOWS)

    def is_null(self, name: Token, negated: bool) -> Condition:
        attribute = _attribute(name)
        return nodes.IsNull(attribute, negated) if attribute is not None else _NEVER

    def compare(self, name: Token, operator: Operator, symbol: Token, literal: Literal) -> Condition:
        attribute, values = _attribute(name), _values(name, (literal,))
        if attribute is None or not values:
            return _NEVER
        if attribute.kind == KEYWORD and operator not in (Operator.EQ, Operator.NE):
            return _NEVER
        return nodes.Compare(attribute, operator, values[0])

    def is_in(self, name: Token, keyword: Token, literals: Sequence[Literal], negated: bool) -> Condition:
        attribute, values = _attribute(name), _values(name, literals)
        return nodes.In(attribute, values, negated) if attribute is not None and values else _NEVER

    def between(self, name: Token, keyword: Token, low: Literal, high: Literal, negated: bool) -> Condition:
        attribute, values = _attribute(name), _values(name, (low, high))
        if attribute is None or attribute.kind != DATETIME or not values:
            return _NEVER
        return nodes.Between(attribute, values[0], values[1], negated)

    def starts_with(self, name: Token, keyword: Token, literal: Literal, negated: bool) -> Condition:
        attribute, values = _attribute(name), _values(name, (literal,))
        if attribute is None or attribute.kind != KEYWORD or not values:
            return _NEVER
        return nodes.StartsWith(attribute, str(values[0]), negated)


def _attribute(name: Token) -> Attribute | None:
    text = "Status" if name.value == "status" else str(name.value)
    if text in TEXTS:
        return Attribute(text, KEYWORD)
    return Attribute(text, DATETIME) if text in TIMES else None


def _values(name: Token, literals: Sequence[Literal]) -> tuple[nodes.FilterValue, ...]:
    """The literals as values of the attribute; none at all if one does not fit."""
    attribute = _attribute(name)
    if attribute is None:
        return ()
    try:
        values = tuple(convert(attribute, literal, status_is_text=True) for _, literal in literals)
    except Mismatch:
        return ()
    return values if all(value != "" for value in values) else ()


def parse_worker_filter(text: str) -> Met:
    """Tells of a heartbeat whether the filter's worker is asked for; an empty filter asks for all.

    Raises FilterError (INVALID_ARGUMENT), which names the position and the token.
    """
    if not text.strip():
        return lambda heartbeat: True
    where = Parser(tokenize(text), _Conditions()).filter().where
    return lambda heartbeat: where is None or _met(where, heartbeat)


def _met(node: Node, heartbeat: WorkerHeartbeat) -> bool:
    if isinstance(node, nodes.And):
        return all(_met(term, heartbeat) for term in node.terms)
    if isinstance(node, nodes.Or):
        return any(_met(term, heartbeat) for term in node.terms)
    if isinstance(node, nodes.Not):
        return not _met(node.term, heartbeat)
    if isinstance(node, nodes.In) and not node.values:
        return False
    if node.attribute.kind == KEYWORD:
        return _text_met(node, TEXTS[node.attribute.name](heartbeat))
    return _time_met(node, TIMES[node.attribute.name](heartbeat))


def _text_met(node: Condition, value: str) -> bool:
    if isinstance(node, nodes.Compare):
        return (value == node.value) == (node.operator is Operator.EQ)
    if isinstance(node, nodes.In):
        return (value in node.values) != node.negated
    if isinstance(node, nodes.StartsWith):
        return value.startswith(node.prefix) != node.negated
    return (not value) != node.negated


def _time_met(node: Condition, value: int) -> bool:
    """A time that the worker has not told is before all others, and between none."""
    if isinstance(node, nodes.Compare):
        assert isinstance(node.value, int), "a Datetime's value is nanoseconds"
        return _COMPARE[node.operator](value, node.value)
    if isinstance(node, nodes.In):
        return (value in node.values) != node.negated
    if isinstance(node, nodes.Between):
        assert isinstance(node.low, int), "a Datetime's values are nanoseconds"
        assert isinstance(node.high, int), "a Datetime's values are nanoseconds"
        return bool(value) and (node.low <= value <= node.high) != node.negated
    return (not value) != node.negated
