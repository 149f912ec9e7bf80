"""Starting workflows."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy, WorkflowIdReusePolicy
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from outlive.cli.remote import values
from outlive.cli.remote.output import note
from outlive.cli.remote.session import Session, remote
from outlive.cli.remote.values import SPAN
from outlive.cli.workflow.common import link
from outlive.cli.workflow.look import events, print_result

Command = TypeVar("Command", bound=Callable[..., Any])
_REUSE = {"AllowDuplicate": 1, "AllowDuplicateFailedOnly": 2, "RejectDuplicate": 3, "TerminateIfRunning": 4}
_CONFLICT = {"Fail": 1, "UseExisting": 2, "TerminateExisting": 3}


def _start_options(command: Command) -> Command:
    for option in reversed(
        (
            click.option("-w", "--workflow-id", default="", help="Id of the workflow. [default: a fresh one]"),
            click.option("--type", "workflow_type", required=True, help="Its type: the name workers know it by."),
            click.option("-t", "--task-queue", required=True, help="Queue of the workers that run it."),
            click.option("-i", "--input", "inputs", multiple=True, help="An argument, as JSON. Repeatable."),
            click.option("--input-file", "files", multiple=True,
                         type=click.Path(exists=True, dir_okay=False, path_type=Path), help="The same from a file."),
            click.option("--cron", default="", help="Run it again by this cron line."),
            click.option("--start-delay", type=SPAN, help="Wait so long before the first task."),
            click.option("--execution-timeout", type=SPAN, help="The whole chain of runs ends after it."),
            click.option("--run-timeout", type=SPAN, help="One run ends after it."),
            click.option("--task-timeout", type=SPAN, help="A worker has so long for one workflow task."),
            click.option("--id-reuse-policy", type=click.Choice(tuple(_REUSE)), help="If a run of the id has closed."),
            click.option("--id-conflict-policy", type=click.Choice(tuple(_CONFLICT)), help="If one runs."),
            click.option("--memo", "memo", multiple=True, help="NAME=JSON. Repeatable."),
            click.option("--search-attribute", "attributes", multiple=True, help="NAME=JSON. Repeatable."),
            click.option("--static-summary", default="", help="A line about the run, for people."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def _fill(request: Any, session: Session, options: dict[str, Any]) -> None:
    """The fields that both kinds of start have."""
    request.workflow_id = options["workflow_id"] or str(uuid.uuid4())
    request.workflow_type.CopyFrom(WorkflowType(name=options["workflow_type"]))
    request.task_queue.CopyFrom(TaskQueue(name=options["task_queue"]))
    request.request_id = str(uuid.uuid4())
    request.identity = session.identity
    request.cron_schedule = options["cron"]
    request.workflow_id_reuse_policy = WorkflowIdReusePolicy.ValueType(_REUSE.get(options["id_reuse_policy"], 0))
    request.workflow_id_conflict_policy = WorkflowIdConflictPolicy.ValueType(
        _CONFLICT.get(options["id_conflict_policy"], 0)
    )
    spans: Sequence[tuple[str, Duration | None]] = (
        ("workflow_start_delay", options["start_delay"]),
        ("workflow_execution_timeout", options["execution_timeout"]),
        ("workflow_run_timeout", options["run_timeout"]),
        ("workflow_task_timeout", options["task_timeout"]),
    )
    messages = (
        *spans,
        ("input", values.payloads(options["inputs"], options["files"])),
        ("memo", values.memo(options["memo"])),
        ("search_attributes", values.search_attributes(options["attributes"])),
    )
    for name, message in messages:
        if message is not None:
            getattr(request, name).CopyFrom(message)
    if options["static_summary"]:
        import json

        summary = values.json_payload(json.dumps(options["static_summary"]))
        request.user_metadata.CopyFrom(UserMetadata(summary=summary))


async def _start(session: Session, options: dict[str, Any]) -> dict[str, Any]:
    request = StartWorkflowExecutionRequest()
    _fill(request, session, options)
    answer = await session.client.start_workflow_execution(request, timeout=session.seconds)
    return {
        "workflowId": request.workflow_id,
        "runId": answer.run_id,
        "type": options["workflow_type"],
        "taskQueue": options["task_queue"],
        "namespace": session.namespace,
    }


@click.command()
@_start_options
@remote
async def start(session: Session, **options: Any) -> None:
    """Start a workflow.

    Example: outlive workflow start --type Digest -t digest -i '["One. Two."]'
    """
    session.output.item(await _start(session, options))


@click.command()
@_start_options
@remote
async def execute(session: Session, **options: Any) -> None:
    """Start a workflow, show its events as they come, and print its result.

    Exit code 0 if it completed, 1 if it failed, 3 if it timed out.
    """
    started = await _start(session, options)
    if session.output.form == "table":
        note(f"started {started['workflowId']} (run {started['runId']})")
        async for event in events(session, link(session, started["workflowId"], started["runId"]), follow=True):
            note(f"{event['eventId']:>5}  {event['type']}  {event['summary']}".rstrip())
    await print_result(session, started["workflowId"], started["runId"])


@click.command("signal-with-start")
@_start_options
@click.option("--signal-name", required=True, help="Name of the signal.")
@click.option("--signal-input", multiple=True, help="An argument of the signal, as JSON. Repeatable.")
@remote
async def signal_with_start(session: Session, signal_name: str, signal_input: Sequence[str], **options: Any) -> None:
    """Signal a workflow, starting it if none of that id runs."""
    request = SignalWithStartWorkflowExecutionRequest(signal_name=signal_name)
    _fill(request, session, options)
    signalled = values.payloads(signal_input, ())
    if signalled is not None:
        request.signal_input.CopyFrom(signalled)
    answer = await session.client.signal_with_start_workflow_execution(request, timeout=session.seconds)
    session.output.item({"workflowId": request.workflow_id, "runId": answer.run_id, "started": answer.started})
