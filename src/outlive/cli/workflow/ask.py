"""Speaking with a workflow's code: queries, signals, updates."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    QueryWorkflowRequest,
    SignalWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)

from outlive.cli.remote import values
from outlive.cli.remote.output import note
from outlive.cli.remote.session import Failed, Session, remote
from outlive.cli.remote.values import shown_all
from outlive.cli.workflow.common import execution, run_id, workflow_id
from outlive.web.views import failures

Command = TypeVar("Command", bound=Callable[..., Any])
COMPLETED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_COMPLETED
ACCEPTED = UpdateWorkflowExecutionLifecycleStage.UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_ACCEPTED
_UPDATE_CALL = 25.0  # seconds; the server answers before with the stage that is reached


def _inputs(command: Command) -> Command:
    files = click.Path(exists=True, dir_okay=False, path_type=Path)
    command = click.option("--input-file", "files", multiple=True, type=files, help="The same from a file.")(command)
    return click.option("-i", "--input", "inputs", multiple=True, help="An argument, as JSON. Repeatable.")(command)


async def _query(session: Session, workflow_id: str, run_id: str, name: str, args: Any) -> Any:
    request = QueryWorkflowRequest(execution=execution(workflow_id, run_id), query=WorkflowQuery(query_type=name))
    if args is not None:
        request.query.query_args.CopyFrom(args)
    answer = await session.client.query_workflow(request, timeout=session.seconds)
    return shown_all(answer.query_result)


@click.command()
@workflow_id
@run_id
@click.option("--name", required=True, help="Name of the query.")
@_inputs
@remote
async def query(
    session: Session, workflow_id: str, run_id: str, name: str, inputs: Sequence[str], files: Sequence[Path]
) -> None:
    """Ask a workflow something. A worker must be there to answer."""
    value = await _query(session, workflow_id, run_id, name, values.payloads(inputs, files))
    if session.output.form == "table":
        session.output.text(value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False), "")
    else:
        session.output.item({"result": value})


@click.command()
@workflow_id
@run_id
@remote
async def stack(session: Session, workflow_id: str, run_id: str) -> None:
    """Where a workflow's code stands now, as its worker sees it."""
    value = await _query(session, workflow_id, run_id, "__stack_trace", None)
    session.output.text(str(value or "it waits for nothing"), "stack")


@click.command()
@workflow_id
@run_id
@click.option("--name", required=True, help="Name of the signal.")
@_inputs
@remote
async def signal(
    session: Session, workflow_id: str, run_id: str, name: str, inputs: Sequence[str], files: Sequence[Path]
) -> None:
    """Send a workflow a message. It is recorded, whether or not a worker is there."""
    request = SignalWorkflowExecutionRequest(
        workflow_execution=execution(workflow_id, run_id),
        signal_name=name,
        input=values.payloads(inputs, files),
        identity=session.identity,
        request_id=str(uuid.uuid4()),
    )
    await session.client.signal_workflow_execution(request, timeout=session.seconds)
    note(f"signalled {workflow_id}")


@click.command()
@workflow_id
@run_id
@click.option("--name", required=True, help="Name of the update.")
@click.option("--update-id", default="", help="Its id, so that a repetition counts once. [default: a fresh one]")
@click.option("--wait-for-stage", type=click.Choice(("accepted", "completed")), default="completed", show_default=True)
@_inputs
@remote
async def update(session: Session, workflow_id: str, run_id: str, wait_for_stage: str, **options: Any) -> None:
    """Have a workflow handle an update; print its result, or exit with 1 if it is refused or fails."""
    stage = COMPLETED if wait_for_stage == "completed" else ACCEPTED
    update_id = options["update_id"] or str(uuid.uuid4())
    request = UpdateWorkflowExecutionRequest(
        workflow_execution=execution(workflow_id, run_id),
        wait_policy=WaitPolicy(lifecycle_stage=stage),
        request=Request(
            meta=Meta(update_id=update_id, identity=session.identity),
            input=Input(name=options["name"], args=values.payloads(options["inputs"], options["files"])),
        ),
    )
    while True:
        answer = await session.client.update_workflow_execution(request, timeout=max(session.seconds, _UPDATE_CALL))
        if answer.stage >= stage or answer.HasField("outcome"):
            break
    outcome = answer.outcome
    if outcome.HasField("failure"):
        raise Failed(f"update {options['name']} failed: {failures.headline(outcome.failure)}")
    item: dict[str, Any] = {"updateId": update_id, "stage": "completed" if outcome.HasField("success") else "accepted"}
    if outcome.HasField("success"):
        item["result"] = shown_all(outcome.success)
    session.output.item(item)
