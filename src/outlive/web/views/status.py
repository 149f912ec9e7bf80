"""How a run, or a part of it, stands: one word each, the words that list filters use."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from temporalio.api.enums.v1 import WorkflowExecutionStatus


class Status(StrEnum):
    """A run's status (the first eight, by the name that ``ExecutionStatus`` has in a filter), or a part's."""

    RUNNING = "Running"
    COMPLETED = "Completed"
    FAILED = "Failed"
    CANCELED = "Canceled"
    TERMINATED = "Terminated"
    CONTINUED_AS_NEW = "ContinuedAsNew"
    TIMED_OUT = "TimedOut"
    PAUSED = "Paused"

    SCHEDULED = "Scheduled"  # asked for, and nobody has taken it yet
    RETRYING = "Retrying"  # failed at least once; the next attempt is to come
    CANCELING = "Canceling"  # asked to cancel, not ended yet
    LEFT_OPEN = "LeftOpen"  # had not ended when its run did
    RECORDED = "Recorded"  # something that happened at one moment

    @property
    def label(self) -> str:
        """The word for a person."""
        return {"ContinuedAsNew": "Continued as new", "TimedOut": "Timed out", "LeftOpen": "Left open"}.get(
            self.value, self.value
        )

    @property
    def open(self) -> bool:
        """Whether more is to come."""
        return self in _OPEN

    @property
    def bad(self) -> bool:
        """Whether a person wants to see it first."""
        return self in _BAD


_OPEN: Final = frozenset({Status.RUNNING, Status.PAUSED, Status.SCHEDULED, Status.RETRYING, Status.CANCELING})
_BAD: Final = frozenset({Status.FAILED, Status.TIMED_OUT, Status.TERMINATED, Status.RETRYING})

RUN_STATUSES: Final = tuple(Status)[:8]

_OF_RUN: Final = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING: Status.RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED: Status.COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED: Status.FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED: Status.CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED: Status.TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW: Status.CONTINUED_AS_NEW,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT: Status.TIMED_OUT,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED: Status.PAUSED,
}


def of_run(value: WorkflowExecutionStatus.ValueType) -> Status:
    """The status of a run. A value from a later API counts as running."""
    return _OF_RUN.get(value, Status.RUNNING)
