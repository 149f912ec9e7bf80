"""Stopping, removing, resetting runs: one, or all that a filter finds (then as a batch on the server)."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable
from typing import Any, TypeVar

import click
from temporalio.api.batch.v1 import (
    BatchOperationCancellation,
    BatchOperationDeletion,
    BatchOperationTermination,
)
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    DeleteWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    PauseWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionRequest,
    ResetWorkflowExecutionRequest,
    StartBatchOperationRequest,
    TerminateWorkflowExecutionRequest,
    UnpauseWorkflowExecutionRequest,
)

from outlive.cli.remote.output import note
from outlive.cli.remote.session import Failed, Session, remote
from outlive.cli.workflow.common import execution, run_id, runs, workflow_id

Command = TypeVar("Command", bound=Callable[..., Any])
_SAMPLE = 5  # runs named before a batch is confirmed


def _target(command: Command) -> Command:
    for option in reversed(
        (
            click.option("-w", "--workflow-id", default="", help="Id of the workflow."),
            click.option("-r", "--run-id", default="", help="One run of it; the last one otherwise."),
            click.option("-q", "--query", default="", help="All runs that this list filter finds, as a batch."),
            click.option("--reason", default="", help="Why; recorded."),
            click.option("-y", "--yes", is_flag=True, help="Do not ask."),
            click.option("--dry-run", is_flag=True, help="Only show what would be touched."),
        )
    ):
        command = option(command)
    return command


async def _batch_or_one(session: Session, verb: str, options: dict[str, Any], one: Any, operation: Any) -> None:
    """Do it to the one run that is named, or start a batch for those that the filter finds."""
    if bool(options["workflow_id"]) == bool(options["query"]):
        raise click.UsageError("name a workflow with --workflow-id, or runs with --query: one of the two")
    if options["workflow_id"]:
        if options["dry_run"]:
            note(f"would {verb} {options['workflow_id']}")
            return
        await one()
        note(f"{verb}: asked for {options['workflow_id']}" if verb == "cancel" else f"{verb}d {options['workflow_id']}")
        return
    count = await session.client.count_workflow_executions(
        CountWorkflowExecutionsRequest(query=options["query"]), timeout=session.seconds
    )
    sample = [info.execution.workflow_id async for info in runs(session, options["query"], _SAMPLE)]
    note(f"{count.count} runs match" + (f", such as {', '.join(sample)}" if sample else ""))
    if options["dry_run"] or not count.count:
        return
    _confirm(f"{verb} them?", options["yes"])
    request = StartBatchOperationRequest(
        job_id=str(uuid.uuid4()),
        visibility_query=options["query"],
        reason=options["reason"] or f"outlive workflow {verb}",
    )
    getattr(request, operation[0]).CopyFrom(operation[1])
    await session.client.start_batch_operation(request, timeout=session.seconds)
    session.output.item({"jobId": request.job_id, "matching": count.count})


def _confirm(question: str, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError("nobody is there to confirm it: add --yes")
    click.confirm(question, abort=True, err=True)


@click.command()
@_target
@remote
async def cancel(session: Session, **options: Any) -> None:
    """Ask a workflow, or all that a filter finds, to stop: its code decides how."""

    async def one() -> None:
        request = RequestCancelWorkflowExecutionRequest(
            workflow_execution=execution(options["workflow_id"], options["run_id"]),
            identity=session.identity,
            request_id=str(uuid.uuid4()),
            reason=options["reason"],
        )
        await session.client.request_cancel_workflow_execution(request, timeout=session.seconds)

    operation = ("cancellation_operation", BatchOperationCancellation(identity=session.identity))
    await _batch_or_one(session, "cancel", options, one, operation)


@click.command()
@_target
@remote
async def terminate(session: Session, **options: Any) -> None:
    """Stop a workflow, or all that a filter finds, at once: its code is not asked."""

    async def one() -> None:
        request = TerminateWorkflowExecutionRequest(
            workflow_execution=execution(options["workflow_id"], options["run_id"]),
            identity=session.identity,
            reason=options["reason"] or f"by {session.identity}",
        )
        await session.client.terminate_workflow_execution(request, timeout=session.seconds)

    operation = ("termination_operation", BatchOperationTermination(identity=session.identity))
    await _batch_or_one(session, "terminate", options, one, operation)


@click.command()
@_target
@remote
async def delete(session: Session, **options: Any) -> None:
    """Remove a run and its history, or all that a filter finds; a running one is terminated first."""

    async def one() -> None:
        _confirm(f"delete {options['workflow_id']} and its history?", options["yes"])
        request = DeleteWorkflowExecutionRequest(
            workflow_execution=execution(options["workflow_id"], options["run_id"])
        )
        await session.client.delete_workflow_execution(request, timeout=session.seconds)

    operation = ("deletion_operation", BatchOperationDeletion(identity=session.identity))
    await _batch_or_one(session, "delete", options, one, operation)


@click.command()
@workflow_id
@run_id
@click.option("-e", "--event-id", type=click.IntRange(1), help="The workflow task's event to go back to.")
@click.option("--type", "kind", type=click.Choice(("FirstWorkflowTask", "LastWorkflowTask")), help="Or this one.")
@click.option("--reason", required=True, help="Why; recorded.")
@remote
async def reset(
    session: Session, workflow_id: str, run_id: str, event_id: int | None, kind: str | None, reason: str
) -> None:
    """Run a workflow again from a point of its history, with what was recorded before it."""
    if (event_id is None) == (kind is None):
        raise click.UsageError("say where to: --event-id, or --type FirstWorkflowTask or LastWorkflowTask")
    point = event_id if event_id is not None else await _task_event(session, workflow_id, run_id, kind or "")
    request = ResetWorkflowExecutionRequest(
        workflow_execution=execution(workflow_id, run_id),
        reason=reason,
        workflow_task_finish_event_id=point,
        request_id=str(uuid.uuid4()),
        identity=session.identity,
    )
    answer = await session.client.reset_workflow_execution(request, timeout=session.seconds)
    session.output.item({"workflowId": workflow_id, "runId": answer.run_id, "eventId": point})


async def _task_event(session: Session, workflow_id: str, run_id: str, kind: str) -> int:
    """The id of the first or last completed workflow task's event."""
    request = GetWorkflowExecutionHistoryRequest(execution=execution(workflow_id, run_id))
    found = 0
    while True:
        answer = await session.client.get_workflow_execution_history(request, timeout=session.seconds)
        for event in answer.history.events:
            if event.HasField("workflow_task_completed_event_attributes"):
                found = int(event.event_id)
                if kind == "FirstWorkflowTask":
                    return found
        if not answer.next_page_token:
            break
        request.next_page_token = answer.next_page_token
    if not found:
        raise Failed(f"{workflow_id} has no completed workflow task to go back to")
    return found


@click.command()
@workflow_id
@run_id
@click.option("--reason", default="", help="Why; recorded.")
@remote
async def pause(session: Session, workflow_id: str, run_id: str, reason: str) -> None:
    """Hold a workflow: its workers get no new tasks of it until it is unpaused."""
    request = PauseWorkflowExecutionRequest(
        workflow_id=workflow_id, run_id=run_id, reason=reason, identity=session.identity, request_id=str(uuid.uuid4())
    )
    await session.client.pause_workflow_execution(request, timeout=session.seconds)
    note(f"paused {workflow_id}")


@click.command()
@workflow_id
@run_id
@click.option("--reason", default="", help="Why; recorded.")
@remote
async def unpause(session: Session, workflow_id: str, run_id: str, reason: str) -> None:
    """Let a paused workflow go on."""
    request = UnpauseWorkflowExecutionRequest(
        workflow_id=workflow_id, run_id=run_id, reason=reason, identity=session.identity, request_id=str(uuid.uuid4())
    )
    await session.client.unpause_workflow_execution(request, timeout=session.seconds)
    note(f"unpaused {workflow_id}")
