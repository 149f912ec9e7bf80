"""The list-filter grammar: what is taken and as what, what is refused and where."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core import visibility as vis
from outlive.core.filter import ACTIVITIES, SCHEDULES, WORKFLOWS, FilterError, Scope, parse_filter
from outlive.core.filter.nodes import (
    And,
    Attribute,
    Between,
    Compare,
    In,
    IsNull,
    Node,
    Not,
    Operator,
    Or,
    ParsedFilter,
    StartsWith,
)
from outlive.errors import InvalidArgument

TYPES: vis.AttributeTypes = {
    **vis.SYSTEM_ATTRIBUTES,
    **vis.PREDEFINED_ATTRIBUTES,
    "Customer": vis.KEYWORD,
    "Amount": vis.INT,
    "Weight": vis.DOUBLE,
    "Urgent": vis.BOOL,
    "Due": vis.DATETIME,
    "Tags": vis.KEYWORD_LIST,
    "Note": vis.TEXT,
    "two words": vis.KEYWORD,
    "Order": vis.KEYWORD,
}
CUSTOMER, AMOUNT = Attribute("Customer", vis.KEYWORD), Attribute("Amount", vis.INT)
STATUS, WORKFLOW_ID = Attribute("ExecutionStatus", vis.KEYWORD), Attribute("WorkflowId", vis.KEYWORD)
A, B, C = (Compare(AMOUNT, Operator.EQ, n) for n in (1, 2, 3))


def where(text: str, scope: Scope = WORKFLOWS) -> Node | None:
    return parse_filter(text, TYPES, scope).where


@pytest.mark.parametrize("text", ["", " ", "\n\t "])
def test_nothing_selects_all(text: str) -> None:
    assert parse_filter(text, TYPES) == ParsedFilter()


@pytest.mark.parametrize(
    ("text", "node"),
    [
        ("Amount = 1", A),
        ("Amount=1;", A),
        ("`Amount` = +1", A),
        ("Amount = 1 -- the rest is silence", A),
        ("/* x */ Amount /* ; */ = 1 # y", A),
        ("Amount = 1 // z\n AND Amount = 2", And((A, B))),
        ("Amount = 1 and Amount = 2 AND Amount = 3", And((A, B, C))),
        ("Amount = 1 && Amount = 2 || Amount = 3", Or((And((A, B)), C))),
        ("Amount = 1 OR Amount = 2 AND Amount = 3", Or((A, And((B, C))))),
        ("(Amount = 1 OR Amount = 2) AND Amount = 3", And((Or((A, B)), C))),
        ("NOT Amount = 1 AND Amount = 2", And((Not(A), B))),
        ("not (NOT Amount = 1)", Not(Not(A))),
        ("((Amount = 1))", A),
        ("Amount = -1", Compare(AMOUNT, Operator.EQ, -1)),
        ("Amount <> 1e2", Compare(AMOUNT, Operator.NE, 100.0)),
        ("Amount >= .5", Compare(AMOUNT, Operator.GE, 0.5)),
        ("Amount < 9223372036854775808", Compare(AMOUNT, Operator.LT, 2.0**63)),
        ("Amount BETWEEN 1 AND 2 AND Amount = 3", And((Between(AMOUNT, 1, 2), C))),
        ("Amount NOT BETWEEN -1 AND 2", Between(AMOUNT, -1, 2, True)),
        ("Amount IN (1, 2, 1)", In(AMOUNT, (1, 2))),
        ("Customer NOT IN ('a')", In(CUSTOMER, ("a",), True)),
        ("Customer IS NULL", IsNull(CUSTOMER)),
        ("Customer is not null", IsNull(CUSTOMER, True)),
        ("Customer STARTS_WITH 'a'", StartsWith(CUSTOMER, "a")),
        ("Customer NOT starts_with ''", StartsWith(CUSTOMER, "", True)),
        ("`two words` IS NULL", IsNull(Attribute("two words", vis.KEYWORD))),
        ("`Order` IS NULL", IsNull(Attribute("Order", vis.KEYWORD))),
        ("Urgent = TRUE", Compare(Attribute("Urgent", vis.BOOL), Operator.EQ, True)),
        ("Due < '1970-01-01T00:00:01Z'", Compare(Attribute("Due", vis.DATETIME), Operator.LT, 10**9)),
        ("Due < -5", Compare(Attribute("Due", vis.DATETIME), Operator.LT, -5)),
        ("ExecutionStatus = 'TimedOut'", Compare(STATUS, Operator.EQ, 7)),
        ("ExecutionStatus IN ('Running', 2)", In(STATUS, (1, 2))),
        ("ExecutionStatus = 'WORKFLOW_EXECUTION_STATUS_PAUSED'", Compare(STATUS, Operator.EQ, 8)),
        ("SchedulePaused = true", Compare(Attribute("TemporalSchedulePaused", vis.BOOL), Operator.EQ, True)),
        ("TemporalWorkflowId = 'x'", Compare(WORKFLOW_ID, Operator.EQ, "x")),
        ("ScheduleId = 'x'", Compare(WORKFLOW_ID, Operator.EQ, "x")),
        ("Amount = 1 HAVING whatever (it, is)", A),
    ],
)
def test_taken(text: str, node: Node) -> None:
    assert where(text) == node


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        ("'a'", "a"),
        ('"a"', "a"),
        ("''", ""),
        ("'it''s'", "it's"),
        (r"'it\'s'", "it's"),
        ('"it\'s"', "it's"),
        ('"say ""a"""', 'say "a"'),
        (r'"say \"a\""', 'say "a"'),
        ("'say \"\"'", 'say ""'),
        (r"'a\bc'", r"a\bc"),
        (r"'a\\c'", r"a\\c"),
        (r"'100\%'", "100%"),
        ("'日本 -- no comment'", "日本 -- no comment"),
    ],
)
def test_texts(literal: str, value: str) -> None:
    assert where(f"Customer = {literal}") == Compare(CUSTOMER, Operator.EQ, value)


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("5", 5),
        ("'5'", 5),
        ("'-5'", -5),
        ("'1h30m'", 5400 * 10**9),
        ("'-1.5h'", -5400 * 10**9),
        ("'2d3h'", 51 * 3600 * 10**9),
        ("'.5s'", 5 * 10**8),
        ("'1ms1us1ns'", 1_001_001),
        ("'1µs'", 1000),
        ("'01:30:00'", 5400 * 10**9),
        ("'100:00:00.25'", 360_000 * 10**9 + 25 * 10**7),
    ],
)
def test_durations(text: str, nanoseconds: int) -> None:
    duration = Attribute("ExecutionDuration", vis.INT)
    assert where(f"ExecutionDuration > {text}") == Compare(duration, Operator.GT, nanoseconds)


@pytest.mark.parametrize(
    "text",
    [
        "'1 h'",
        "'1w'",
        "'1H'",
        "''",
        "'h'",
        "'1h-30m'",
        "'00:60:00'",
        "'-01:00:00'",
        "'9223372036854775808'",
        "'200000d'",
        "true",
        "1.5",
        "'1_0'",
        "'" + "9" * 5000 + "h'",
    ],
)
def test_no_durations(text: str) -> None:
    with pytest.raises(FilterError, match="duration"):
        where(f"ExecutionDuration > {text}")


@pytest.mark.parametrize(
    ("text", "position", "token"),
    [
        ("Nonsense = 1", 1, "Nonsense"),
        ("amount = 1", 1, "amount"),
        ("Amount = 1 AND Amount = 'x'", 25, "'x'"),
        ("Amount = '1'", 10, "'1'"),
        ("Amount = true", 10, "true"),
        ("Amount = 1,", 11, ","),
        ("Amount = 1 Amount", 12, "Amount"),
        ("Amount = 1;;", 12, ";"),
        (";", 1, ";"),
        ("Amount", 7, ""),
        ("Amount =", 9, ""),
        ("Amount == 1", 9, "="),
        ("Amount = 1_000", 10, "1_000"),
        ("Amount = 0x2A", 10, "0x2A"),
        ("Amount = 1e999", 10, "1e999"),
        ("Amount = --1", 13, ""),
        ("Amount = (1)", 10, "("),
        ("Amount = Weight", 10, "Weight"),
        ("Amount = 1 + 1", 12, "+"),
        ("Amount IN ()", 12, ")"),
        ("Amount IN (1,)", 14, ")"),
        ("Amount IN 1", 11, "1"),
        ("Amount LIKE 1", 8, "LIKE"),
        ("Amount IS TRUE", 11, "TRUE"),
        ("Amount = NULL", 10, "NULL"),
        ("Amount NOT 1", 12, "1"),
        ("Amount STARTS_WITH '1'", 8, "STARTS_WITH"),
        ("Note > 'x'", 6, ">"),
        ("Note IN ('x')", 6, "IN"),
        ("Note = ' '", 8, "' '"),
        ("Tags BETWEEN 'a' AND 'b'", 6, "BETWEEN"),
        ("Urgent BETWEEN false AND true", 8, "BETWEEN"),
        ("Urgent = 'true'", 10, "'true'"),
        ("Due = '2026-02-30T00:00:00Z'", 7, "'2026-02-30T00:00:00Z'"),
        ("Due = 1.5", 7, "1.5"),
        ("ExecutionStatus = 'running'", 19, "'running'"),
        ("ExecutionStatus = 99", 19, "99"),
        ("ExecutionStatus STARTS_WITH 'R'", 17, "STARTS_WITH"),
        ("Customer = 'open", 12, "'open"),
        ("Customer = “a”", 12, "“"),
        ("Customer = 'a' /* open", 16, "/* open"),
        ("(Amount = 1", 12, ""),
        ("Amount = 1)", 11, ")"),
        ("()", 2, ")"),
        ("ORDER BY Amount", 1, "ORDER"),
        ("Amount = 1 LIMIT 1", 12, "LIMIT"),
        ("Order = 1", 1, "Order"),
        ("GROUP BY Amount", 10, "Amount"),
        ("GROUP BY ExecutionStatus, Amount", 25, ","),
        ("GROUP BY", 9, ""),
        ("HAVING 1", 1, "HAVING"),
        ("Amount = 1 HAVING", 18, ""),
        ("Amount = 1\0", 11, "\0"),
        ("ActivityId = 'x'", 1, "ActivityId"),
    ],
)
def test_refused(text: str, position: int, token: str) -> None:
    with pytest.raises(FilterError) as caught:
        where(text)
    assert (caught.value.position, caught.value.token) == (position, token) or (
        caught.value.position == position and caught.value.token.startswith(token) and token
    )
    assert isinstance(caught.value, InvalidArgument)
    assert str(caught.value).startswith("invalid query: ")
    assert f"at position {position}, {'near' if token else 'the end'}" in str(caught.value)


def test_bounds() -> None:
    assert where("(" * 199 + "Amount = 1" + ")" * 199) == A
    assert where("NOT " * 198 + "Amount = 1") is not None
    assert isinstance(where(" OR ".join(["Amount = 1"] * 995)), Or)
    for text in ("(" * 200 + "Amount = 1" + ")" * 200, " OR ".join(["Amount = 1"] * 996), "NOT " * 100_000):
        with pytest.raises(FilterError, match="more than"):
            where(text)
    assert isinstance(where(f"Amount IN ({','.join(map(str, range(40_000)))})"), In)
    for text in (f"Note = '{'w ' * 1001}'", f"Customer = '{'k' * 500_000}'"):
        with pytest.raises(FilterError):
            where(text)


@pytest.mark.parametrize("text", ["GROUP BY ExecutionStatus", "Amount = 1 group by `ExecutionStatus` ;"])
def test_group_by(text: str) -> None:
    assert parse_filter(text, TYPES).group_by == STATUS


def test_the_division_of_each_scope() -> None:
    for scope, division in ((WORKFLOWS, None), (SCHEDULES, "TemporalScheduler"), (ACTIVITIES, "3332429922")):
        assert parse_filter("", TYPES, scope).division == division
        assert parse_filter("Amount = 1", TYPES, scope) == ParsedFilter(A, division=division)
    assert parse_filter("NamespaceDivision IS NULL", TYPES).names_division
    assert parse_filter("GROUP BY TemporalNamespaceDivision", TYPES).names_division


@pytest.mark.parametrize(
    "name", ["WorkflowId", "ExecutionStatus", "StartTime", "BuildIds", "TemporalNamespaceDivision"]
)
def test_schedules_have_few_attributes(name: str) -> None:
    with pytest.raises(FilterError, match="cannot filter schedules"):
        where(f"{name} IS NULL", SCHEDULES)


def test_ids_of_schedules_have_a_prefix() -> None:
    prefix = "temporal-sys-scheduler:"
    assert where("ScheduleId IN ('a', 'b')", SCHEDULES) == In(WORKFLOW_ID, (prefix + "a", prefix + "b"))
    assert where("ScheduleId STARTS_WITH 'a'", SCHEDULES) == StartsWith(WORKFLOW_ID, prefix + "a")
    assert where("ScheduleId BETWEEN 'a' AND 'b'", SCHEDULES) == Between(WORKFLOW_ID, prefix + "a", prefix + "b")


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("ExecutionStatus = 'Running'", {1}),
        ("ExecutionStatus != 'Nonsense'", set(range(9))),
        ("ExecutionStatus IN ('Failed', 'x')", {3}),
        ("ExecutionStatus NOT IN ('Failed', 'x')", set(range(9)) - {3}),
        ("ExecutionStatus STARTS_WITH 'c'", {2, 4, 6}),
        ("ExecutionStatus BETWEEN 'Q' AND 'S'", {1}),
        ("ExecutionStatus >= 'Timed'", {7, 0}),
    ],
)
def test_status_of_activities_is_text(text: str, numbers: set[int]) -> None:
    node = where(text, ACTIVITIES)
    assert isinstance(node, In)
    assert (node.attribute, set(node.values), node.negated) == (STATUS, numbers, False)


def test_status_of_activities_is_no_number() -> None:
    with pytest.raises(FilterError):
        where("ExecutionStatus = 1", ACTIVITIES)


# ---- written out and read again ----

NAMES = {
    name: kind for name, kind in TYPES.items() if name not in ("ExecutionStatus", "ExecutionDuration", "ScheduleId")
}
VALUES: dict[int, st.SearchStrategy[Any]] = {
    vis.KEYWORD: st.text(st.characters(exclude_characters="\0\\", exclude_categories=["Cs"]), max_size=8),
    vis.TEXT: st.lists(st.sampled_from(["quick", "it's", '"x"', "-- y"]), min_size=1, max_size=3).map(" ".join),
    vis.INT: st.integers(-(2**63) + 1, 2**63 - 1),
    vis.DOUBLE: st.floats(allow_nan=False, allow_infinity=False),
    vis.BOOL: st.booleans(),
    vis.DATETIME: st.integers(-(2**63) + 1, 2**63 - 1),
}
VALUES[vis.KEYWORD_LIST] = VALUES[vis.KEYWORD]


@st.composite
def conditions(draw: st.DrawFn) -> Node:
    attribute = Attribute(*draw(st.sampled_from(sorted(NAMES.items()))))
    values, negated = VALUES[attribute.kind], draw(st.booleans())
    form = draw(st.sampled_from(["compare", "null", "in", "between", "starts"]))
    if form == "in" and attribute.kind != vis.TEXT:
        return In(attribute, tuple(dict.fromkeys(draw(st.lists(values, min_size=1, max_size=4)))), negated)
    if form == "between" and attribute.kind not in (vis.TEXT, vis.KEYWORD_LIST, vis.BOOL):
        return Between(attribute, draw(values), draw(values), negated)
    if form == "starts" and attribute.kind == vis.KEYWORD:
        return StartsWith(attribute, draw(values), negated)
    if form == "compare":
        few = attribute.kind in (vis.TEXT, vis.KEYWORD_LIST)
        operator = draw(st.sampled_from([Operator.EQ, Operator.NE] if few else list(Operator)))
        return Compare(attribute, operator, draw(values))
    return IsNull(attribute, negated)


trees = st.recursive(
    conditions(),
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner.filter(lambda n: not isinstance(n, And)), min_size=2, max_size=3).map(lambda t: And(tuple(t))),
        st.lists(inner.filter(lambda n: not isinstance(n, Or)), min_size=2, max_size=3).map(lambda t: Or(tuple(t))),
    ),
    max_leaves=8,
)


def written(node: Node) -> str:
    if isinstance(node, Not):
        return f"NOT ({written(node.term)})"
    if isinstance(node, And | Or):
        return (" AND " if isinstance(node, And) else " OR ").join(f"({written(term)})" for term in node.terms)
    name = f"`{node.attribute.name}`"
    if isinstance(node, Compare):
        return f"{name} {node.operator.value} {literal(node.value)}"
    negation = "NOT " if node.negated else ""
    if isinstance(node, IsNull):
        return f"{name} IS {negation}NULL"
    if isinstance(node, In):
        return f"{name} {negation}IN ({', '.join(map(literal, node.values))})"
    if isinstance(node, Between):
        return f"{name} {negation}BETWEEN {literal(node.low)} AND {literal(node.high)}"
    return f"{name} {negation}STARTS_WITH {literal(node.prefix)}"


def literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return str(value).lower() if isinstance(value, bool) else repr(value)


@settings(max_examples=300, deadline=None)
@given(trees)
def test_what_is_written_reads_the_same(tree: Node) -> None:
    assert where(written(tree)) == tree


TOKENS = [
    *(
        "Amount",
        "Customer",
        "(",
        ")",
        ",",
        ";",
        "=",
        "!=",
        "<",
        "<=",
        "'x'",
        "'it''s'",
        "1",
        "-1.5",
        "AND",
        "OR",
        "NOT",
    ),
    *("IN", "BETWEEN", "IS", "NULL", "STARTS_WITH", "TRUE", "`x`", "GROUP", "BY", "ExecutionStatus", "HAVING", "ORDER"),
    *("LIMIT", "--", "/*", "*/", "#", '"', "'", "\\", "é", "\0", "@", "~"),
]


@settings(max_examples=500, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=12).map(" ".join) | st.text(max_size=40))
def test_any_text_is_taken_or_refused_with_its_place(text: str) -> None:
    refused = None
    try:
        parse_filter(text, TYPES)
    except FilterError as error:
        refused = error
    if refused is not None:
        assert 1 <= refused.position <= len(text) + 1
        assert text[refused.position - 1 :].startswith(refused.token)
