"""Starting a workflow again with the input of a run, edited or not."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from grpc import StatusCode
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest

from outlive.client import NotFound, WorkflowServiceClient
from outlive.web.forms import Form
from outlive.web.views import payload_input, payloads
from outlive.web.views import run as run_view
from outlive.web.views.bulk import IDENTITY
from outlive.web.views.groups import RunLink
from outlive.web.views.run import RunHeader

_CARRIED: Final = (
    "workflow_execution_timeout",
    "workflow_run_timeout",
    "workflow_task_timeout",
    "retry_policy",
    "memo",
    "search_attributes",
    "header",
    "priority",
)


@dataclass(frozen=True, slots=True)
class AgainView:
    """The form. ``input`` is one JSON value a line or document; ``editable``: it is JSON, so it can be changed."""

    header: RunHeader
    type: str
    workflow_id: str
    task_queue: str
    input: str
    editable: bool


async def load(client: WorkflowServiceClient, link: RunLink, now: Callable[[], datetime]) -> AgainView:
    """Ask the server. Raises RpcError."""
    head = await run_view.head(client, link, now())
    started = await _started(client, link)
    found = list(started.input.payloads)
    editable = all(payloads.encoding_of(p) in ("json/plain", "binary/null") for p in found)
    texts = [p.data.decode(errors="replace") or "null" for p in found] if editable else []
    if len(found) == 1 and editable:
        texts = [payloads.view(found[0], len(found[0].data) * 4).text]
    return AgainView(
        head, started.workflow_type.name, link.workflow_id, started.task_queue.name, "\n".join(texts), editable
    )


async def _started(client: WorkflowServiceClient, link: RunLink) -> WorkflowExecutionStartedEventAttributes:
    events = await run_view.ends(client, link, closed=False)
    if not events:
        raise NotFound(StatusCode.NOT_FOUND, "The history has no first event any more.")
    return events[0].workflow_execution_started_event_attributes


async def start(client: WorkflowServiceClient, link: RunLink, form: Form) -> RunLink:
    """Start it; gives the new run. Raises RpcError, FieldProblems."""
    started = await _started(client, link)
    inputs = list(started.input.payloads)
    if form.flag("edited"):
        inputs = payload_input.parse(form.text("input"), "input")
    workflow_id = form.needed("workflow_id", "the new run's workflow id")
    request = StartWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_id=workflow_id,
        workflow_type=started.workflow_type,
        input=Payloads(payloads=inputs) if inputs else None,
        identity=IDENTITY,
        request_id=str(uuid.uuid4()),
        workflow_id_reuse_policy=WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE,
        workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_FAIL,
    )
    request.workflow_type.name = form.needed("type", "the workflow's type")
    request.task_queue.name = form.needed("task_queue", "the task queue that its workers poll")
    for name in _CARRIED:
        if started.HasField(name):
            getattr(request, name).CopyFrom(getattr(started, name))
    answer = await client.start_workflow_execution(request)
    return RunLink(link.namespace, workflow_id, answer.run_id)
