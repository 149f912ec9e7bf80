"""Conditions of a list filter as SQL on the row `v` of `visibility`, with bound parameters.

NOT is moved to the conditions first, which three-valued logic allows; so each condition stands for the rows
where it is true, and a null needs no care beyond SQL's own.
"""

from __future__ import annotations

import array
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import apsw

from outlive.core.filter.nodes import (
    And,
    Between,
    Compare,
    Condition,
    FilterValue,
    In,
    IsNull,
    Node,
    Not,
    Operator,
    Or,
    StartsWith,
)
from outlive.core.visibility import KEYWORD_LIST, TEXT
from outlive.store.visibility_schema import STILL_OPEN

COLUMNS: Final = {
    "WorkflowId": "workflow_id",
    "RunId": "run_id",
    "WorkflowType": "workflow_type",
    "TaskQueue": "task_queue",
    "ExecutionStatus": "status",
    "StartTime": "started",
    "ExecutionTime": "executed",
    "CloseTime": "closed",
    "ExecutionDuration": "duration",
    "HistoryLength": "history_length",
    "HistorySizeBytes": "history_size",
    "StateTransitionCount": "transitions",
    "ParentWorkflowId": "parent_workflow_id",
    "ParentRunId": "parent_run_id",
    "RootWorkflowId": "root_workflow_id",
    "RootRunId": "root_run_id",
    "TemporalNamespaceDivision": "division",
}
"""Attributes that are columns; all others are in `visibility_attribute` or, if Text, `visibility_text`."""

BUILD_IDS: Final = "BuildIds"
UNVERSIONED: Final = "unversioned"
"""The build id that nearly every run has: a column of its own, and no row in `visibility_attribute`."""

_NEGATED: Final = {
    Operator.EQ: Operator.NE,
    Operator.NE: Operator.EQ,
    Operator.LT: Operator.GE,
    Operator.LE: Operator.GT,
    Operator.GT: Operator.LE,
    Operator.GE: Operator.LT,
}


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and the parameters of its question marks."""

    text: str
    parameters: tuple[Any, ...] = ()


def normal(node: Node, negate: bool = False) -> Node:
    """The same condition without NOT."""
    if isinstance(node, Not):
        return normal(node.term, not negate)
    if isinstance(node, And | Or):
        kind = Or if isinstance(node, And) == negate else And
        return kind(tuple(normal(term, negate) for term in node.terms))
    if not negate:
        return node
    if isinstance(node, Compare):
        return replace(node, operator=_NEGATED[node.operator])
    return replace(node, negated=not node.negated)


def condition(node: Node) -> Sql:
    """A filter in normal form as SQL."""
    if isinstance(node, And):
        return _joined(" AND ", [condition(term) for term in node.terms])
    if isinstance(node, Or):
        return _joined(" OR ", [condition(term) for term in node.terms])
    if isinstance(node, Not):
        raise TypeError("a filter in normal form has no NOT")
    if node.attribute.name == "CloseTime":
        return _close_time(node)
    column = COLUMNS.get(node.attribute.name)
    if column is not None:
        return compare(f"v.{column}", node)
    if node.attribute.kind == TEXT:
        return _text(node)
    if node.attribute.kind == KEYWORD_LIST:
        return _keyword_list(node)
    return _attribute(node)


def _joined(word: str, terms: Sequence[Sql]) -> Sql:
    """All terms, in a balanced tree: SQLite's limit on the depth of an expression is 1,000."""
    if len(terms) == 1:
        return terms[0]
    middle = len(terms) // 2
    left, right = _joined(word, terms[:middle]), _joined(word, terms[middle:])
    return Sql(f"({left.text}{word}{right.text})", left.parameters + right.parameters)


def compare(expression: str, node: Condition, exact: str = "") -> Sql:
    """A condition on an expression. `exact` is the collation to compare with, if not the expression's."""
    if isinstance(node, Compare):
        return Sql(f"{expression}{exact} {node.operator.value} ?", (node.value,))
    if isinstance(node, In):
        return one_of(f"{expression}{exact}", node.values, negated=node.negated)
    if isinstance(node, Between):
        negation = "NOT " if node.negated else ""
        return Sql(f"{expression}{exact} {negation}BETWEEN ? AND ?", (node.low, node.high))
    if isinstance(node, StartsWith):
        operator = "<>" if node.negated else "="
        prefix = node.prefix
        return Sql(f"substr({expression}, 1, ?) {operator} ? COLLATE NOCASE", (len(prefix), prefix))
    return Sql(f"{expression} IS {'NOT ' if node.negated else ''}NULL")


def one_of(expression: str, values: Sequence[FilterValue], *, negated: bool = False) -> Sql:
    """Membership. Several values go in as arrays, so that their number knows no bound of SQLite's."""
    if len(values) == 1:
        return Sql(f"{expression} {'<>' if negated else '='} ?", (values[0],))
    texts = tuple(value for value in values if isinstance(value, str))
    integers = array.array("q", (value for value in values if isinstance(value, int)))
    doubles = array.array("d", (value for value in values if isinstance(value, float)))
    operator = "NOT IN" if negated else "IN"
    arrays = [apsw.carray(part) for part in (texts, integers, doubles) if part]
    if not arrays:
        return Sql("1" if negated else "0")
    member = f"{expression} {operator} (SELECT value FROM carray(?))"
    return _joined(" AND " if negated else " OR ", [Sql(member, (part,)) for part in arrays])


def _close_time(node: Condition) -> Sql:
    if isinstance(node, IsNull):
        return Sql(f"v.closed {'<' if node.negated else '='} {STILL_OPEN}")
    comparison = compare("v.closed", node)
    return Sql(f"({comparison.text} AND v.closed < {STILL_OPEN})", comparison.parameters)


def _attribute(node: Condition) -> Sql:
    if isinstance(node, IsNull):
        return _exists(node, Sql("1"), negated=not node.negated)
    return _exists(node, compare("a.value", node, " COLLATE BINARY"))


def _exists(node: Condition, value: Sql, *, negated: bool = False) -> Sql:
    text = (
        f"{'NOT ' if negated else ''}EXISTS (SELECT 1 FROM visibility_attribute a WHERE a.execution = v.id"
        f" AND a.name = ? AND a.kind = ? AND {value.text})"
    )
    return Sql(text, (node.attribute.name, int(node.attribute.kind), *value.parameters))


def keyword_list_values(node: Condition) -> tuple[str, ...]:
    """The elements that = or IN looks for, as they are stored."""
    values = node.values if isinstance(node, In) else (node.value,) if isinstance(node, Compare) else ()
    return tuple(str(value).lower() for value in values)


def _keyword_list(node: Condition) -> Sql:
    """A list has or has not one of the values. A null has none."""
    if isinstance(node, IsNull):
        wanted, absent, unversioned = Sql("1"), not node.negated, True
    else:
        values = keyword_list_values(node)
        wanted = one_of("a.value", values)
        absent = node.operator is Operator.NE if isinstance(node, Compare) else _is_negated(node)
        unversioned = UNVERSIONED in values
    rows = _exists(node, wanted, negated=absent)
    if node.attribute.name != BUILD_IDS or not unversioned:
        return rows
    column, word = ("v.unversioned = 0", "AND") if absent else ("v.unversioned = 1", "OR")
    return Sql(f"({column} {word} {rows.text})", rows.parameters)


def _is_negated(node: Condition) -> bool:
    return not isinstance(node, Compare) and node.negated


def _text(node: Condition) -> Sql:
    name = node.attribute.name
    if isinstance(node, Compare):
        operator = "NOT IN" if node.operator is Operator.NE else "IN"
        return Sql(f"v.id {operator} ({TEXT_MATCHES})", (match_words(node), name))
    operator = "EXISTS" if _is_negated(node) else "NOT EXISTS"
    text = f"{operator} (SELECT 1 FROM visibility_text t WHERE t.execution = v.id AND t.name = ?)"
    return Sql(text, (name,))


TEXT_MATCHES: Final = (
    "SELECT t.execution AS id FROM visibility_words w CROSS JOIN visibility_text t ON t.id = w.rowid"
    " WHERE w.words MATCH ? AND t.name = ?"
)


def match_words(node: Compare) -> str:
    """The words of a Text's value for FTS5: any of them. One with punctuation within is a phrase."""
    return " OR ".join('"' + word.replace('"', '""') + '"' for word in str(node.value).split())
