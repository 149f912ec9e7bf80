"""Flags and pieces that the workflow commands share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any, TypeVar

import click
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest

from outlive.cli.remote.session import Session
from outlive.cli.remote.values import shown
from outlive.web.views import status, times
from outlive.web.views.groups import RunLink

Command = TypeVar("Command", bound=Callable[..., Any])
PAGE = 200  # rows of one call


def workflow_id(command: Command) -> Command:
    return click.option("-w", "--workflow-id", required=True, help="Id of the workflow.")(command)


def run_id(command: Command) -> Command:
    return click.option("-r", "--run-id", default="", help="One run of it; the last one otherwise.")(command)


def execution(workflow_id: str, run_id: str = "") -> WorkflowExecution:
    return WorkflowExecution(workflow_id=workflow_id, run_id=run_id)


def link(session: Session, workflow_id: str, run_id: str = "") -> RunLink:
    return RunLink(namespace=session.namespace, workflow_id=workflow_id, run_id=run_id)


def moment(value: Timestamp) -> datetime | None:
    return times.moment(value)


def info_item(info: WorkflowExecutionInfo) -> dict[str, Any]:
    """A run as lists print it."""
    return {
        "status": str(status.of_run(info.status)),
        "workflowId": info.execution.workflow_id,
        "runId": info.execution.run_id,
        "type": info.type.name,
        "taskQueue": info.task_queue,
        "startTime": moment(info.start_time),
        "closeTime": moment(info.close_time),
        "historyLength": info.history_length,
        "searchAttributes": {name: shown(value) for name, value in info.search_attributes.indexed_fields.items()},
        "memo": {name: shown(value) for name, value in info.memo.fields.items()},
    }


async def runs(session: Session, query: str, limit: int) -> AsyncIterator[WorkflowExecutionInfo]:
    """Runs that the filter finds, at most `limit` (0: all)."""
    request = ListWorkflowExecutionsRequest(query=query, page_size=min(limit or PAGE, PAGE))
    count = 0
    while True:
        answer = await session.client.list_workflow_executions(request, timeout=session.seconds)
        for info in answer.executions:
            yield info
            count += 1
            if count == limit:
                return
        if not answer.next_page_token:
            return
        request.next_page_token = answer.next_page_token
