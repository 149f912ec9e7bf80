"""Batches: one thing done to many runs, as the server does it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from temporalio.api.enums.v1 import BatchOperationState, BatchOperationType
from temporalio.api.workflowservice.v1 import DescribeBatchOperationRequest, ListBatchOperationsRequest

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import times
from outlive.web.views.status import Status


@dataclass(frozen=True, slots=True)
class BatchRow:
    """One batch of the list."""

    job_id: str
    operation: str
    status: Status
    start: datetime | None
    close: datetime | None


@dataclass(frozen=True, slots=True)
class BatchesView:
    """The list, newest first. ``more``: there are older ones."""

    rows: list[BatchRow]
    more: bool


@dataclass(frozen=True, slots=True)
class BatchView:
    """One batch. ``done`` counts those it did, ``failed`` those that were refused, out of ``total``."""

    row: BatchRow
    namespace: str
    total: int
    done: int
    failed: int
    reason: str
    identity: str
    query: str

    @property
    def share(self) -> float:
        """How far it is, from 0 to 1."""
        return (self.done + self.failed) / self.total if self.total else 0.0

    @property
    def live(self) -> bool:
        """Whether more is to come."""
        return self.row.status.open


async def load(client: WorkflowServiceClient, namespace: str) -> BatchesView:
    """Ask the server. Raises RpcError."""
    request = ListBatchOperationsRequest(namespace=namespace, page_size=bounds.BATCHES_PAGE)
    answer = await client.list_batch_operations(request)
    rows = [
        BatchRow(
            one.job_id,
            _operation(one.operation_type),
            _status(one.state),
            times.moment(one.start_time),
            times.moment(one.close_time),
        )
        for one in answer.operation_info
    ]
    return BatchesView(rows, bool(answer.next_page_token))


async def one(client: WorkflowServiceClient, namespace: str, job_id: str) -> BatchView:
    """One batch. Raises RpcError."""
    found = await client.describe_batch_operation(DescribeBatchOperationRequest(namespace=namespace, job_id=job_id))
    row = BatchRow(
        found.job_id,
        _operation(found.operation_type),
        _status(found.state),
        times.moment(found.start_time),
        times.moment(found.close_time),
    )
    return BatchView(
        row,
        namespace,
        found.total_operation_count,
        found.complete_operation_count,
        found.failure_operation_count,
        found.reason,
        found.identity,
        found.query,
    )


def _status(state: BatchOperationState.ValueType) -> Status:
    if state == BatchOperationState.BATCH_OPERATION_STATE_COMPLETED:
        return Status.COMPLETED
    return Status.FAILED if state == BatchOperationState.BATCH_OPERATION_STATE_FAILED else Status.RUNNING


def _operation(kind: BatchOperationType.ValueType) -> str:
    """``BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW`` as ``Terminate``."""
    if kind not in BatchOperationType.values():
        return "Unknown"
    name = BatchOperationType.Name(kind).removeprefix("BATCH_OPERATION_TYPE_").removesuffix("_WORKFLOW")
    return name.replace("_", " ").capitalize()
