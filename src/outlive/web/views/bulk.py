"""Doing one thing to many runs: first what it would do (how many, which for instance), then a batch on the server.

The batch keeps its own query on the server, so it goes on as it was meant whatever happens to the page. Closed runs
are left out of what only open ones can be told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from temporalio.api.batch.v1 import (
    BatchOperationCancellation,
    BatchOperationDeletion,
    BatchOperationReset,
    BatchOperationSignal,
    BatchOperationTermination,
)
from temporalio.api.common.v1 import ResetOptions
from temporalio.api.enums.v1 import ResetReapplyExcludeType
from temporalio.api.workflowservice.v1 import (
    CountWorkflowExecutionsRequest,
    ListWorkflowExecutionsRequest,
    StartBatchOperationRequest,
)

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import payload_input, runs
from outlive.web.views.complete import quoted
from outlive.web.views.runs import RunRow, RunsQuery

IDENTITY: Final = "outlive web"
_OPEN: Final = "CloseTime IS NULL"
_ANY: Final = "StartTime IS NOT NULL"


@dataclass(frozen=True, slots=True)
class OperationWords:
    """An operation for people. ``consequence`` is what it does to each run."""

    key: str
    verb: str
    consequence: str
    open_only: bool


OPERATIONS: Final = (
    OperationWords("cancel", "Cancel", "Each run is asked to stop; its code may clean up first.", True),
    OperationWords("terminate", "Terminate", "Each run ends at once; its code is not told.", True),
    OperationWords("signal", "Signal", "Each run gets the signal.", True),
    OperationWords("reset", "Reset", "Each run starts again from a point of its history; an open one is ended.", False),
    OperationWords("delete", "Delete", "Each run is ended if it is open, and its history is gone.", False),
)  # fmt: skip
BY_KEY: Final = {one.key: one for one in OPERATIONS}


@dataclass(frozen=True, slots=True)
class BulkView:
    """The dry run. ``query`` is the batch's; ``count`` how many it finds; ``left_out`` are closed and stay."""

    operation: OperationWords
    operations: tuple[OperationWords, ...]
    asked: RunsQuery
    runs: tuple[str, ...]
    query: str
    count: int
    left_out: int
    sample: list[RunRow]


def base_query(asked: RunsQuery, chosen: tuple[str, ...]) -> str:
    """What the page showed, or the runs that were ticked on it."""
    if chosen:
        return f"RunId IN ({', '.join(quoted(run) for run in chosen)})"
    return asked.text


def batch_query(asked: RunsQuery, chosen: tuple[str, ...], operation: OperationWords) -> str:
    """The batch's list filter: never an empty one."""
    wanted = base_query(asked, chosen)
    if operation.open_only:
        return f"({wanted}) AND {_OPEN}" if wanted else _OPEN
    return wanted or _ANY


async def load(
    client: WorkflowServiceClient,
    asked: RunsQuery,
    chosen: tuple[str, ...],
    operation: OperationWords,
    now: Callable[[], datetime],
) -> BulkView:
    """What the batch would find now. Raises RpcError."""
    query = batch_query(asked, chosen, operation)
    namespace = asked.namespace
    found, everything, listed = await asyncio.gather(
        count(client, namespace, query),
        count(client, namespace, base_query(asked, chosen)),
        client.list_workflow_executions(
            ListWorkflowExecutionsRequest(namespace=namespace, query=query, page_size=bounds.BULK_SAMPLE)
        ),
    )
    at = now()
    sample = [runs.row(info, at) for info in listed.executions[: bounds.BULK_SAMPLE]]
    clean = replace(asked, page="", sort="", columns=())
    return BulkView(operation, OPERATIONS, clean, chosen, query, found, max(everything - found, 0), sample)


async def count(client: WorkflowServiceClient, namespace: str, query: str) -> int:
    """How many runs the filter finds. Raises RpcError."""
    request = CountWorkflowExecutionsRequest(namespace=namespace, query=query)
    return (await client.count_workflow_executions(request)).count


@dataclass(frozen=True, slots=True)
class Details:
    """What the person filled in. ``reset`` is ``first`` or ``last``; ``reapply`` keeps signals and updates."""

    reason: str
    signal: str = ""
    input: str = ""
    reset: str = "last"
    reapply: bool = True


async def start(
    client: WorkflowServiceClient, namespace: str, job_id: str, query: str, operation: str, details: Details
) -> None:
    """Start the batch. Raises RpcError, and FieldProblems for an input that is no JSON."""
    request = StartBatchOperationRequest(
        namespace=namespace, job_id=job_id, visibility_query=query, reason=details.reason
    )
    match operation:
        case "cancel":
            request.cancellation_operation.CopyFrom(BatchOperationCancellation(identity=IDENTITY))
        case "terminate":
            request.termination_operation.CopyFrom(BatchOperationTermination(identity=IDENTITY))
        case "signal":
            signal = BatchOperationSignal(signal=details.signal, identity=IDENTITY)
            signal.input.payloads.extend(payload_input.parse(details.input, "input"))
            request.signal_operation.CopyFrom(signal)
        case "reset":
            request.reset_operation.CopyFrom(BatchOperationReset(identity=IDENTITY, options=reset_options(details)))
        case "delete":
            request.deletion_operation.CopyFrom(BatchOperationDeletion(identity=IDENTITY))
    await client.start_batch_operation(request)


def reset_options(details: Details) -> ResetOptions:
    """Where to, and what is kept of what came after."""
    options = ResetOptions()
    if details.reset == "first":
        options.first_workflow_task.SetInParent()
    else:
        options.last_workflow_task.SetInParent()
    if not details.reapply:
        kinds = ResetReapplyExcludeType
        options.reset_reapply_exclude_types.extend(
            (kinds.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, kinds.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE)
        )
    return options
