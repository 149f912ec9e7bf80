"""The visibility store: what lists and counts find, in which order, by which path, and what writes leave."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outlive.core import visibility as vis
from outlive.core.filter import ACTIVITIES, SCHEDULES, WORKFLOWS, parse_filter
from outlive.core.filter.nodes import And, Between, Compare, In, IsNull, Node, Not, Operator, Or, StartsWith
from outlive.core.visibility import IndexedAttribute, VisibilityRecord
from outlive.errors import InvalidArgument
from outlive.store.visibility import SCHEMA, VisibilityStore

SPACE, OTHER = "namespace-1", "namespace-2"
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
}


def record(i: int, **changes: Any) -> VisibilityRecord:
    """The i-th run: started at i seconds, open."""
    run_id = f"run-{i:06}"
    made = VisibilityRecord(
        namespace_id=SPACE,
        workflow_id=f"order-{i:06}",
        run_id=run_id,
        workflow_type="Order",
        task_queue="queue",
        status=1,
        start_time=i * 10**9,
        execution_time=i * 10**9,
        root_workflow_id=f"order-{i:06}",
        root_run_id=run_id,
    )
    return replace(made, **changes)


def closed(i: int, at: int, status: int = 2, **changes: Any) -> VisibilityRecord:
    return record(i, status=status, close_time=at * 10**9, execution_duration=(at - i) * 10**9, **changes)


def attribute(name: str, value: Any) -> IndexedAttribute:
    return IndexedAttribute(name, TYPES[name], value)


@pytest.fixture
def connection() -> Iterator[apsw.Connection]:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA)
    yield connection
    connection.close()


@pytest.fixture
def store(connection: apsw.Connection) -> VisibilityStore:
    return VisibilityStore(connection)


def ids(store: VisibilityStore, query: str = "", namespace: str = SPACE, size: int = 1000) -> list[str]:
    return [r.workflow_id for r in store.list(parse_filter(query, TYPES), namespace, size).records]


def total(store: VisibilityStore, query: str = "", namespace: str = SPACE) -> int:
    return store.count(parse_filter(query, TYPES), namespace).total


# ---- what writes leave ----


def test_schema_may_run_twice(connection: apsw.Connection, store: VisibilityStore) -> None:
    store.upsert(record(1))
    connection.execute(SCHEMA)
    assert total(store) == 1


def test_a_record_comes_back_as_written(store: VisibilityStore) -> None:
    written = closed(
        3,
        9,
        status=3,
        history_length=11,
        history_size=2048,
        state_transition_count=6,
        parent_workflow_id="parent",
        parent_run_id="parent-run",
        memo=b"memo",
        search_attributes=b"attributes",
    )
    store.upsert(written)
    assert store.list(parse_filter("", TYPES), SPACE, 10).records == [written]


def test_attributes_are_found_changed_and_forgotten(connection: apsw.Connection, store: VisibilityStore) -> None:
    first = (
        attribute("Customer", "alpha"),
        attribute("Tags", ("Red", "red", "blue")),
        attribute("Note", "one two"),
    )
    store.upsert(record(1, indexed=first))
    assert ids(store, "Customer = 'alpha' AND Tags = 'RED' AND Note = 'two three'") == ["order-000001"]

    store.upsert(record(1, indexed=(attribute("Customer", "beta"), attribute("Note", "three"))))
    assert ids(store, "Customer = 'alpha' OR Tags IS NOT NULL OR Note = 'two'") == []
    assert ids(store, "Customer = 'beta' AND Note = 'three'") == ["order-000001"]

    store.upsert(record(1))
    assert ids(store, "Customer IS NULL AND Note IS NULL") == ["order-000001"]
    assert _side_rows(connection) == 0


def test_deleting_a_run_leaves_nothing_of_it(connection: apsw.Connection, store: VisibilityStore) -> None:
    indexed = (attribute("Customer", "alpha"), attribute("Note", "some words"))
    store.upsert(record(1, indexed=indexed))
    store.upsert(record(2))
    store.delete(SPACE, "run-000001")
    store.delete(SPACE, "run-000001")
    store.delete("nowhere", "run-000002")
    assert ids(store) == ["order-000002"]
    assert _side_rows(connection) == 0


def _side_rows(connection: apsw.Connection) -> int:
    counts = [
        connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0]
        for table in ("visibility_attribute", "visibility_text", "visibility_words_docsize")
    ]
    return sum(int(str(count)) for count in counts)


def test_a_name_with_another_type_shows_no_old_values(store: VisibilityStore) -> None:
    store.upsert(record(1, indexed=(IndexedAttribute("Customer", vis.INT, 5),)))
    assert ids(store, "Customer IS NULL") == ["order-000001"]
    assert ids(store, "Customer < 'zzz'") == []
    as_int = {**TYPES, "Customer": vis.INT}
    assert len(store.list(parse_filter("Customer > 4", as_int), SPACE, 10).records) == 1


def test_unversioned_is_a_build_id_like_others(connection: apsw.Connection, store: VisibilityStore) -> None:
    store.upsert(record(1, indexed=(attribute("BuildIds", ("unversioned",)),)))
    store.upsert(record(2, indexed=(attribute("BuildIds", ("v1", "unversioned")),)))
    store.upsert(record(3, indexed=(attribute("BuildIds", ("v1",)),)))
    store.upsert(record(4))
    assert _side_rows(connection) == 2
    for query, found in {
        "BuildIds = 'unversioned'": "21",
        "BuildIds = 'Unversioned'": "21",
        "BuildIds != 'unversioned'": "43",
        "BuildIds = 'v1'": "32",
        "BuildIds IN ('v1', 'unversioned')": "321",
        "BuildIds NOT IN ('v1', 'unversioned')": "4",
        "BuildIds IS NULL": "4",
        "BuildIds IS NOT NULL": "321",
    }.items():
        assert [workflow_id[-1] for workflow_id in ids(store, query)] == list(found), query


# ---- namespaces and divisions ----


def test_namespaces_do_not_meet(store: VisibilityStore) -> None:
    store.upsert(record(1, indexed=(attribute("Customer", "alpha"), attribute("Note", "word"))))
    store.upsert(record(1, namespace_id=OTHER, indexed=(attribute("Customer", "beta"), attribute("Note", "word"))))
    for namespace, customer in ((SPACE, "alpha"), (OTHER, "beta")):
        for query in (
            "",
            f"Customer = '{customer}'",
            "Note = 'word'",
            "RunId = 'run-000001'",
            "Customer > 'a'",
        ):
            assert len(ids(store, query, namespace)) == total(store, query, namespace) == 1, query
    assert ids(store, "Customer = 'beta'") == []
    assert ids(store, "", "nowhere") == []
    assert total(store, "", "nowhere") == 0


def test_schedules_and_activities_stay_out_of_workflow_lists(store: VisibilityStore) -> None:
    store.upsert(record(1))
    schedule = vis.SCHEDULE_ID_PREFIX + "nightly"
    store.upsert(record(2, workflow_id=schedule, division=vis.SCHEDULE_DIVISION))
    activity = (IndexedAttribute("ActivityType", vis.KEYWORD, "Charge"),)
    store.upsert(record(3, workflow_id="act", division=vis.ACTIVITY_DIVISION, status=2, indexed=activity))

    def in_scope(query: str, scope: Any) -> list[str]:
        return [r.workflow_id for r in store.list(parse_filter(query, TYPES, scope), SPACE, 10).records]

    assert in_scope("", WORKFLOWS) == ["order-000001"]
    assert in_scope("TemporalNamespaceDivision IS NOT NULL", WORKFLOWS) == ["act", schedule]
    assert in_scope("TemporalNamespaceDivision = 'TemporalScheduler' OR WorkflowId = 'act'", WORKFLOWS) == [
        "act",
        schedule,
    ]
    assert in_scope("", SCHEDULES) == in_scope("ScheduleId = 'nightly'", SCHEDULES) == [schedule]
    assert in_scope("ScheduleId > 'm' AND ScheduleId STARTS_WITH 'NIGHT'", SCHEDULES) == [schedule]
    assert in_scope("ScheduleId = 'temporal-sys-scheduler:nightly'", SCHEDULES) == []
    assert in_scope("ActivityId = 'act' AND ActivityType = 'Charge'", ACTIVITIES) == ["act"]
    assert in_scope("ExecutionStatus > 'A' AND ExecutionStatus != 'Nonsense'", ACTIVITIES) == ["act"]
    assert in_scope("ExecutionStatus = 'Nonsense'", ACTIVITIES) == []
    groups = store.count(parse_filter("GROUP BY TemporalNamespaceDivision", TYPES), SPACE).groups
    assert sorted(groups) == [("", 1), (vis.ACTIVITY_DIVISION, 1), (vis.SCHEDULE_DIVISION, 1)]


# ---- order and pages ----


def test_open_runs_come_first_then_the_last_closed(store: VisibilityStore) -> None:
    for each in (
        record(1),
        closed(2, 50),
        record(3),
        closed(4, 40),
        closed(5, 60, status=3),
        record(6, status=8),
    ):
        store.upsert(each)
    assert [workflow_id[-1] for workflow_id in ids(store)] == list("631524")
    store.upsert(closed(3, 45))
    assert [workflow_id[-1] for workflow_id in ids(store)] == list("615234")
    assert [workflow_id[-1] for workflow_id in ids(store, "ExecutionStatus != 'Running'")] == list("65234")


def pages(store: VisibilityStore, query: str, size: int, between: Callable[[], None] = lambda: None) -> list[str]:
    seen, token = [], b""
    while True:
        page = store.list(parse_filter(query, TYPES), SPACE, size, token)
        seen += [r.workflow_id for r in page.records]
        token = page.token
        if not token:
            return seen
        between()


@pytest.mark.parametrize(
    "query", ["", "WorkflowType = 'Order'", "Customer = 'alpha'", "Amount > 3", "StartTime > 4000000000"]
)
@pytest.mark.parametrize("size", [1, 3, 7, 100])
def test_pages_hold_every_row_once(query: str, size: int, store: VisibilityStore) -> None:
    for i in range(20):
        indexed = (attribute("Customer", "alpha"), attribute("Amount", i))
        store.upsert(closed(i, 100, indexed=indexed) if i % 3 else record(i, indexed=indexed))
    whole = ids(store, query)
    assert len(whole) >= 15
    assert pages(store, query, size) == whole


def test_pages_are_stable_while_rows_come_and_go(store: VisibilityStore) -> None:
    for i in range(100, 200):
        store.upsert(closed(i, 1000 + i))
    new = iter(range(2000, 2100))

    def write() -> None:
        i = next(new)
        store.upsert(record(i))  # above all pages
        store.upsert(closed(i + 100, i + 9000))
        store.delete(SPACE, f"run-{i - 1801:06}")  # the row that the last page ended with, or one before

    before = ids(store)
    seen = pages(store, "", 7, write)
    assert len(set(seen)) == len(seen)
    gone = {workflow_id for workflow_id in before if workflow_id not in ids(store)}
    assert set(before) - gone <= set(seen)
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize("token", [b"x", b"garbage garbage garbage garbage", b"\0" * 28, b"\xff" * 28, b"{}"])
def test_a_garbage_token_is_refused(token: bytes, store: VisibilityStore) -> None:
    with pytest.raises(InvalidArgument, match="NextPageToken"):
        store.list(parse_filter("", TYPES), SPACE, 10, token)


# ---- paths ----


@pytest.fixture
def plans(connection: apsw.Connection, store: VisibilityStore) -> Callable[[str], list[str]]:
    """SQLite's plans for the statements that a list makes, the probes of paths left out."""
    store.upsert(record(1))

    def explain(query: str) -> list[str]:
        statements: list[tuple[str, Any]] = []

        def note(cursor: Any, sql: str, bindings: Any) -> bool:
            statements.append((sql, bindings))
            return True

        connection.exec_trace = note
        ids(store, query, size=100)
        connection.exec_trace = None
        lines = []
        for sql, bindings in statements:
            if "ORDER BY" in sql:
                lines += [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", bindings)]
        return lines

    return explain


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "visibility_order"),
        ("CloseTime IS NULL", "visibility_order"),
        ("CloseTime > 5", "visibility_order"),
        ("ExecutionStatus = 'Failed'", "visibility_status"),
        ("WorkflowType = 'Order'", "visibility_type"),
        ("Customer = 'alpha'", "visibility_attribute_value"),
        ("Amount = 4", "visibility_attribute_value"),
        ("Tags = 'red'", "visibility_attribute_value"),
        ("TemporalNamespaceDivision = 'TemporalScheduler'", "visibility_order"),
    ],
)
def test_ordered_paths_neither_scan_nor_sort(query: str, index: str, plans: Callable[[str], list[str]]) -> None:
    lines = plans(query)
    assert any(f"INDEX {index} " in line for line in lines)
    assert not [line for line in lines if line.startswith("SCAN") or "TEMP B-TREE" in line]


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("WorkflowId = 'order-000001'", "visibility_workflow"),
        ("WorkflowId IN ('order-000001', 'x')", "visibility_workflow"),
        ("WorkflowId STARTS_WITH 'ORDER'", "visibility_workflow"),
        ("RunId = 'run-000001'", "visibility_run"),
        ("TaskQueue = 'queue'", "visibility_queue"),
        ("ParentWorkflowId = 'x'", "visibility_parent"),
        ("ParentWorkflowId IN ('x', 'y')", "visibility_parent"),
        ("RootWorkflowId = 'order-000001'", "visibility_root"),
        ("StartTime BETWEEN 1 AND 9000000000", "visibility_started"),
        ("ExecutionStatus IN ('Failed', 'TimedOut')", "visibility_status"),
        ("WorkflowType IN ('Order', 'Other')", "visibility_type"),
        ("Customer STARTS_WITH 'al'", "visibility_attribute_value"),
        ("Customer IN ('alpha', 'beta')", "visibility_attribute_value"),
        ("Amount > 10", "visibility_attribute_value"),
        ("Due BETWEEN 1 AND 2", "visibility_attribute_value"),
        ("Tags IN ('red', 'blue')", "visibility_attribute_value"),
        ("Customer IS NOT NULL", "visibility_attribute_value"),
        ("Note = 'word'", "VIRTUAL TABLE"),
        ("TemporalNamespaceDivision IS NOT NULL", "division>?"),
    ],
)
def test_few_rows_are_found_by_index(query: str, index: str, plans: Callable[[str], list[str]]) -> None:
    lines = plans(query)
    assert any(index in line for line in lines), lines
    assert not [line for line in lines if line.startswith("SCAN v ") or line == "SCAN v"]


def test_the_narrowest_condition_leads(plans: Callable[[str], list[str]]) -> None:
    lines = plans("WorkflowType = 'Order' AND Customer = 'nobody' AND StartTime > 0")
    assert any("visibility_attribute_value" in line for line in lines)
    assert not any("visibility_type" in line for line in lines)


# ---- the same as looking at each row ----

TEXTS = [
    "alpha",
    "Alpha",
    "alphabet",
    "beta",
    "",
    "o'brien",
    'quo"te',
    "100%",
    "under_score",
    "ünï",
    "[bracket",
    "Zed",
]
WORDS = ["quick", "brown", "fox", "the"]
NUMBERS = [-5, 0, 1, 42, 10**15]
TIMES = ["1969-12-31T23:59:59Z", "2025-01-01T00:00:00Z", "2025-06-15T12:30:45.5Z"]
MOMENTS = [vis.parse_datetime(text) for text in TIMES]
STATUSES = ["Running", "Completed", "Failed", "Paused"]


@st.composite
def random_record(draw: st.DrawFn, i: int) -> VisibilityRecord:
    indexed = []
    for name, values in (
        ("Customer", st.sampled_from(TEXTS)),
        ("Amount", st.sampled_from(NUMBERS)),
        ("Weight", st.sampled_from([-0.5, 0.0, 2.0, 1e10])),
        ("Urgent", st.booleans()),
        ("Due", st.sampled_from(MOMENTS)),
        ("Tags", st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map(tuple)),
        ("BuildIds", st.lists(st.sampled_from(["unversioned", "v1"]), min_size=1, max_size=2).map(tuple)),
        ("Note", st.lists(st.sampled_from(WORDS), max_size=3).map(" ".join)),
    ):
        value = draw(st.none() | values)
        if value is not None:
            indexed.append(attribute(name, value))
    status = draw(st.sampled_from([1, 2, 3, 8]))
    start = draw(st.integers(0, 5)) * 10**9
    close = start + draw(st.integers(0, 5)) * 10**9 if status in (2, 3) else None
    return record(
        i,
        workflow_id=draw(st.sampled_from(TEXTS)),
        workflow_type=draw(st.sampled_from(["Order", "Billing"])),
        task_queue=draw(st.sampled_from(["q1", "q2"])),
        status=status,
        start_time=start,
        execution_time=start,
        close_time=close,
        execution_duration=None if close is None else close - start,
        history_length=None if close is None else draw(st.integers(3, 6)),
        parent_workflow_id=draw(st.sampled_from([None, "alpha", "Alpha"])),
        root_workflow_id=draw(st.sampled_from(TEXTS)),
        indexed=tuple(indexed),
    )


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


NUMBER_TEXTS = st.sampled_from([str(number) for number in [*NUMBERS, -0.5, 2.0, 1e10, 1.5]])
LITERALS = {
    "WorkflowId": st.sampled_from(TEXTS).map(quoted),
    "WorkflowType": st.sampled_from(["'Order'", "'Billing'", "'billing'"]),
    "TaskQueue": st.sampled_from(["'q1'", "'q3'"]),
    "RunId": st.sampled_from(["'run-000001'", "'run-0'"]),
    "ParentWorkflowId": st.sampled_from(["'alpha'", "'ALPHA'"]),
    "RootWorkflowId": st.sampled_from(TEXTS).map(quoted),
    "ExecutionStatus": st.sampled_from(STATUSES).map(quoted),
    "StartTime": st.integers(0, 5).map(lambda n: str(n * 10**9)),
    "CloseTime": st.integers(0, 10).map(lambda n: str(n * 10**9)),
    "ExecutionDuration": st.integers(0, 5).map(lambda n: f"'{n}s'"),
    "HistoryLength": st.integers(3, 6).map(str),
    "Customer": st.sampled_from(TEXTS).map(quoted),
    "Amount": NUMBER_TEXTS,
    "Weight": NUMBER_TEXTS,
    "Urgent": st.sampled_from(["true", "false"]),
    "Due": st.sampled_from([*map(quoted, TIMES), "0"]),
    "Tags": st.sampled_from([*TEXTS, "ALPHA", "ÜNÏ"]).map(quoted),
    "BuildIds": st.sampled_from(["'unversioned'", "'v1'", "'v2'"]),
    "Note": st.lists(st.sampled_from([*WORDS, "QUICK", "none"]), min_size=1, max_size=3).map(" ".join).map(quoted),
}
COMPARISONS = ["=", "!=", "<", "<=", ">", ">="]


@st.composite
def random_condition(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from(sorted(LITERALS)))
    literal = LITERALS[name]
    kind = TYPES[name]
    forms = ["compare", "null", "in", "between", "starts"]
    if kind in (vis.TEXT, vis.KEYWORD_LIST, vis.BOOL):
        forms.remove("between")
    if kind == vis.TEXT:
        forms.remove("in")
    if kind != vis.KEYWORD or name == "ExecutionStatus":
        forms.remove("starts")
    form = draw(st.sampled_from(forms))
    negation = draw(st.sampled_from(["", "NOT "]))
    if form == "null":
        return f"{name} IS {negation}NULL"
    if form == "in":
        return f"{name} {negation}IN ({', '.join(draw(st.lists(literal, min_size=1, max_size=3)))})"
    if form == "between":
        return f"{name} {negation}BETWEEN {draw(literal)} AND {draw(literal)}"
    if form == "starts":
        prefix = draw(st.sampled_from(["", "a", "AL", "alpha", "Ü", "ü", "[", "100%", "und", "z", "O'"]))
        return f"{name} {negation}STARTS_WITH {quoted(prefix)}"
    comparisons = COMPARISONS[:2] if kind in (vis.TEXT, vis.KEYWORD_LIST) else COMPARISONS
    return f"{name} {draw(st.sampled_from(comparisons))} {draw(literal)}"


random_filter = st.recursive(
    random_condition(),
    lambda inner: st.one_of(
        inner.map(lambda text: f"NOT ({text})"),
        st.tuples(inner, st.sampled_from([" AND ", " OR "]), inner).map(lambda parts: f"({''.join(parts)})"),
    ),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_lists_are_what_looking_at_each_row_finds(data: st.DataObject) -> None:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA)
    store = VisibilityStore(connection)
    rows = [data.draw(random_record(i)) for i in range(data.draw(st.integers(1, 8)))]
    for row in rows:
        if data.draw(st.booleans()):  # it was something else before
            store.upsert(data.draw(random_record(int(row.run_id[-6:]))))
            store.delete(SPACE, row.run_id) if data.draw(st.booleans()) else None
            row_before = store.list(parse_filter(f"RunId = '{row.run_id}'", TYPES), SPACE, 1).records
            if row_before:
                row.workflow_id = row_before[0].workflow_id
                row.workflow_type, row.task_queue = row_before[0].workflow_type, row_before[0].task_queue
                row.parent_workflow_id = row_before[0].parent_workflow_id
                row.root_workflow_id, row.start_time = (
                    row_before[0].root_workflow_id,
                    row_before[0].start_time,
                )
        store.upsert(row)
    for _ in range(3):
        query = parse_filter(data.draw(random_filter), TYPES)
        assert query.where is not None
        expected = [row for row in rows if holds(query.where, row) is True]
        found = store.list(query, SPACE, 1000).records
        assert sorted(r.run_id for r in found) == sorted(r.run_id for r in expected)
        assert [sort_key(r) for r in found] == sorted(map(sort_key, expected), reverse=True)
        assert store.count(query, SPACE).total == len(expected)
        small, token = [], b""
        while len(small) < len(expected):
            page = store.list(query, SPACE, 2, token)
            small, token = small + page.records, page.token
        assert [r.run_id for r in small] == [r.run_id for r in found]


def sort_key(row: VisibilityRecord) -> tuple[int, int]:
    return (2**63 if row.close_time is None else row.close_time, row.start_time)


def holds(node: Node, row: VisibilityRecord) -> bool | None:
    """SQL's logic, spelled out: None is neither true nor false."""
    if isinstance(node, Not):
        inner = holds(node.term, row)
        return None if inner is None else not inner
    if isinstance(node, And | Or):
        results = [holds(term, row) for term in node.terms]
        decisive = isinstance(node, Or)
        if decisive in results:
            return decisive
        return None if None in results else not decisive
    value = value_of(node.attribute.name, row)
    if isinstance(node, IsNull):
        return (value is None) != node.negated
    if node.attribute.kind in (vis.TEXT, vis.KEYWORD_LIST):
        return has_one(node, value)
    if value is None:
        return None
    return compares(node, value)


def has_one(node: Any, value: Any) -> bool:
    wanted = [str(v).lower() for v in (node.values if isinstance(node, In) else [node.value])]
    if node.attribute.kind == vis.TEXT:
        wanted, value = wanted[0].split(), (value or "").split()
    found = any(each.lower() in wanted for each in value or ())
    negated = node.negated if isinstance(node, In) else node.operator is Operator.NE
    return found != negated


def compares(node: Any, value: Any) -> bool:
    if isinstance(node, In):
        return (value in node.values) != node.negated
    if isinstance(node, Between):
        return (node.low <= value <= node.high) != node.negated
    if isinstance(node, StartsWith):
        return ascii_lower(value).startswith(ascii_lower(node.prefix)) != node.negated
    assert isinstance(node, Compare)
    other: Any = node.value
    return bool(
        {
            Operator.EQ: value == other,
            Operator.NE: value != other,
            Operator.LT: value < other,
            Operator.LE: value <= other,
            Operator.GT: value > other,
            Operator.GE: value >= other,
        }[node.operator]
    )


def ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def value_of(name: str, row: VisibilityRecord) -> Any:
    fields = {
        "WorkflowId": row.workflow_id,
        "WorkflowType": row.workflow_type,
        "TaskQueue": row.task_queue,
        "RunId": row.run_id,
        "ParentWorkflowId": row.parent_workflow_id,
        "RootWorkflowId": row.root_workflow_id,
        "ExecutionStatus": row.status,
        "StartTime": row.start_time,
        "CloseTime": row.close_time,
        "ExecutionDuration": row.execution_duration,
        "HistoryLength": row.history_length,
    }
    if name in fields:
        return fields[name]
    return {each.name: each.value for each in row.indexed}.get(name)


@pytest.mark.parametrize("path_bound", [0, 10_000])
def test_every_path_gives_the_same_rows(
    path_bound: int, store: VisibilityStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no row counted as few, each list goes along an ordered path."""
    monkeypatch.setattr("outlive.store.visibility_plan.FEW", path_bound)
    chosen = random.Random(7)
    rows = []
    for i in range(300):
        indexed = (attribute("Customer", chosen.choice(TEXTS)), attribute("Amount", chosen.randrange(100)))
        close = chosen.randrange(400, 900)
        row = record(i, indexed=indexed) if chosen.random() < 0.3 else closed(i, close, indexed=indexed)
        rows.append(row)
        store.upsert(row)
    for query in (
        "Customer STARTS_WITH 'ALPHA'",
        "Customer IN ('alpha', 'beta') AND Amount > 50",
        "StartTime < 100000000000 AND ExecutionStatus != 'Running'",
        "WorkflowId STARTS_WITH 'order-0002' AND Amount BETWEEN 10 AND 19",
        "Amount = 7 OR RunId = 'run-000001'",
    ):
        where = parse_filter(query, TYPES).where
        assert where is not None
        expected = sorted((row for row in rows if holds(where, row)), key=sort_key, reverse=True)
        assert len(expected) >= 3
        assert ids(store, query) == pages(store, query, 5) == [row.workflow_id for row in expected]
        assert total(store, query) == len(expected)
