"""Every recorded list filter selects here what it selects on Temporal's server, but for the listed few.

The rows are in filters.tsv of the shared conformance folder, and catalog_filters.py beside it knows the data
set that they were recorded on; OUTLIVE_SHARED names the folder, which is beside the repository by default.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
import pytest
from temporalio.api.common.v1 import Payload, SearchAttributes

from outlive.core import visibility as vis
from outlive.core.filter import ACTIVITIES, SCHEDULES, WORKFLOWS, FilterError, Scope, parse_filter
from outlive.core.visibility import IndexedAttribute, VisibilityRecord, index_attributes
from outlive.store.visibility import SCHEMA, VisibilityStore

NAMESPACE = "5f1f54a5-0001-4000-8000-00000000000a"
TYPES: vis.AttributeTypes = {
    **vis.SYSTEM_ATTRIBUTES,
    **vis.PREDEFINED_ATTRIBUTES,
    **vis.COLUMN_ATTRIBUTES,
    "CustomKeywordField": vis.KEYWORD,
    "CustomTextField": vis.TEXT,
    "CustomIntField": vis.INT,
    "CustomDoubleField": vis.DOUBLE,
    "CustomBoolField": vis.BOOL,
    "CustomDatetimeField": vis.DATETIME,
    "CustomKeywordListField": vis.KEYWORD_LIST,
}
SCOPES: dict[str, Scope] = {
    "ListWorkflowExecutions": WORKFLOWS,
    "CountWorkflowExecutions": WORKFLOWS,
    "ScanWorkflowExecutions": WORKFLOWS,
    "ListSchedules": SCHEDULES,
    "ListActivityExecutions": ACTIVITIES,
    "CountActivityExecutions": ACTIVITIES,
}
MS = 1_000_000
START = 1_800_000_000_000 * MS
STATUS = {
    "running": 1,
    "completed": 2,
    "failed": 3,
    "canceled": 4,
    "terminated": 5,
    "continued": 6,
    "timed": 7,
}

_FOLDER = Path(os.environ.get("OUTLIVE_SHARED", Path(__file__).parents[3] / "shared")) / "conformance"


@dataclass(frozen=True)
class Row:
    """One recorded answer."""

    rpc: str
    filter: str
    code: str
    total: str
    ids: str
    groups: str

    @property
    def title(self) -> str:
        return f"{self.rpc}: {self.filter[:60]}"


def rows() -> list[Row]:
    """All rows of filters.tsv; none if the shared folder is not there."""
    path = _FOLDER / "filters.tsv"
    if not path.exists():
        return []
    long_ones = {f"({name})": query for name, query in catalogue().long_ones()}
    out = []
    for line in path.read_text("utf-8").split("\n")[1:]:
        if not line:
            continue
        rpc, text, code, _, total, ids, groups = line.split("\t")
        if rpc in ("ListWorkflowExecutions", "ListSchedules", "ListActivityExecutions"):
            text = long_ones.get(text) or json.loads(f'"{text}"')
        out.append(Row(rpc, text, code, total, ids, groups))
    return out


def catalogue() -> Any:
    """The program that recorded the rows: it knows the data set."""
    if not (_FOLDER / "catalog_filters.py").exists():
        pytest.skip(f"no recorded filters at {_FOLDER}: set OUTLIVE_SHARED to the folder that has conformance/")
    sys.path.insert(0, str(_FOLDER))
    try:
        return importlib.import_module("catalog_filters")
    finally:
        sys.path.remove(str(_FOLDER))


def payload(value: object) -> Payload:
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def indexed(values: dict[str, Any]) -> tuple[IndexedAttribute, ...]:
    """Search attributes by way of the payloads that a client sends."""
    message = SearchAttributes(indexed_fields={name: payload(value) for name, value in values.items()})
    return index_attributes(message, {**TYPES, "ActivityType": vis.KEYWORD})


def open_store() -> VisibilityStore:
    connection = apsw.Connection(":memory:")
    connection.execute(SCHEMA)
    return VisibilityStore(connection)


def records() -> Iterator[VisibilityRecord]:
    """The data set of catalog_filters.py: 60 workflows (66 runs), three schedules, three activities."""
    for i, (workflow_id, kind, queue, end, attributes, _) in enumerate(catalogue().executions()):
        yield from _runs(i, workflow_id, kind, queue, end, attributes)
    for i, paused in enumerate((False, True, True)):
        attributes = {"TemporalSchedulePaused": paused, "CustomKeywordField": ["alpha", "beta", "gamma"][i]}
        workflow_id = vis.SCHEDULE_ID_PREFIX + f"sched-{i}"
        yield _extra(workflow_id, "temporal-sys-scheduler-workflow", vis.SCHEDULE_DIVISION, attributes)
    for i, name in enumerate(("Charge", "Charge", "Refund")):
        attributes = {"ActivityType": name, "CustomKeywordField": "alpha"}
        yield _extra(f"act-{i}", "", vis.ACTIVITY_DIVISION, attributes, queue="q-act")


def _runs(
    i: int, workflow_id: str, kind: str, queue: str, end: str, attributes: dict[str, Any]
) -> Iterator[VisibilityRecord]:
    start, run_id = START + i * 10 * MS, f"20000000-0000-4000-8000-{i:012}"
    driven = end not in ("running", "terminated", "timed")
    own = f"drive-{workflow_id}" if driven else queue
    duration = None if end == "running" else 1005 * MS if end == "timed" else 5 * MS
    if driven:
        attributes = attributes | {"BuildIds": ["unversioned"]}
    first = VisibilityRecord(
        namespace_id=NAMESPACE,
        workflow_id=workflow_id,
        run_id=run_id,
        workflow_type=kind,
        task_queue=own,
        status=STATUS[end],
        start_time=start,
        execution_time=start,
        root_workflow_id=workflow_id,
        root_run_id=run_id,
        close_time=start + duration if duration else None,
        execution_duration=duration,
        history_length=None if duration is None else 5 if driven else 3,
        history_size=None if duration is None else 800,
        state_transition_count=None if duration is None else 3,
        indexed=indexed(attributes),
    )
    yield first
    if end == "continued":
        second = f"30000000-0000-4000-8000-{i:012}"
        start += 5 * MS
        yield VisibilityRecord(NAMESPACE, workflow_id, second, kind, own, 1, start, start, workflow_id, second)


def _extra(
    workflow_id: str, kind: str, division: str, attributes: dict[str, Any], queue: str = "sys"
) -> VisibilityRecord:
    run_id = f"run of {workflow_id}"
    root = (workflow_id, run_id) if kind else ("", "")
    return VisibilityRecord(
        NAMESPACE,
        workflow_id,
        run_id,
        kind,
        queue,
        1,
        START + 900 * MS,
        START + 900 * MS,
        *root,
        division=division,
        indexed=indexed(attributes),
    )


ROWS = rows()
WITHOUT_ROWS = pytest.mark.skipif(not ROWS, reason=f"no filters.tsv in {_FOLDER}: set OUTLIVE_SHARED")

_NEW_YEAR = "wf-01 wf-08 wf-15 wf-22 wf-29 wf-36 wf-43 wf-50 wf-57"
DIFFERENT = {
    # A double quote in a value can be matched.
    "CustomKeywordField = 'double\"quote'": "wf-06 wf-46",
    'CustomKeywordField = "double\\"quote"': "wf-06 wf-46",
    'CustomKeywordField = "double""quote"': "wf-06 wf-46",
    # ... and in a Text or KeywordList it is no syntax error of the store's own language.
    "CustomTextField = '\"quick brown\"'": "wf-00 wf-02 wf-20 wf-22 wf-40 wf-42",
    "CustomKeywordListField = '[\"red\"]'": "",
    # Datetimes are equal when they are the same instant; Temporal's SQLite store compares them as texts.
    "CustomDatetimeField = '2025-01-01T00:00:00Z'": _NEW_YEAR,
    "CustomDatetimeField = '2025-01-01T01:00:00+01:00'": _NEW_YEAR,
    "CustomDatetimeField = '2025-01-01T00:00:00.000Z'": _NEW_YEAR,
    "CustomDatetimeField = 1735689600000000000": _NEW_YEAR,
    "CustomDatetimeField = '2025-06-15T12:30:45.123456789Z'": "wf-02 wf-09 wf-16 wf-23 wf-30 wf-37 wf-44 wf-51 wf-58",
    "CustomDatetimeField = '2025-06-15T12:30:45.123Z'": "",
    "CustomDatetimeField = '2025-06-15T12:30:45.5Z'": "wf-03 wf-10 wf-17 wf-24 wf-31 wf-38 wf-45 wf-52 wf-59",
    "CustomDatetimeField IN ('2025-01-01T00:00:00Z', '2024-02-29T00:00:00Z')": (
        "wf-00 wf-01 wf-07 wf-08 wf-14 wf-15 wf-21 wf-22 wf-28 wf-29 wf-35 wf-36 wf-42 wf-43 wf-49 wf-50 wf-56 wf-57"
    ),
    "CustomDatetimeField != '2025-01-01T00:00:00Z'": (
        "wf-00 wf-02 wf-03 wf-04 wf-05 wf-07 wf-09 wf-10 wf-11 wf-12 wf-14 wf-16 wf-17 wf-18 wf-19 wf-21 wf-23 wf-24"
        " wf-25 wf-26 wf-28 wf-30 wf-31 wf-32 wf-33 wf-35 wf-37 wf-38 wf-39 wf-40 wf-42 wf-44 wf-45 wf-46 wf-47 wf-49"
        " wf-51 wf-52 wf-53 wf-54 wf-56 wf-58 wf-59"
    ),
    # A syntax error, where Temporal answers INTERNAL.
    "CustomKeywordField = 'alpha' UNION SELECT 1": None,
}
"""Filters whose answer differs on purpose: the ids that they select here, None for INVALID_ARGUMENT."""


@pytest.fixture(scope="module")
def store() -> VisibilityStore:
    store = open_store()
    for record in records():
        store.upsert(record)
    return store


def _id(record: VisibilityRecord) -> str:
    return record.workflow_id.rpartition(":")[2] if ":" in record.workflow_id else record.workflow_id


def _show(ids: list[str], everything: set[str]) -> str:
    ids = sorted(ids)
    if len(ids) > 45 and set(ids) <= everything:
        return f"all but {' '.join(sorted(everything - set(ids))) or 'none'}"
    return " ".join(ids)


@WITHOUT_ROWS
@pytest.mark.parametrize("row", [r for r in ROWS if r.rpc in SCOPES and r.filter[:1] != "("], ids=lambda r: r.title)
def test_row(row: Row, store: VisibilityStore) -> None:
    code, ids, total = row.code, row.ids, row.total
    if row.filter in DIFFERENT:
        differs = DIFFERENT[row.filter]
        assert (code, ids) != ("OK", differs), "not different any more: take it off the list"
        code, ids = ("INVALID_ARGUMENT", "") if differs is None else ("OK", differs)
        total = str(len(ids.split()))
    if code != "OK":
        assert code == "INVALID_ARGUMENT"
        with pytest.raises(FilterError, match="at position"):
            parse_filter(row.filter, TYPES, SCOPES[row.rpc])
        return
    query = parse_filter(row.filter, TYPES, SCOPES[row.rpc])
    count = store.count(query, NAMESPACE)
    if row.rpc.startswith("Count"):
        groups = sorted(f'"{value}" (encoding=json/plain,type=Keyword): {n}' for value, n in count.groups)
        assert (str(count.total), "; ".join(groups)) == (total, row.groups)
        return
    found = store.list(query, NAMESPACE, 1000).records
    assert _show([_id(record, row.rpc) for record in found]) == ids
    assert str(count.total) == (total or str(len(found)))


def _id(record: VisibilityRecord, rpc: str) -> str:
    return record.workflow_id.removeprefix(vis.SCHEDULE_ID_PREFIX) if rpc == "ListSchedules" else record.workflow_id


def _show(ids: list[str]) -> str:
    """As the rows show ids: sorted, and from 46 on by what is missing."""
    everything = {workflow_id for workflow_id, *_ in catalogue().executions()}
    if len(ids) > 45 and set(ids) <= everything:
        return f"all but {' '.join(sorted(everything - set(ids))) or 'none'}"
    return " ".join(sorted(ids))


@WITHOUT_ROWS
def test_every_difference_is_a_row() -> None:
    assert set(DIFFERENT) <= {row.filter for row in ROWS}


@WITHOUT_ROWS
def test_order(store: VisibilityStore) -> None:
    (row,) = [row for row in ROWS if row.filter == "(order of all but the timed-out)"]
    query = parse_filter("ExecutionStatus != 'TimedOut'", TYPES)
    assert " ".join(record.workflow_id for record in store.list(query, NAMESPACE, 1000).records) == row.ids


@WITHOUT_ROWS
@pytest.mark.parametrize("size", [1, 7])
def test_pages(size: int, store: VisibilityStore) -> None:
    (row,) = [row for row in ROWS if row.filter.endswith(f"in pages of {size})")]
    query = parse_filter("WorkflowId < 'wf-20' AND ExecutionStatus != 'TimedOut'", TYPES)
    seen, pages, token = [], 0, b""
    while pages == 0 or token:
        page = store.list(query, NAMESPACE, size, token)
        seen += [record.workflow_id for record in page.records]
        pages, token = pages + 1, page.token
    assert (f"{pages} pages", " ".join(seen)) == (row.total, row.ids)


@WITHOUT_ROWS
@pytest.mark.parametrize(
    "row", [r for r in ROWS if r.rpc.startswith(("ListOpen", "ListClosed"))], ids=lambda r: r.title
)
def test_open_and_closed(row: Row, store: VisibilityStore) -> None:
    """The two old RPCs as the list filters that they stand for."""
    terms = [f"CloseTime IS {'NOT ' if row.rpc.startswith('ListClosed') else ''}NULL"]
    fields = json.loads(row.filter)
    if "type_filter" in fields:
        terms.append(f"WorkflowType = '{fields['type_filter']['name']}'")
    if "execution_filter" in fields:
        terms.append(f"WorkflowId = '{fields['execution_filter']['workflow_id']}'")
    if "status_filter" in fields:
        terms.append(f"ExecutionStatus = {fields['status_filter']['status']}")
    found = store.list(parse_filter(" AND ".join(terms), TYPES), NAMESPACE, 1000).records
    assert (str(len(found)), _show([record.workflow_id for record in found])) == (row.total, row.ids)
