"""The workflows that schedules start: starting, ending, and how they have ended.

Rules (all of them live in this file)
- A start is the same as a client's, and is refused for the same reasons. It is not tried again.
- An execution is a chain of runs, resets included: the last run of the workflow id if it belongs to the chain,
  else the end of the chain from its first run on. A chain of which nothing is left has ended.
"""

from __future__ import annotations

import logging

from temporalio.api.enums.v1 import NamespaceState, WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent

from outlive.core import close
from outlive.core import requests as of_clients
from outlive.core.schedules.decisions import Start
from outlive.core.schedules.outcomes import Outcome
from outlive.core.schedules.starts import identity, start_request
from outlive.core.schedules.state import Execution, Schedule
from outlive.engine.namespaces import Namespaces
from outlive.engine.runs import Run, Runs
from outlive.engine.schedules.held import Key
from outlive.engine.starts import Starts
from outlive.errors import FailedPrecondition, ServiceError

log = logging.getLogger(__name__)
CANCELLED = "cancelled by schedule overlap policy"
TERMINATED = "terminated by schedule overlap policy"
_S = WorkflowExecutionStatus


class Workflows:
    """Acts on executions for schedules."""

    def __init__(self, namespaces: Namespaces, runs: Runs, starts: Starts) -> None:
        self._namespaces = namespaces
        self._runs = runs
        self._starts = starts

    def start(self, key: Key, schedule: Schedule, start: Start) -> Run | None:
        """Start the workflow; the run, or None if it was refused. Repeating a start leads to the same run."""
        try:
            namespace = self._namespaces.by_id(key.namespace_id)
            if namespace.state != NamespaceState.NAMESPACE_STATE_REGISTERED:
                raise FailedPrecondition(f"namespace {namespace.name} is being given up")
            return self._starts.start(namespace, start_request(schedule, start, namespace.name))
        except ServiceError as error:
            log.warning("schedule %s could not start %s: %s", schedule.id, start.workflow_id, error.message)
            return None

    def cancel(self, key: Key, schedule: Schedule, execution: Execution) -> None:
        """Ask the workflow to cancel itself; once, however often this is called."""
        run = self._last_run(key, execution)
        if run is not None:
            cancel = of_clients.Cancel(self._identity(key, schedule), self._runs.new_id(), CANCELLED)
            self._runs.decide(run, lambda t: of_clients.cancel(t, cancel))

    def terminate(self, key: Key, schedule: Schedule, execution: Execution) -> None:
        """End the workflow."""
        run = self._last_run(key, execution)
        if run is not None and run.state.open:
            who = self._identity(key, schedule)
            self._runs.decide(run, lambda t: close.terminate(t, reason=TERMINATED, identity=who))

    def _identity(self, key: Key, schedule: Schedule) -> str:
        return identity(schedule, self._namespaces.by_id(key.namespace_id).name)

    def outcome(self, key: Key, execution: Execution) -> Outcome | None:
        """How the workflow has ended; None while it is open."""
        run = self._last_run(key, execution)
        if run is None:
            return Outcome(_S.WORKFLOW_EXECUTION_STATUS_UNSPECIFIED)
        if run.state.open:
            return None
        status = run.state.info.status
        if status == _S.WORKFLOW_EXECUTION_STATUS_COMPLETED:
            completed = self._close_event(run).workflow_execution_completed_event_attributes
            return Outcome(status, result=completed.result if completed.HasField("result") else None)
        if status == _S.WORKFLOW_EXECUTION_STATUS_FAILED:
            failed = self._close_event(run).workflow_execution_failed_event_attributes
            return Outcome(status, failure=failed.failure)
        return Outcome(status)

    def _close_event(self, run: Run) -> HistoryEvent:
        return self._runs.read_event(run, run.state.info.next_event_id - 1)

    def _last_run(self, key: Key, execution: Execution) -> Run | None:
        run = self._runs.find(key.namespace_id, execution.workflow_id)
        if run is None or run.state.start.first_run_id != execution.run_id:
            run = self._runs.find(key.namespace_id, execution.workflow_id, execution.run_id)
        return self._runs.last_of_chain(run) if run is not None else None
