"""How the workflows that a schedule started have ended, and what follows from it.

Rules (all of them live in this file)
- A chain of runs (continued as new, retried) has ended when its last run has.
- A result goes to the next run as its last completion result. A failure goes there beside it, until there
  is a result again; so a run that completes without a result changes neither. What overlapped leaves no trace.
- `pause_on_failure` counts failures and time-outs, not cancellations and terminations.
"""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure

from outlive.core.schedules.state import Execution, Schedule

S = WorkflowExecutionStatus


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a chain of runs; status 0 if it has been deleted."""

    status: int
    result: Payloads | None = None
    failure: Failure | None = None


def closed(schedule: Schedule, execution: Execution, outcome: Outcome) -> Schedule:
    """The workflow has ended. Telling it twice changes nothing."""
    state = schedule.state
    recent = tuple(
        action._replace(status=outcome.status) if action.execution == execution else action for action in state.recent
    )
    schedule = schedule.but(recent=recent)
    if execution not in state.running:
        return schedule
    schedule = schedule.but(running=tuple(each for each in state.running if each != execution))
    if outcome.result is not None:
        schedule = schedule.but(last_result=outcome.result.SerializeToString(), last_failure=b"")
    elif outcome.failure is not None:
        schedule = schedule.but(last_failure=outcome.failure.SerializeToString())
    return _paused_on_failure(schedule, execution, outcome)


def _paused_on_failure(schedule: Schedule, execution: Execution, outcome: Outcome) -> Schedule:
    if not schedule.definition.schedule.policies.pause_on_failure or schedule.state.paused:
        return schedule
    if outcome.status == S.WORKFLOW_EXECUTION_STATUS_FAILED:
        message = outcome.failure.message if outcome.failure is not None else ""
        notes = f"paused due to workflow failure: {execution.workflow_id}: {message}"
    elif outcome.status == S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
        notes = f"paused due to workflow timeout: {execution.workflow_id}"
    else:
        return schedule
    return schedule.but(paused=True, notes=notes, token=schedule.state.token + 1)
