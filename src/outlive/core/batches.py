"""A batch operation: what is to be done to many runs, and how far it has come. Pure data.

Rules
- A batch is running until it has done its last target (completed) or is stopped (failed).
- Progress is kept page by page: after a restart the page under way is done again, which is harmless, since each
  operation on a run carries an id made of the batch's and the run's.
- What is gone counts as done: there is nothing left to do to it.
- A run that closes while the batch runs, by the batch or by itself, is not touched any more, unless to delete it.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Final

from temporalio.api.enums.v1 import BatchOperationState, BatchOperationType
from temporalio.api.workflowservice.v1 import StartBatchOperationRequest

RUNNING: Final = BatchOperationState.BATCH_OPERATION_STATE_RUNNING
COMPLETED: Final = BatchOperationState.BATCH_OPERATION_STATE_COMPLETED
FAILED: Final = BatchOperationState.BATCH_OPERATION_STATE_FAILED

_T = BatchOperationType
TYPES: Final = {
    "termination_operation": _T.BATCH_OPERATION_TYPE_TERMINATE_WORKFLOW,
    "signal_operation": _T.BATCH_OPERATION_TYPE_SIGNAL_WORKFLOW,
    "cancellation_operation": _T.BATCH_OPERATION_TYPE_CANCEL_WORKFLOW,
    "deletion_operation": _T.BATCH_OPERATION_TYPE_DELETE_WORKFLOW,
    "reset_operation": _T.BATCH_OPERATION_TYPE_RESET_WORKFLOW,
    "update_workflow_options_operation": _T.BATCH_OPERATION_TYPE_UPDATE_WORKFLOW_EXECUTION_OPTIONS,
    "unpause_activities_operation": _T.BATCH_OPERATION_TYPE_UNPAUSE_ACTIVITY,
    "reset_activities_operation": _T.BATCH_OPERATION_TYPE_RESET_ACTIVITY,
    "update_activity_options_operation": _T.BATCH_OPERATION_TYPE_UPDATE_ACTIVITY_OPTIONS,
    "cancel_activities_operation": _T.BATCH_OPERATION_TYPE_CANCEL_ACTIVITY,
    "terminate_activities_operation": _T.BATCH_OPERATION_TYPE_TERMINATE_ACTIVITY,
    "delete_activities_operation": _T.BATCH_OPERATION_TYPE_DELETE_ACTIVITY,
}
"""What each field of StartBatchOperationRequest's `operation` is."""


@dataclass(slots=True)
class Batch:
    """One batch operation. Times are nanoseconds since the epoch."""

    request: StartBatchOperationRequest
    run_id: str
    started: int
    state: BatchOperationState.ValueType = RUNNING
    closed: int = 0
    total: int = 0
    done: int = 0
    failed: int = 0
    page: bytes = b""  # token of the page that comes next; of a batch with a query
    place: int = 0  # of the next execution; of a batch with a list of them
    stop_reason: str = ""

    @property
    def operation(self) -> str:
        """The field of the request that says what is to be done."""
        return self.request.WhichOneof("operation") or ""

    @property
    def identity(self) -> str:
        """Who asked for it."""
        return str(getattr(getattr(self.request, self.operation), "identity", ""))

    def meant(self, close_time: int | None) -> bool:
        """Whether a run that a list finds is to be touched; `close_time` None: it is open.

        Lists have closed runs after open ones, so a run that the batch itself has closed is found again.
        """
        return close_time is None or close_time < self.started or self.operation == "deletion_operation"

    def end(self, state: BatchOperationState.ValueType, now: int) -> None:
        self.state, self.closed = state, now


def encode(batch: Batch) -> bytes:
    """The batch as the store keeps it."""
    fields = {
        "request": base64.b64encode(batch.request.SerializeToString()).decode(),
        "page": base64.b64encode(batch.page).decode(),
        "state": int(batch.state),
    }
    plain = {
        name: getattr(batch, name)
        for name in ("run_id", "started", "closed", "total", "done", "failed", "place", "stop_reason")
    }
    return json.dumps({**fields, **plain}).encode()


def decode(data: bytes) -> Batch:
    """A batch from the store."""
    fields = json.loads(data)
    request = StartBatchOperationRequest.FromString(base64.b64decode(fields.pop("request")))
    page = base64.b64decode(fields.pop("page"))
    state = BatchOperationState.ValueType(fields.pop("state"))
    return Batch(request=request, page=page, state=state, **fields)
