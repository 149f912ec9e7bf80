"""The state of one execution: flat records, in tables that know what changed.

Rules
- Everything that the store keeps of an execution is here, and nothing that it does not keep.
- Rows are frozen: a change is a new row (`dataclasses.replace`) put in the place of the old one. So a
  table can tell the store which rows to write, and a transition that fails can be taken back.
- Rows are flat: int, str, bytes, float, bool or None. Messages inside a row are kept serialised.
- Times are nanoseconds since the epoch, spans nanoseconds; 0 stands for "none". They are the execution's own:
  `Info.skipped` ahead of the server's (time_skipping.py).
- The deadline heap is derived: it is rebuilt from the rows on load, never stored.
"""

from __future__ import annotations

import enum
import heapq
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field, fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent

RUNNING = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING
PAUSED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED


class TaskState(enum.IntEnum):
    """Of the workflow task."""

    NONE = 0
    SCHEDULED = 1
    STARTED = 2


class TaskKind(enum.IntEnum):
    """How a workflow task's Scheduled and Started events are written."""

    NORMAL = 0  # at once
    TRANSIENT = 1  # only when it completes: a retry after a failure
    SPECULATIVE = 2  # only when it completes with something to write: it carries an update


class ActivityState(enum.IntEnum):
    """Of a pending activity. PAUSED is a flag beside it, since a paused activity may be running."""

    SCHEDULED = 1  # waits for a worker
    BACKOFF = 2  # waits for its next attempt's time
    STARTED = 3  # a worker has it


@dataclass(frozen=True, slots=True)
class Start:
    """What a run is from its first event on. Written once."""

    key: int  # the store's own number of the run
    namespace_id: str
    namespace: str
    workflow_id: str
    run_id: str
    first_run_id: str
    original_run_id: str
    workflow_type: str
    task_queue: str
    start_time: int
    execution_time: int  # start_time + back-off of the first workflow task
    chain_start_time: int
    execution_timeout: int
    run_timeout: int
    task_timeout: int
    attempt: int
    retry_policy: bytes | None  # RetryPolicy
    cron_schedule: str
    parent_namespace_id: str
    parent_namespace: str
    parent_workflow_id: str
    parent_run_id: str
    parent_initiated_event_id: int
    root_workflow_id: str
    root_run_id: str
    create_request_id: str
    continued_from_run_id: str
    priority: bytes | None  # Priority
    user_metadata: bytes | None  # UserMetadata
    extra: bytes | None = None  # room for start options that only some runs have


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a run carries for people and filters; replaced whole when the workflow changes it."""

    memo: bytes | None = None  # Memo
    search_attributes: bytes | None = None  # SearchAttributes


@dataclass(slots=True)
class Info:
    """The scalars that transitions change."""

    status: int = RUNNING
    next_event_id: int = 1
    history_size: int = 0  # bytes of the events written
    transition_count: int = 0
    close_time: int = 0
    forget_at: int = 0  # a closed run is deleted then; 0 keeps it
    execution_expires_at: int = 0
    run_expires_at: int = 0
    first_task_at: int = 0  # the first workflow task waits until then; 0 once it is scheduled
    successor_run_id: str = ""  # of the run that follows in the chain
    parent_notified: bool = False  # the parent has recorded this run's end, or need not
    cancel_requested: bool = False
    cancel_request_id: str = ""
    signal_count: int = 0
    last_started_event_id: int = 0  # WorkflowTaskStarted of the last completed workflow task
    last_completed_event_id: int = 0  # WorkflowTaskCompleted of it
    sticky_queue: str = ""
    sticky_timeout: int = 0
    worker_version: bytes | None = None  # WorkerVersionStamp of the last completed task
    reset_points: bytes | None = None  # ResetPoints
    versioning: bytes | None = None  # WorkflowExecutionVersioningInfo; None: nothing to do with worker versions
    deployment_name: str = ""  # of the worker of the last completed task, or of the override
    notified_target: bytes | None = None  # DeclinedTargetVersionUpgrade: a version that the worker was told of
    declined_target: bytes | None = None  # DeclinedTargetVersionUpgrade: one that the chain did not move to
    # the workflow task
    task_state: int = TaskState.NONE
    task_kind: int = TaskKind.NORMAL
    task_attempt: int = 1  # of the pending task, or of the next one
    task_scheduled_event_id: int = 0
    task_started_event_id: int = 0
    task_original_scheduled_time: int = 0
    task_scheduled_time: int = 0
    task_started_time: int = 0
    task_timeout: int = 0  # start to close, of this attempt
    task_sticky: bool = False  # it was scheduled to the sticky queue
    task_request_id: str = ""
    task_identity: str = ""
    task_build: bytes | None = None  # WorkerVersionStamp of the worker that has it, if it said one
    task_suggest: int = 0  # bits of SuggestContinueAsNewReason, by value
    task_history_size: int = 0  # as told to the worker
    task_failures: int = 0  # in a row, for the reported-problems attribute
    # pausing
    paused_at: int = 0
    pause_identity: str = ""
    pause_reason: str = ""
    pause_request_id: str = ""
    # time of its own
    skipped: int = 0  # nanoseconds by which the execution is ahead of the server
    time_skipping: bytes | None = None  # TimeSkippingInfo; None: it never was configured, nor its parent's
    fast_forward_at: int = 0  # when the fast-forward that is under way completes
    # options that were changed while it ran
    priority: bytes | None = None  # Priority; empty: none; None: as it was started
    # resets
    reset_at: int = 0  # the run began as a reset, then
    reset_request_id: str = ""  # of the request that began it
    reset_run_id: str = ""  # of the last run that a reset of this one began
    callbacks: bytes | None = None  # CallbackInfo of each completion callback; see callback_infos


_INFO = attrgetter(*(each.name for each in fields(Info)))  # its values, in the order of its fields


@dataclass(frozen=True, slots=True)
class Activity:
    """A pending activity: scheduled, and not yet closed in history."""

    scheduled_event_id: int
    activity_id: str
    activity_type: str
    task_queue: str
    state: int
    attempt: int
    stamp: int  # changes whenever an earlier dispatch or token must not count any more
    scheduled_time: int  # of the first attempt
    attempt_scheduled_time: int  # of this one
    started_time: int
    next_attempt_time: int  # when state is BACKOFF
    schedule_to_close: int
    schedule_to_start: int
    start_to_close: int
    heartbeat_timeout: int
    retry_initial: int
    retry_backoff: float
    retry_maximum: int
    retry_attempts: int  # 0: without limit
    retry_non_retryable: str  # error types, one a line
    request_id: str = ""  # of the poll that started it
    identity: str = ""  # of the worker that started it last
    heartbeat_time: int = 0
    heartbeat_details: bytes | None = None  # Payloads
    last_failure: bytes | None = None  # Failure
    last_attempt_complete_time: int = 0
    retry_interval: int = 0  # the wait before this attempt
    cancel_requested: bool = False
    cancel_event_id: int = 0
    paused_at: int = 0
    pause_identity: str = ""
    pause_reason: str = ""
    pause_request_id: str = ""
    reset_heartbeat: bool = False  # a reset asked to forget the heartbeat when the attempt ends
    reset_requested: bool = False  # the running attempt has been told to stop for a reset
    priority: bytes | None = None  # Priority
    worker_version: bytes | None = None  # WorkerDeploymentVersion of the worker that started it last
    started_event_id: int = 0  # set when its Started event had to be written early
    build: bytes | None = None  # WorkerVersionStamp of the worker that started it last, if it said one


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that has not fired."""

    timer_id: str
    started_event_id: int
    fires_at: int


@dataclass(frozen=True, slots=True)
class Child:
    """A child workflow that has not ended. Its request is in the Initiated event."""

    initiated_event_id: int
    namespace: str
    namespace_id: str
    workflow_id: str
    workflow_type: str
    request_id: str
    parent_close_policy: int
    run_id: str = ""
    started_event_id: int = 0  # 0: not started; BUFFERED: the event waits in the buffer
    priority: bytes | None = None  # Priority


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A signal or a cancel request on its way to another workflow; the rest is in the Initiated event."""

    initiated_event_id: int
    request_id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A request that this run has taken, so that its repetition changes nothing."""

    request_id: str
    event_type: int  # that it led to; 0 for a signal
    event_id: int  # BUFFERED while the event waits


@dataclass(frozen=True, slots=True)
class Update:
    """An update that history knows."""

    update_id: str
    accepted_event_id: int  # 0: admitted through history only
    completed_event_id: int
    admitted_event_id: int  # 0: it was not admitted through history


BUFFERED = -1  # the id of an event that waits in the buffer

K = TypeVar("K", bound=Hashable)
R = TypeVar("R")


class Table(Generic[K, R]):
    """Rows by key, which remembers the keys to write and how to go back to where `begin` was."""

    __slots__ = ("_undo", "changed", "rows")

    def __init__(self, rows: dict[K, R] | None = None) -> None:
        self.rows: dict[K, R] = rows if rows is not None else {}
        self.changed: set[K] = set()
        self._undo: list[tuple[K, R | None]] = []

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, key: K) -> bool:
        return key in self.rows

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows.values())

    def get(self, key: K) -> R | None:
        return self.rows.get(key)

    def put(self, key: K, row: R) -> None:
        self._undo.append((key, self.rows.get(key)))
        self.rows[key] = row
        self.changed.add(key)

    def pop(self, key: K) -> R | None:
        row = self.rows.pop(key, None)
        if row is not None:
            self._undo.append((key, row))
            self.changed.add(key)
        return row

    def begin(self) -> None:
        self._undo.clear()

    def rollback(self) -> None:
        for key, row in reversed(self._undo):
            if row is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = row
        self._undo.clear()

    def drain(self) -> list[tuple[K, R | None]]:
        """The changed keys with their rows now; None for one that is gone. Forgets them."""
        changes = [(key, self.rows.get(key)) for key in self.changed]
        self.changed.clear()
        return changes


class DeadlineKind(enum.IntEnum):
    """What falls due."""

    EXECUTION = 1  # the chain's time is over
    RUN = 2  # the run's time is over
    FIRST_TASK = 3  # the first workflow task's back-off ends
    TASK_SCHEDULE_TO_START = 4
    TASK_START_TO_CLOSE = 5
    TIMER = 6
    ACTIVITY = 7  # whichever of its time-outs or its next attempt comes first
    RETENTION = 8  # a closed run is forgotten
    FAST_FORWARD = 9  # a fast-forward completes
    CALLBACK = 10  # a callback is tried again


Deadline = tuple[int, int, int | str]  # (due, kind, key); the row at key says whether it still counts

TABLES = ("activities", "timers", "children", "signals", "cancels", "requests", "updates")


@dataclass(slots=True)
class State:
    """One execution, as it is after the last transition."""

    start: Start
    info: Info = field(default_factory=Info)
    attributes: Attributes = field(default_factory=Attributes)
    activities: Table[int, Activity] = field(default_factory=Table)
    timers: Table[str, Timer] = field(default_factory=Table)
    children: Table[int, Child] = field(default_factory=Table)
    signals: Table[int, Outgoing] = field(default_factory=Table)
    cancels: Table[int, Outgoing] = field(default_factory=Table)
    requests: Table[str, Request] = field(default_factory=Table)
    updates: Table[str, Update] = field(default_factory=Table)
    buffered: list[HistoryEvent] = field(default_factory=list)  # wait for the workflow task to end
    unsaved: list[HistoryEvent] = field(default_factory=list)  # events since the last drain
    saved: bool = False  # the store has a row of this run
    buffer_changed: bool = False
    attributes_changed: bool = True
    visibility_changed: bool = True
    activity_ids: dict[str, int] = field(default_factory=dict)  # activity id -> scheduled event id
    deadlines: list[Deadline] = field(default_factory=list)
    _before: tuple[tuple[Any, ...], Attributes, int, list[HistoryEvent], bool, bool] | None = None

    @property
    def open(self) -> bool:
        """Whether the run has not closed (a paused one is open)."""
        return self.info.status in (RUNNING, PAUSED)

    @property
    def priority(self) -> bytes | None:
        """The run's Priority as it is now."""
        changed = self.info.priority
        return self.start.priority if changed is None else changed or None

    @property
    def child_of_another(self) -> bool:
        return bool(self.start.parent_workflow_id)

    def arm(self, due: int, kind: DeadlineKind, key: int | str = 0) -> None:
        """Have the execution looked at when `due` comes. Arming twice, or in vain, does no harm."""
        heapq.heappush(self.deadlines, (due, int(kind), str(key) if kind == DeadlineKind.TIMER else key))

    @property
    def wake_at(self) -> int:
        """When the execution must be looked at next, in the server's time; 0 for never."""
        return max(1, self.deadlines[0][0] - self.info.skipped) if self.deadlines else 0

    def begin(self) -> None:
        """Mark the point to which `rollback` returns."""
        self._before = (
            _INFO(self.info),
            self.attributes,
            len(self.unsaved),
            list(self.buffered),
            self.attributes_changed,
            self.visibility_changed,
        )
        for name in TABLES:
            getattr(self, name).begin()

    def rollback(self) -> None:
        """Undo everything since `begin`. Deadlines armed since stay: they are checked when due."""
        assert self._before is not None, "rollback without begin"
        info, self.attributes, unsaved, self.buffered, self.attributes_changed, self.visibility_changed = self._before
        self.info = Info(*info)
        del self.unsaved[unsaved:]
        for name in TABLES:
            getattr(self, name).rollback()
        self.activity_ids = {row.activity_id: row.scheduled_event_id for row in self.activities}
