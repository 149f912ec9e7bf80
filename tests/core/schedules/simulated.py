"""A schedule with a clock and workflows that end when the test says so: no server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf import json_format
from temporalio.api.enums.v1 import ScheduleOverlapPolicy, WorkflowExecutionStatus
from temporalio.api.schedule.v1 import SchedulePatch, ScheduleSpec
from temporalio.api.workflowservice.v1 import CreateScheduleRequest, UpdateScheduleRequest

from outlive.core.calendar import compile_spec
from outlive.core.schedules import changes, codec, decisions
from outlive.core.schedules.decisions import Start
from outlive.core.schedules.outcomes import Outcome, closed
from outlive.core.schedules.state import Execution, Schedule
from outlive.core.schedules.timetable import Timetable

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = 1_780_000_800 * SECOND  # a whole minute

P = ScheduleOverlapPolicy
S = WorkflowExecutionStatus
POLICIES = {
    "SKIP": P.SCHEDULE_OVERLAP_POLICY_SKIP,
    "BUFFER_ONE": P.SCHEDULE_OVERLAP_POLICY_BUFFER_ONE,
    "BUFFER_ALL": P.SCHEDULE_OVERLAP_POLICY_BUFFER_ALL,
    "CANCEL_OTHER": P.SCHEDULE_OVERLAP_POLICY_CANCEL_OTHER,
    "TERMINATE_OTHER": P.SCHEDULE_OVERLAP_POLICY_TERMINATE_OTHER,
    "ALLOW_ALL": P.SCHEDULE_OVERLAP_POLICY_ALLOW_ALL,
}
MINUTELY = {"interval": [{"interval": "60s"}]}


def message(
    spec: dict[str, Any] | None = None,
    *,
    overlap: str = "",
    policies: dict[str, Any] | None = None,
    state: dict[str, Any] | None = None,
    action: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """A schedule in JSON, that starts `wf` every minute unless told otherwise."""
    policies = dict(policies or {})
    if overlap:
        policies["overlapPolicy"] = f"SCHEDULE_OVERLAP_POLICY_{overlap}"
    start = {"workflowId": "wf", "workflowType": {"name": "T"}, "taskQueue": {"name": "q"}, **(action or {})}
    return {
        "spec": MINUTELY if spec is None else spec,
        "action": {"startWorkflow": start},
        "policies": policies,
        "state": state or {},
    }


def create_request(schedule: dict[str, Any] | None = None, **more: Any) -> CreateScheduleRequest:
    values = {"scheduleId": "s", "requestId": "create", "schedule": schedule or message(), **more}
    return json_format.ParseDict(values, CreateScheduleRequest())


def canonical(spec: ScheduleSpec) -> ScheduleSpec:
    return compile_spec(spec).canonical


@dataclass
class World:
    """One schedule, the time, what it has started, and what of it is open."""

    schedule: Schedule
    now: int = EPOCH
    starts: list[Start] = field(default_factory=list)
    open: dict[Execution, Start] = field(default_factory=dict)
    cancelled: list[Execution] = field(default_factory=list)
    terminated: list[Execution] = field(default_factory=list)
    refuses: set[str] = field(default_factory=set)  # workflow ids that cannot be started

    @classmethod
    def of(cls, schedule: dict[str, Any] | None = None, now: int = EPOCH, **more: Any) -> World:
        request = create_request(schedule, **more)
        world = cls(changes.create(request, canonical(request.schedule.spec), "uid", now), now)
        world.step()
        return world

    @property
    def times(self) -> Timetable:
        return Timetable(compile_spec(self.schedule.definition.schedule.spec), "seed")

    @property
    def state(self) -> Any:
        return self.schedule.state

    def step(self) -> None:
        """What the engine does when there is something to do."""
        self.schedule = decisions.elapse(self.schedule, self.times, self.now)
        while self._round():
            pass
        self.schedule = decisions.scheduled(self.schedule, self.times, self.now)

    def _round(self) -> bool:
        self.schedule, plan = decisions.take(self.schedule)
        again = plan.again
        for start in plan.starts:
            if start.workflow_id in self.refuses:
                again = True
                continue
            self.starts.append(start)
            execution = Execution(start.workflow_id, f"run-{len(self.starts)}")
            self.open[execution] = start
            self.schedule = decisions.started(self.schedule, start, execution.run_id, self.now)
        self.cancelled += plan.cancel
        for execution in plan.terminate:
            self.terminated.append(execution)
            self.open.pop(execution, None)
            self.schedule = closed(self.schedule, execution, Outcome(S.WORKFLOW_EXECUTION_STATUS_TERMINATED))
        return again or bool(plan.terminate)

    def at(self, now: int) -> World:
        """Let the time come, with a step at each wake-up on the way, as a running server does."""
        while 0 < self.state.wake_at <= now:
            self.now = max(self.now, self.state.wake_at)
            before = self.schedule
            self.step()
            if self.schedule is before:
                break
        self.now = now
        return self

    def later(self, span: int) -> World:
        return self.at(self.now + span)

    def asleep_until(self, now: int) -> World:
        """The server is down until then."""
        self.now = now
        self.step()
        return self

    def close(self, execution: Execution, outcome: Outcome | None = None) -> None:
        self.open.pop(execution, None)
        self.schedule = closed(self.schedule, execution, outcome or Outcome(S.WORKFLOW_EXECUTION_STATUS_COMPLETED))
        self.step()

    def close_running(self, outcome: Outcome | None = None) -> None:
        """End the workflow that the next one may not overlap with."""
        (execution,) = self.state.running
        self.close(execution, outcome)

    def patch(self, request_id: str = "", **patch: Any) -> None:
        request = json_format.ParseDict(patch, SchedulePatch())
        self.step()
        self.schedule = changes.patch(self.schedule, request, request_id, self.now)
        self.step()

    def trigger(self, overlap: str = "", request_id: str = "") -> None:
        own = {"overlapPolicy": f"SCHEDULE_OVERLAP_POLICY_{overlap}"} if overlap else {}
        self.patch(request_id, triggerImmediately=own)

    def update(self, schedule: dict[str, Any], **more: Any) -> None:
        request = json_format.ParseDict({"scheduleId": "s", "schedule": schedule, **more}, UpdateScheduleRequest())
        self.step()
        self.schedule = changes.update(self.schedule, request, canonical(request.schedule.spec), self.now)
        self.step()

    def restart(self) -> None:
        """What is kept of the schedule comes back from its bytes."""
        self.schedule = codec.decode(codec.encode_definition(self.schedule), codec.encode_state(self.schedule))

    @property
    def nominals(self) -> list[int]:
        """Seconds after EPOCH of the nominal times of everything started."""
        return [(start.planned.nominal - EPOCH) // SECOND for start in self.starts]
