"""Asking a run: the names of what its code answers, as its worker tells them, and the answers themselves."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from google.protobuf.json_format import Parse, ParseError
from temporalio.api.common.v1 import Payload, WorkflowExecution
from temporalio.api.failure.v1 import Failure
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import QueryWorkflowRequest, QueryWorkflowResponse

from outlive.client import RpcError, WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import failures, payloads
from outlive.web.views import run as run_view
from outlive.web.views.failures import FailureView
from outlive.web.views.groups import RunLink
from outlive.web.views.payloads import PayloadView
from outlive.web.views.run import RunHeader

METADATA = "__temporal_workflow_metadata"
STACK = "__stack_trace"
_TASK = re.compile(r"^(?=Stack for )", re.MULTILINE)  # where the SDK for Python begins another task


@dataclass(frozen=True, slots=True)
class Handler:
    """A query, signal or update that the workflow's code takes."""

    name: str
    description: str


@dataclass(frozen=True, slots=True)
class AskView:
    """The page. ``known``: the worker told its handlers; else any name may be typed. ``details`` are its own words."""

    header: RunHeader
    known: bool
    details: str
    queries: list[Handler] = field(default_factory=list)
    signals: list[Handler] = field(default_factory=list)
    updates: list[Handler] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class AnswerView:
    """What a query or an update came to: values, or a failure; or a stack as text."""

    values: list[PayloadView]
    failure: FailureView | None = None
    stack: str = ""


async def load(client: WorkflowServiceClient, link: RunLink, now: Callable[[], datetime]) -> AskView:
    """Ask the server, and the run's worker for its handlers where one answers soon. Raises RpcError."""
    head, metadata = await asyncio.gather(run_view.head(client, link, now()), _metadata(client, link))
    if metadata is None:
        return AskView(head, False, "")
    d = metadata.definition
    return AskView(
        head,
        True,
        metadata.current_details,
        _handlers(d.query_definitions),
        _handlers(d.signal_definitions),
        _handlers(d.update_definitions),
    )


def _handlers(definitions: Sequence[Any]) -> list[Handler]:
    return [Handler(one.name, one.description) for one in definitions if one.name and not one.name.startswith("__")]


async def _metadata(client: WorkflowServiceClient, link: RunLink) -> WorkflowMetadata | None:
    """What the worker says of the workflow; None where none answers, or an older one that does not know."""
    try:
        answer = await query(client, link, METADATA, [], timeout=bounds.METADATA_WAIT)
        data = next((payload.data for payload in answer.query_result.payloads), b"")
        return Parse(data.decode(), WorkflowMetadata(), ignore_unknown_fields=True)
    except (RpcError, ParseError, UnicodeDecodeError):
        return None


async def query(
    client: WorkflowServiceClient, link: RunLink, name: str, arguments: Sequence[Payload], *, timeout: float = 10.0
) -> QueryWorkflowResponse:
    """Ask the run's code; ``timeout`` in seconds. Raises RpcError."""
    asked = WorkflowQuery(query_type=name)
    if arguments:
        asked.query_args.payloads.extend(arguments)
    request = QueryWorkflowRequest(
        namespace=link.namespace,
        execution=WorkflowExecution(workflow_id=link.workflow_id, run_id=link.run_id),
        query=asked,
    )
    return await client.query_workflow(request, timeout=timeout)


def answer(found: Sequence[Payload], failure: Failure | None = None) -> AnswerView:
    """Values, or the failure in their place."""
    if failure is not None:
        return AnswerView([], failures.view(failure))
    return AnswerView([payloads.shaped(one, bounds.PREVIEW_RUN) for one in found])


def stack(found: Sequence[Payload]) -> AnswerView:
    """The stacks of a run's tasks, as its worker wrote them, without that of the question itself."""
    text = "\n".join(payloads.text_of(one) for one in found)
    tasks = [part for part in _TASK.split(text) if f"query: {STACK}" not in part]
    return AnswerView([], stack="".join(tasks).strip() or "The worker gave no stack.")
