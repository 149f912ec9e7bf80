"""What can be done to a run and to its activities: a form's fields to requests of the server.

Each function takes the client, the run and the form, does it, and gives the words that say so. It raises RpcError for
what the server refuses, and FieldProblems for what it would not understand.
"""

from __future__ import annotations

import uuid
from collections.abc import Awaitable, Callable
from typing import Any, Final

from temporalio.api.common.v1 import Payloads, WorkflowExecution
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    PauseActivityRequest,
    PauseWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetActivityRequest,
    ResetWorkflowExecutionRequest,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskFailedByIdRequest,
    SignalWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
    UnpauseActivityRequest,
    UnpauseWorkflowExecutionRequest,
)

from outlive.client import WorkflowServiceClient
from outlive.web.forms import FieldProblems, Form
from outlive.web.views import payload_input
from outlive.web.views.bulk import IDENTITY
from outlive.web.views.groups import RunLink

Act = Callable[[WorkflowServiceClient, RunLink, Form], Awaitable[str]]


def new_id() -> str:
    """An id for a request, so that it is done once however often it is sent."""
    return str(uuid.uuid4())


def execution(link: RunLink) -> WorkflowExecution:
    """The run, as requests name it."""
    return WorkflowExecution(workflow_id=link.workflow_id, run_id=link.run_id)


def arguments(form: Form, field: str = "input") -> Payloads | None:
    """What was typed as JSON. Raises FieldProblems."""
    found = payload_input.parse(form.text(field), field)
    return Payloads(payloads=found) if found else None


async def signal(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """Send a signal."""
    name = form.needed("signal", "the signal's name")
    request = SignalWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_execution=execution(link),
        signal_name=name,
        input=arguments(form),
        identity=IDENTITY,
        request_id=new_id(),
    )
    await client.signal_workflow_execution(request)
    return f"Signal “{name}” is sent."


async def cancel(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """Ask the run to stop."""
    request = RequestCancelWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_execution=execution(link),
        identity=IDENTITY,
        reason=form.text("reason"),
        request_id=new_id(),
    )
    await client.request_cancel_workflow_execution(request)
    return "The run is asked to cancel."


async def terminate(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """End the run at once."""
    request = TerminateWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_execution=execution(link),
        reason=form.needed("reason", "why, for whoever looks at it later"),
        identity=IDENTITY,
    )
    await client.terminate_workflow_execution(request)
    return "The run is terminated."


async def delete(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """Take the run away, with its history."""
    request = DeleteWorkflowExecutionRequest(namespace=link.namespace, workflow_execution=execution(link))
    await client.delete_workflow_execution(request)
    return f"Run {link.run_id[:8]}… of {link.workflow_id} is deleted."


async def pause(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """Let the run rest: nothing of it is handed to workers."""
    request = PauseWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_id=link.workflow_id,
        run_id=link.run_id,
        identity=IDENTITY,
        reason=form.needed("reason", "why, for whoever looks at it later"),
        request_id=new_id(),
    )
    await client.pause_workflow_execution(request)
    return "The run is paused."


async def unpause(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """Let it go on."""
    request = UnpauseWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_id=link.workflow_id,
        run_id=link.run_id,
        identity=IDENTITY,
        reason=form.text("reason"),
        request_id=new_id(),
    )
    await client.unpause_workflow_execution(request)
    return "The run goes on."


async def reset(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """A new run that has the history up to a workflow task; gives the new run's id."""
    exclude = ResetReapplyExcludeType
    kinds = {
        "signals": exclude.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL,
        "updates": exclude.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE,
    }
    request = ResetWorkflowExecutionRequest(
        namespace=link.namespace,
        workflow_execution=execution(link),
        reason=form.needed("reason", "why, for whoever looks at it later"),
        workflow_task_finish_event_id=form.number("event", 3, 10**9),
        reset_reapply_exclude_types=[kind for name, kind in kinds.items() if not form.flag(name)],
        request_id=new_id(),
        identity=IDENTITY,
    )
    return (await client.reset_workflow_execution(request)).run_id


# -- activities


async def activity(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    """Do what the form's ``do`` says to the activity that its ``activity`` names."""
    act = _ACTIVITY_ACTS.get(form.text("do"))
    if act is None:
        raise FieldProblems({"": "The form is not complete: reload the page."})
    return await act(client, link, form)


async def _pause(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    request = PauseActivityRequest(**_named(link, form), reason=form.text("reason"))
    await client.pause_activity(request)
    return "The activity is paused: what runs goes on, and is not tried again."


async def _unpause(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    await client.unpause_activity(UnpauseActivityRequest(**_named(link, form)))
    return "The activity goes on."


async def _reset(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    await client.reset_activity(ResetActivityRequest(**_named(link, form)))
    return "The activity begins again with its first attempt."


def _named(link: RunLink, form: Form) -> dict[str, Any]:
    return {
        "namespace": link.namespace,
        "execution": execution(link),
        "identity": IDENTITY,
        "id": form.needed("activity", "the activity's id"),
    }


async def _complete(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    request = RespondActivityTaskCompletedByIdRequest(
        namespace=link.namespace,
        workflow_id=link.workflow_id,
        run_id=link.run_id,
        activity_id=form.needed("activity", "the activity's id"),
        result=arguments(form, "result"),
        identity=IDENTITY,
    )
    await client.respond_activity_task_completed_by_id(request)
    return "The activity is completed."


async def _fail(client: WorkflowServiceClient, link: RunLink, form: Form) -> str:
    info = ApplicationFailureInfo(type=form.text("type") or "FailedByHand", non_retryable=not form.flag("retry"))
    failure = Failure(
        message=form.needed("message", "what failed, in words"), source=IDENTITY, application_failure_info=info
    )
    request = RespondActivityTaskFailedByIdRequest(
        namespace=link.namespace,
        workflow_id=link.workflow_id,
        run_id=link.run_id,
        activity_id=form.needed("activity", "the activity's id"),
        failure=failure,
        identity=IDENTITY,
    )
    await client.respond_activity_task_failed_by_id(request)
    return "The activity has failed, by hand."


_ACTIVITY_ACTS: Final[dict[str, Act]] = {
    "pause": _pause,
    "unpause": _unpause,
    "reset": _reset,
    "complete": _complete,
    "fail": _fail,
}
RUN_ACTS: Final[dict[str, Act]] = {
    "signal": signal,
    "cancel": cancel,
    "terminate": terminate,
    "pause": pause,
    "unpause": unpause,
    "activities": activity,
}
