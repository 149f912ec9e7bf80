"""What is kept of a schedule. Rows are frozen: a change is a new row.

Times are nanoseconds since the epoch; 0 stands for "never". Messages are never changed in place.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

from temporalio.api.enums.v1 import ScheduleOverlapPolicy, WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import CreateScheduleRequest

from outlive.core.proto import SECOND, ns_of

RUNNING: Final = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
SKIP: Final = ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_SKIP
BUFFER_ONE: Final = ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE
BUFFER_ALL: Final = ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL
CANCEL_OTHER: Final = ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER
TERMINATE_OTHER: Final = ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER
ALLOW_ALL: Final = ScheduleOverlapPolicy.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL


class Planned(NamedTuple):
    """An action whose time has come, and which waits its turn."""

    nominal: int  # the time that the spec says
    actual: int  # the same with its jitter: what people see as the schedule's time
    policy: int = 0  # ScheduleOverlapPolicy; 0: the schedule's, as it is when the turn comes
    manual: bool = False  # of a trigger or a backfill: neither pauses nor limits hold it up

    @property
    def second(self) -> int:
        """The nominal time as the started workflow carries it."""
        return self.nominal // SECOND * SECOND


class Backfill(NamedTuple):
    """What is left of a backfill: the nominal times after one time, up to and with another."""

    after: int
    end: int
    policy: int


class Execution(NamedTuple):
    """A workflow that the schedule started: its id, and the run id of the first run of its chain."""

    workflow_id: str
    run_id: str


class Action(NamedTuple):
    """An action that was taken (``schedule.v1.ScheduleActionResult``)."""

    scheduled: int
    taken: int
    execution: Execution
    status: int = RUNNING  # WorkflowExecutionStatus; 0 of a workflow that is gone


@dataclass(frozen=True, slots=True)
class State:
    """What a schedule has done, and is about to do."""

    uid: str  # another schedule of the same id has another
    created: int
    cursor: int  # nominal times up to this one have been dealt with
    not_before: int  # what was due before is passed over without a word: the schedule was paused or another one
    updated: int = 0
    token: int = 1  # of conflicts: another one after every change of what clients may set
    notes: str = ""
    paused: bool = False
    limited: bool = False
    remaining: int = 0  # actions that the clock may still lead to, if they are limited
    buffer: tuple[Planned, ...] = ()
    backfills: tuple[Backfill, ...] = ()
    running: tuple[Execution, ...] = ()  # that the next action may not overlap with
    recent: tuple[Action, ...] = ()
    action_count: int = 0
    missed_catchup_window: int = 0
    overlap_skipped: int = 0
    buffer_dropped: int = 0
    attempts: int = 0  # actions tried: numbers their requests
    last_trigger: int = 0  # the second that the last trigger stands for
    last_result: bytes = b""  # Payloads, of the last run that had one
    last_failure: bytes = b""  # Failure, if a run has failed since
    requests: tuple[str, ...] = ()  # ids of the last requests
    wake_at: int = 0  # when there is something to do next, as of the last look


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule: what its clients ask for, and how far it is.

    `definition` is the request that created it, as updates have changed it since: the spec in its canonical
    form, defaults filled in, no state.
    """

    definition: CreateScheduleRequest
    state: State

    @property
    def id(self) -> str:
        return self.definition.schedule_id

    def but(self, **changes: Any) -> Schedule:
        """The schedule with fields of its state changed."""
        return replace(self, state=replace(self.state, **changes))

    def policy(self, own: int) -> int:
        """The overlap policy of an action that has this one of its own, or none (0)."""
        return own or self.definition.schedule.policies.overlap_policy or SKIP

    @property
    def catchup_window(self) -> int:
        return ns_of(self.definition.schedule.policies.catchup_window)

    @property
    def may_act(self) -> bool:
        """Whether the clock alone may lead to an action."""
        state = self.state
        return not state.paused and (not state.limited or state.remaining > 0)
