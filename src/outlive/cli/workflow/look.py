"""Looking at runs: lists, descriptions, events, results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import click
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
)

from outlive.cli.remote.output import Item, note
from outlive.cli.remote.session import FAILED, LATE, Failed, Session, remote
from outlive.cli.remote.values import shown, shown_all
from outlive.cli.workflow.common import execution, info_item, link, moment, run_id, runs, workflow_id
from outlive.client import DeadlinePassed
from outlive.web.views import failures, history, pending

_COLUMNS = ("status", "workflowId", "type", "startTime")
_POLL = 65.0  # seconds that a wait for news may take: the server answers before


@click.command("list")
@click.option(
    "-q", "--query", default="", help="List filter, such as: WorkflowType = 'Digest' AND StartTime > '2026-11-01'"
)
@click.option("--limit", type=click.IntRange(0), default=50, show_default=True, help="At most so many; 0: all.")
@remote
async def list_(session: Session, query: str, limit: int) -> None:
    """List runs, the newest first.

    Example: outlive workflow list --query "ExecutionStatus = 'Failed'"
    """

    async def items() -> AsyncIterator[Item]:
        async for info in runs(session, query, limit):
            yield info_item(info)

    found = await session.output.rows(items(), _COLUMNS, "no runs" + (" match" if query else " yet"))
    if limit and found == limit and session.output.form == "table":
        note(f"the first {limit}; --limit 0 lists all")


@click.command()
@click.option("-q", "--query", default="", help="List filter; may end in GROUP BY ExecutionStatus.")
@remote
async def count(session: Session, query: str) -> None:
    """Count runs. Example: outlive workflow count --query "ExecutionStatus = 'Running'" """
    request = CountWorkflowExecutionsRequest(query=query)
    answer = await session.client.count_workflow_executions(request, timeout=session.seconds)
    groups = [
        {"values": [shown(value) for value in group.group_values], "count": group.count} for group in answer.groups
    ]
    if session.output.form == "table":
        for group in groups:
            session.output.text(f"{group['count']:>8}  {', '.join(map(str, group['values']))}", "count")
        session.output.text(f"{answer.count:>8}" + ("  in all" if groups else ""), "count")
    else:
        session.output.item({"count": answer.count, "groups": groups})


@click.command()
@workflow_id
@run_id
@remote
async def describe(session: Session, workflow_id: str, run_id: str) -> None:
    """What a run is, and what it waits for."""
    request = DescribeWorkflowExecutionRequest(execution=execution(workflow_id, run_id))
    described = await session.client.describe_workflow_execution(request, timeout=session.seconds)
    now = datetime.now(UTC)
    info = described.workflow_execution_info
    item: dict[str, Any] = info_item(info)
    item["parent"] = info.parent_execution.workflow_id or None
    item["pendingActivities"] = [_pending(pending.activity(one, now)) for one in described.pending_activities]
    item["pendingChildren"] = [child.workflow_id for child in described.pending_children]
    if described.HasField("pending_workflow_task"):
        task = described.pending_workflow_task
        item["pendingWorkflowTask"] = {"attempt": task.attempt, "since": moment(task.scheduled_time)}
    session.output.item(item)


def _pending(one: pending.PendingActivity) -> dict[str, Any]:
    return {
        "activityId": one.id,
        "type": one.type,
        "state": str(one.status),
        "attempt": one.attempt,
        "nextAttempt": one.next_attempt,
        "lastFailure": one.failure.message if one.failure else None,
        "worker": one.worker or None,
    }


@click.command()
@workflow_id
@run_id
@click.option("-f", "--follow", is_flag=True, help="Go on with new events until the run is closed.")
@remote
async def show(session: Session, workflow_id: str, run_id: str, follow: bool) -> None:
    """The events of a run. With -o json the whole history, as the SDKs' replayers read it."""
    run = link(session, workflow_id, run_id)
    if session.output.form == "json" and not follow:
        await _whole(session, run)
        return
    await session.output.rows(events(session, run, follow=follow), ("eventId", "time", "type", "summary"), "no events")


async def events(session: Session, run: Any, *, follow: bool) -> AsyncIterator[Item]:
    """The events as lines."""
    async for page in history.pages(session.client, run, wait=follow):
        for row in history.rows(page, None, "", {}):
            yield {"eventId": row.id, "time": row.time, "type": row.type, "summary": row.summary}


async def _whole(session: Session, run: Any) -> None:
    from google.protobuf.json_format import MessageToDict

    found = [MessageToDict(event) async for page in history.pages(session.client, run) for event in page]
    session.output.item({"events": found})


@click.command()
@workflow_id
@run_id
@remote
async def result(session: Session, workflow_id: str, run_id: str) -> None:
    """Wait for the end of a run and print its result; exit code 1 if it failed, 3 if it timed out."""
    await print_result(session, workflow_id, run_id)


async def print_result(session: Session, workflow_id: str, run_id: str) -> None:
    """Wait for the chain's end; print the result. Raises Failed where there is none."""
    event = await closing_event(session, workflow_id, run_id)
    kind = event.WhichOneof("attributes") or ""
    attributes = getattr(event, kind)
    words = kind.removeprefix("workflow_execution_").removesuffix("_event_attributes")
    if words == "completed":
        value = shown_all(attributes.result)
        if session.output.form == "table":
            import json

            text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
            session.output.text(text, "result")
        else:
            session.output.item({"status": "Completed", "result": value})
        return
    detail = failures.headline(attributes.failure) if words == "failed" else getattr(attributes, "reason", "")
    session_hint = f"outlive workflow show -w {workflow_id}"
    raise Failed(
        f"{workflow_id} {words.replace('_', ' ')}" + (f": {detail}" if detail else ""),
        session_hint,
        LATE if words == "timed_out" else FAILED,
    )


async def closing_event(session: Session, workflow_id: str, run_id: str) -> Any:
    """The last event of the chain that the run is in, once it has closed."""
    while True:
        request = GetWorkflowExecutionHistoryRequest(
            execution=execution(workflow_id, run_id),
            wait_new_event=True,
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        )
        while True:
            try:
                answer = await session.client.get_workflow_execution_history(request, timeout=_POLL)
            except DeadlinePassed:
                continue
            if answer.history.events:
                break
            request.next_page_token = answer.next_page_token
        event = answer.history.events[-1]
        attributes = getattr(event, event.WhichOneof("attributes") or "")
        following = getattr(attributes, "new_execution_run_id", "")
        if not following:
            return event
        run_id = following
