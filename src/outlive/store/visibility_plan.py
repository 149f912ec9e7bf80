"""Which index a list follows.

SQLite keeps no statistics that would tell a value of ten rows from one of a million, so the choice is made
here. An *ordered* path yields rows in the order of lists: the first page costs the page, however many rows
there are. Other paths collect their rows and sort them (by an index alone, where it has the sort key), so they
serve only while they are few: each is counted up to `FEW`, and the narrowest wins. If none is narrow, the list
follows an ordered path and looks at each row: what is not rare is found soon.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from outlive.core.filter.nodes import (
    And,
    Between,
    Compare,
    Condition,
    In,
    IsNull,
    Node,
    Operator,
    StartsWith,
)
from outlive.core.visibility import KEYWORD_LIST, TEXT
from outlive.store.visibility_sql import (
    BUILD_IDS,
    COLUMNS,
    TEXT_MATCHES,
    UNVERSIONED,
    Sql,
    compare,
    keyword_list_values,
    match_words,
    one_of,
)

FEW: Final = 10_000  # rows that may be collected and sorted for one page: about 10 ms


@dataclass(frozen=True, slots=True)
class Path:
    """A FROM clause with the row `v` of `visibility` in it, and the sort key's columns.

    `where` goes with it; `probe` selects a row for each that the path leads to, to be counted. An `ordered` path
    follows an index in the order of lists; a `sorted` one has sorted what it collected.
    """

    source: Sql
    where: Sql
    probe: Sql
    ordered: bool
    key: tuple[str, str, str] = ("v.closed", "v.started", "v.id")
    sorted: bool = False


@dataclass(frozen=True, slots=True)
class Division:
    """The namespace division of the rows wanted: `known` if it is one, then `value` says which."""

    known: bool
    value: str | None = None

    @property
    def where(self) -> Sql:
        return Sql("v.division IS ?", (self.value,)) if self.known else Sql("1")


def conjuncts(where: Node | None) -> list[Condition]:
    """The conditions that every row meets: the whole filter, or its parts if AND joins them."""
    if where is None:
        return []
    if isinstance(where, And):
        return [term for part in where.terms for term in conjuncts(part)]
    return [where] if isinstance(where, Condition) else []


def may_have_status(conditions: list[Condition], status: int) -> bool:
    """Whether the conditions on the status leave room for this one."""
    return all(
        _status_meets(node, status)
        for node in conditions
        if isinstance(node, Compare | In) and node.attribute.name == "ExecutionStatus"
    )


def _status_meets(node: Compare | In, status: int) -> bool:
    if isinstance(node, In):
        return (status in node.values) != node.negated
    value = int(node.value)
    return {
        Operator.EQ: status == value,
        Operator.NE: status != value,
        Operator.LT: status < value,
        Operator.LE: status <= value,
        Operator.GT: status > value,
        Operator.GE: status >= value,
    }[node.operator]


def division_of(conditions: list[Condition], named: bool, default: str | None) -> Division:
    """The division that a filter asks for: the default unless it names TemporalNamespaceDivision."""
    if not named:
        return Division(True, default)
    for node in conditions:
        if node.attribute.name == "TemporalNamespaceDivision":
            if isinstance(node, IsNull) and not node.negated:
                return Division(True, None)
            if isinstance(node, Compare) and node.operator is Operator.EQ:
                return Division(True, str(node.value))
    return Division(False)


def choose(
    conditions: list[Condition], namespace: int, division: Division, count: Callable[[Sql], int], index: str
) -> Path:
    """The path for a list or count. `count` tells how many rows a probe has, up to a bound above FEW.

    `index` is the one to follow if all rows must be looked at; SQLite may choose one if it is empty.
    """
    paths = [path for node in conditions if (path := _path(node, namespace, division)) is not None]
    ordered = [path for path in paths if path.ordered]
    if len(paths) > 1 or not ordered:
        sized = sorted((count(path.probe), i) for i, path in enumerate(paths))
        if sized and sized[0][0] <= FEW:
            return paths[sized[0][1]]
    if ordered:
        return ordered[0]
    if not division.known and any(_is_in_some_division(node) for node in conditions):
        return _collected(_rows(namespace, Sql("v.division >= ''")), namespace, division)
    return _in_order(index, namespace, division, Sql("1"))


def with_status(status: int, namespace: int, division: Division) -> Path:
    """The path to all of one status."""
    return _in_order("visibility_status", namespace, division, Sql("v.status = ?", (status,)))


def _is_in_some_division(node: Condition) -> bool:
    """Whether the condition leaves workflows out, which are most rows of most namespaces."""
    named = node.attribute.name == "TemporalNamespaceDivision"
    return named and not (isinstance(node, IsNull) and not node.negated)


def _in_order(index: str, namespace: int, division: Division, condition: Sql) -> Path:
    hint = f" INDEXED BY {index}" if index and division.known else ""
    parameters = (namespace, *division.where.parameters, *condition.parameters)
    where = Sql(f"v.namespace = ? AND {division.where.text} AND {condition.text}", parameters)
    source = Sql(f"visibility v{hint}")
    return Path(source, where, Sql(f"SELECT 1 FROM {source.text} WHERE {where.text}", parameters), True)


def _collected(select: Sql, namespace: int, division: Division) -> Path:
    """Through a subquery for ids. CROSS JOIN keeps SQLite from starting at the other end."""
    source = Sql(f"({select.text}) d CROSS JOIN visibility v ON v.id = d.id", select.parameters)
    where = Sql(f"v.namespace = ? AND {division.where.text}", (namespace, *division.where.parameters))
    return Path(source, where, select, False)


def _path(node: Condition, namespace: int, division: Division) -> Path | None:
    """The path that begins at one condition, if there is an index for it."""
    name = node.attribute.name
    if name in ("ExecutionStatus", "WorkflowType"):
        return _grouped(node, namespace, division)
    if name not in COLUMNS and node.attribute.kind != TEXT:
        return _attribute(node, namespace, division)
    select = _column(node, namespace) if name in COLUMNS else _words(node, namespace)
    return None if select is None else _collected(select, namespace, division)


def _grouped(node: Condition, namespace: int, division: Division) -> Path | None:
    if not division.known:
        return None
    column = COLUMNS[node.attribute.name]
    index = "visibility_status" if column == "status" else "visibility_type"
    if isinstance(node, Compare) and node.operator is Operator.EQ:
        return _in_order(index, namespace, division, Sql(f"v.{column} = ?", (node.value,)))
    if isinstance(node, In) and not node.negated:
        member = one_of(f"v.{column}", node.values)
        path = _in_order(index, namespace, division, member)
        return _collected(
            Sql(f"SELECT v.id FROM {path.source.text} WHERE {path.where.text}", path.where.parameters),
            namespace,
            division,
        )
    return None


def _column(node: Condition, namespace: int) -> Sql | None:
    """Ids of the rows that meet a condition on a column, or perhaps of some more."""
    column = COLUMNS[node.attribute.name]
    if column == "started":
        return _rows(namespace, compare("v.started", node)) if _is_range(node) else None
    if column == "workflow_id":
        return _workflow_id(node, namespace)
    if column == "root_workflow_id":
        return _root(node, namespace)
    if column in ("run_id", "task_queue", "parent_workflow_id") and _is_member(node):
        return _rows(namespace, compare(f"v.{column}", node))
    return None


def _rows(namespace: int, condition: Sql) -> Sql:
    text = f"SELECT v.id FROM visibility v WHERE v.namespace = ? AND {condition.text}"
    return Sql(text, (namespace, *condition.parameters))


def _is_member(node: Condition) -> bool:
    if isinstance(node, Compare):
        return node.operator is Operator.EQ
    return isinstance(node, In) and not node.negated


def _is_range(node: Condition) -> bool:
    if isinstance(node, Compare):
        return node.operator is not Operator.NE
    return isinstance(node, Between | In) and not node.negated


def _is_prefix(node: Condition) -> bool:
    return isinstance(node, StartsWith) and not node.negated and node.prefix != ""


def _workflow_id(node: Condition, namespace: int) -> Sql | None:
    """The index ignores ASCII case, for STARTS_WITH: the exact comparison is made besides."""
    column = "v.workflow_id COLLATE NOCASE"
    if isinstance(node, StartsWith):
        return _rows(namespace, prefix_range(column, node.prefix)) if _is_prefix(node) else None
    if not _is_member(node):
        return None
    values = node.values if isinstance(node, In) else (node.value,) if isinstance(node, Compare) else ()
    return _rows(namespace, one_of(column, values))


def prefix_range(expression: str, prefix: str) -> Sql:
    """The range that has all texts with the prefix, whatever the case of ASCII letters."""
    lower = "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in prefix)
    upper = lower.rstrip("\U0010ffff")
    if not upper:
        return Sql(f"{expression} >= ?", (lower,))
    following = ord(upper[-1]) + 1
    if following in (0xD800, ord("A")):
        following = 0xE000 if following == 0xD800 else ord("[")  # no surrogates; capitals sort as small ones
    bound = upper[:-1] + chr(following)
    return Sql(f"{expression} >= ? AND {expression} < ?", (lower, bound))


def _root(node: Condition, namespace: int) -> Sql | None:
    """A root's own runs are found by its workflow id: only the others are in the index of roots."""
    if not isinstance(node, Compare) or node.operator is not Operator.EQ:
        return None
    descendants = Sql("v.root_workflow_id = ? AND v.root_workflow_id <> v.workflow_id", (node.value,))
    parts = [_rows(namespace, part) for part in (descendants, Sql("v.workflow_id = ? COLLATE NOCASE", (node.value,)))]
    return Sql(" UNION ".join(part.text for part in parts), parts[0].parameters + parts[1].parameters)


def _words(node: Condition, namespace: int) -> Sql | None:
    if not isinstance(node, Compare) or node.operator is not Operator.EQ:
        return None
    return Sql(f"{TEXT_MATCHES} AND t.namespace = ?", (match_words(node), node.attribute.name, namespace))


def _attribute(node: Condition, namespace: int, division: Division) -> Path | None:
    condition = _attribute_range(node)
    if condition is None:
        return None
    where = Sql(
        f"d.namespace = ? AND d.name = ? AND d.kind = ? AND {condition.text}",
        (namespace, node.attribute.name, int(node.attribute.kind), *condition.parameters),
    )
    table = "visibility_attribute d INDEXED BY visibility_attribute_value"
    if not (isinstance(node, Compare) and node.operator is Operator.EQ):
        return _sorted(table, where, namespace, division)
    return Path(
        Sql(f"{table} CROSS JOIN visibility v ON v.id = d.execution"),
        Sql(f"{where.text} AND {division.where.text}", where.parameters + division.where.parameters),
        Sql(f"SELECT 1 FROM {table} WHERE {where.text}", where.parameters),
        ordered=True,
        key=("d.closed", "d.started", "d.execution"),
    )


def _sorted(table: str, where: Sql, namespace: int, division: Division) -> Path:
    """The rows of a range of values: sorted by what the index has, so that only a page's rows are looked up.

    LIMIT keeps SQLite from leaving the subquery's order out, and CROSS JOIN from starting at the other end.
    """
    select = (
        f"SELECT d.execution AS id, max(d.closed) AS closed, max(d.started) AS started FROM {table} "
        f"WHERE {where.text} GROUP BY d.execution ORDER BY 2 DESC, 3 DESC, 1 DESC LIMIT -1"
    )
    path = _collected(Sql(select, where.parameters), namespace, division)
    probe = Sql(f"SELECT DISTINCT d.execution FROM {table} WHERE {where.text}", where.parameters)
    return replace(path, probe=probe, key=("d.closed", "d.started", "d.id"), sorted=True)


def _attribute_range(node: Condition) -> Sql | None:
    """A condition on `d.value` that the index serves: the same rows, or more where case is ignored."""
    if isinstance(node, IsNull):
        return Sql("1") if node.negated and node.attribute.name != BUILD_IDS else None
    if node.attribute.kind == KEYWORD_LIST:
        values = keyword_list_values(node)
        negated = node.operator is Operator.NE if isinstance(node, Compare) else node.negated
        if negated or (node.attribute.name == BUILD_IDS and UNVERSIONED in values):
            return None
        return Sql("d.value = ?", values) if isinstance(node, Compare) else one_of("d.value", values)
    if isinstance(node, StartsWith):
        return prefix_range("d.value", node.prefix) if _is_prefix(node) else None
    if not _is_range(node):
        return None
    if isinstance(node, Compare):
        if isinstance(node.value, str) and node.operator is not Operator.EQ:
            return None
        return Sql(f"d.value {node.operator.value} ?", (node.value,))
    if isinstance(node, In):
        return one_of("d.value", node.values)
    if isinstance(node.low, str):
        return None
    return Sql("d.value BETWEEN ? AND ?", (node.low, node.high))
