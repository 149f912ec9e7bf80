"""Lists out of a million executions: how long a page of 100 rows takes, by filter.

A thousand runs come from real starts with real search attributes. The server is stopped, their visibility rows are
copied inside the file with ids and times of their own, and the lists are asked of a new server.
"""

from __future__ import annotations

import time
from pathlib import Path

import apsw
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest, ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from benchmarks.large.harness import MIB, NAMESPACE, Figures, Sizes, serving, spread
from benchmarks.measure import latencies

SEEDS = 1_000
CALLS = 60
TEAM, SCORE = SearchAttributeKey.for_keyword("Team"), SearchAttributeKey.for_int("Score")
TEXT = SearchAttributeKey.for_text("About")
FILTERS = {
    "no filter": "",
    "status": "ExecutionStatus = 'Running'",
    "type": "WorkflowType = 'Type7'",
    "type and status": "WorkflowType = 'Type7' AND ExecutionStatus = 'Terminated'",
    "keyword attribute, one in 50": "Team = 'team-7'",
    "keyword attribute and status": "Team = 'team-7' AND ExecutionStatus = 'Running'",
    "integer attribute, a range of one in 100": "Score >= 990",
    "word of a text attribute, one in 1,000": "About = 'word77'",
    "beginning of the id": "WorkflowId STARTS_WITH 'seed-77-'",
    "start time, an hour of a month": "StartTime BETWEEN '{hour}' AND '{next}'",
}
_COPY = """
INSERT INTO visibility SELECT
    visibility.id + :step * n, namespace, division, printf('%08x-%s', n, substr(run_id, 10)), workflow_id || '-' || n,
    workflow_type, task_queue, status, started - n * :apart, executed - n * :apart,
    CASE WHEN status = 1 THEN closed ELSE closed - n * :apart END,
    duration, history_length, history_size, transitions, parent_workflow_id, parent_run_id,
    workflow_id || '-' || n, root_run_id, unversioned, indexed, memo, search_attributes
FROM visibility, (WITH RECURSIVE c(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM c WHERE n < :last) SELECT n FROM c)
WHERE visibility.id <= :step
"""
_COPY_ATTRIBUTES = """
INSERT INTO visibility_attribute SELECT
    copy.id, name, kind, value, seed.namespace, copy.closed, copy.started
FROM visibility_attribute AS seed JOIN visibility AS copy ON copy.id % :step = seed.execution % :step
WHERE seed.execution <= :step AND copy.id > :after AND copy.id <= :until
"""


async def measure_rows(folder: Path, sizes: Sizes) -> Figures:
    """Milliseconds of a page by filter, of counts, of a deep page; MiB of the server and of the file."""
    async with serving(folder) as (_, client):
        await seed(client)
    began = time.perf_counter()
    rows = multiply(folder / "server.db", sizes.rows)
    figures: Figures = {"rows": float(rows), "filling the file, s": time.perf_counter() - began}
    async with serving(folder, "frontend.namespaceRPS.visibility=100000") as (server, client):
        for name, query in FILTERS.items():
            figures |= await _timed(client, name, _dated(query))
        figures |= await _counts(client)
        figures["page 200 of the list, ms"] = await _deep(client, 200)
        figures["resident, MiB"] = server.process.rss() / MIB
    figures["file, MiB"] = (folder / "server.db").stat().st_size / MIB
    return figures


async def seed(client: Client) -> None:
    """A thousand starts, a third of them ended."""
    kinds = {
        TEAM.name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD,
        SCORE.name: IndexedValueType.INDEXED_VALUE_TYPE_INT,
        TEXT.name: IndexedValueType.INDEXED_VALUE_TYPE_TEXT,
    }
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace=NAMESPACE, search_attributes=kinds)
    )
    for number in range(SEEDS):
        attributes = TypedSearchAttributes(
            [
                SearchAttributePair(TEAM, f"team-{number % 50}"),
                SearchAttributePair(SCORE, number),
                SearchAttributePair(TEXT, f"what is told of it with word{number}"),
            ]
        )
        handle = await client.start_workflow(
            f"Type{number % 20}", id=f"seed-{number}", task_queue="q", search_attributes=attributes
        )
        if number % 3 == 0:
            await handle.terminate()


def multiply(database: Path, wanted: int) -> int:
    """Copy the rows until there are as many as wanted. Returns how many there are."""
    connection = apsw.Connection(str(database))
    connection.execute("PRAGMA synchronous = OFF")
    (step,) = connection.execute("SELECT max(id) FROM visibility").fetchall()[0]
    copies = max(1, wanted // SEEDS)
    apart = 30 * 24 * 3600 * 1_000_000_000 // copies  # the copies lie over a month
    for first in range(1, copies, 50):
        last = min(first + 49, copies - 1)
        with connection:
            connection.execute(_COPY, {"step": step, "apart": apart, "first": first, "last": last})
            spans = {"step": step, "after": first * step, "until": (last + 1) * step}
            connection.execute(_COPY_ATTRIBUTES, spans)
    (rows,) = connection.execute("SELECT count(*) FROM visibility").fetchall()[0]
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return int(rows)


def _dated(query: str) -> str:
    day = time.time() - 15 * 86_400
    stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(day + span)) for span in (0, 3600)]
    return query.format(hour=stamps[0], next=stamps[1])


async def _timed(client: Client, name: str, query: str) -> Figures:
    request = ListWorkflowExecutionsRequest(namespace=NAMESPACE, query=query, page_size=100)
    found = await client.workflow_service.list_workflow_executions(request)

    async def ask(_: int) -> None:
        await client.workflow_service.list_workflow_executions(request)

    return spread(f"{name} ({len(found.executions)} rows)", await latencies(ask, CALLS))


async def _counts(client: Client) -> Figures:
    figures: Figures = {}
    for name, query in (
        ("count of all", ""),
        ("count by status", "GROUP BY ExecutionStatus"),
        ("count of a type", "WorkflowType = 'Type7'"),
    ):
        request = CountWorkflowExecutionsRequest(namespace=NAMESPACE, query=query)

        async def ask(_: int, request: CountWorkflowExecutionsRequest = request) -> None:
            await client.workflow_service.count_workflow_executions(request)

        figures |= spread(name, await latencies(ask, 5))
    return figures


async def _deep(client: Client, pages: int) -> float:
    """Milliseconds of the last of so many pages."""
    token, taken = b"", 0.0
    for _ in range(pages):
        began = time.perf_counter()
        request = ListWorkflowExecutionsRequest(namespace=NAMESPACE, page_size=100, next_page_token=token)
        page = await client.workflow_service.list_workflow_executions(request)
        taken, token = (time.perf_counter() - began) * 1000, page.next_page_token
        if not token:
            break
    return taken
