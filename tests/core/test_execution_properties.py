"""Random lives of an execution against the pure core: whatever happens, the invariants hold.

A machine with a pretended clock plays client, worker and server on one execution: it starts and completes
workflow tasks with random commands, answers activities in every way, sends signals and cancel requests,
lets time pass, and "restarts" (rebuilds the state from its rows and events, as the store does).
"""

from __future__ import annotations

import copy
import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, EventType, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent, WorkflowExecutionStartedEventAttributes
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.core import activities, completion, deadlines, requests, runs, workflow_task
from outlive.core.activities import Answer
from outlive.core.decision import decide
from outlive.core.effects import DispatchActivity, DispatchWorkflowTask, outstanding
from outlive.core.state import TABLES, ActivityState, State, Table, TaskState
from outlive.core.transition import ENDS, Context, Transition
from outlive.core.waking import wake
from outlive.errors import ServiceError
from outlive.limits import SECOND, ExecutionLimits

pytestmark = pytest.mark.timeout(240)  # many examples, on a machine that others use as well
C = CommandType
E = EventType
NOW = 1_700_000_000 * SECOND


def _seconds(value: int) -> dict[str, int]:
    return {"seconds": value}


class Execution(RuleBasedStateMachine):
    """One execution and everything that can happen to it."""

    @initialize(retry=st.booleans(), run_timeout=st.sampled_from([0, 300]))
    def begin(self, retry: bool, run_timeout: int) -> None:
        self.now = NOW
        self.names = itertools.count()
        self.history: list[HistoryEvent] = []
        self.tokens: list[Answer] = []
        context = Context(
            new_id=lambda: f"id-{next(self.names)}",
            new_key=lambda: next(self.names),
            limits=ExecutionLimits(),
            retention=0,
            attribute_types={"BuildIds": 7, "TemporalReportedProblems": 7},  # type: ignore[dict-item]
            namespace_id_of=lambda name: name,
        )
        started = WorkflowExecutionStartedEventAttributes(
            workflow_id="wf", original_execution_run_id="run", first_execution_run_id="run", attempt=1
        )
        started.workflow_type.name = "T"
        started.task_queue.name = "q"
        started.workflow_task_timeout.seconds = 10
        started.workflow_run_timeout.seconds = run_timeout
        t = runs.open_run(context, self.now, runs.Origin("ns", "ns", "run", "request"), started)
        t.finish()
        self.context = context
        self.state: State = t.state
        self._keep(t)

    # -- helpers

    def _read(self, event_id: int) -> HistoryEvent:
        return self.history[event_id - 1]

    def _keep(self, t: Transition) -> None:
        """What the store does at a commit."""
        self.history += self.state.unsaved
        self.state.unsaved.clear()
        for effect in t.effects:
            if isinstance(effect, DispatchActivity):
                assert effect.queue == "q"
            if isinstance(effect, DispatchWorkflowTask):
                assert effect.queue == "q"

    def _decide(self, step: Any) -> Any:
        """Run a step; if it is refused, nothing may have changed."""
        before = self._snapshot()
        t = Transition(self.state, self.now, self.context, self._read)
        try:
            result = decide(t, step)
        except ServiceError:
            assert self._snapshot() == before, "a refused step changed the state"
            return None
        self._keep(t)
        return result

    def _snapshot(self) -> Any:
        state = self.state
        tables = {name: dict(getattr(state, name).rows) for name in TABLES}
        return copy.copy(state.info), state.attributes, tables, list(state.buffered), len(self.history)

    # -- the worker

    @precondition(lambda self: self.state.open and self.state.info.task_state == TaskState.SCHEDULED)
    @rule()
    def start_task(self) -> None:
        self._decide(lambda t: workflow_task.start(t, request_id="poll", identity="worker"))

    @precondition(lambda self: self.state.open and self.state.info.task_state == TaskState.STARTED)
    @rule(data=st.data(), force=st.booleans(), more=st.booleans(), sticky=st.booleans())
    def complete_task(self, data: st.DataObject, force: bool, more: bool, sticky: bool) -> None:
        kinds = st.sampled_from(["activity", "activity", "timer", "cancel timer", "cancel activity", "marker", "bad"])
        chosen = data.draw(st.lists(kinds, max_size=4))
        commands = [self._command(kind, data) for kind in chosen]
        if data.draw(st.integers(0, 12)) == 0:
            complete = Command(command_type=C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
            complete.complete_workflow_execution_command_attributes.SetInParent()
            commands.append(complete)
        request = RespondWorkflowTaskCompletedRequest(
            commands=commands, force_create_new_workflow_task=force, return_new_workflow_task=more, identity="w"
        )
        if sticky:
            request.sticky_attributes.worker_task_queue.name = "q"
            request.sticky_attributes.schedule_to_start_timeout.seconds = 5
        self._decide(lambda t: completion.complete(t, request, new_request_id="next"))

    def _command(self, kind: str, data: st.DataObject) -> Command:
        name = str(data.draw(st.integers(1, 3)))
        if kind == "activity":
            command = Command(command_type=C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
            activity = command.schedule_activity_task_command_attributes
            activity.activity_id, activity.activity_type.name, activity.task_queue.name = name, "A", "q"
            activity.start_to_close_timeout.seconds = 5
            activity.heartbeat_timeout.seconds = data.draw(st.sampled_from([0, 2]))
            activity.schedule_to_close_timeout.seconds = data.draw(st.sampled_from([0, 20]))
            activity.retry_policy.maximum_attempts = data.draw(st.integers(0, 3))
            activity.request_eager_execution = data.draw(st.booleans())
        elif kind == "timer":
            command = Command(command_type=C.COMMAND_TYPE_START_TIMER)
            command.start_timer_command_attributes.timer_id = name
            command.start_timer_command_attributes.start_to_fire_timeout.seconds = data.draw(st.integers(0, 30))
        elif kind == "cancel timer":
            command = Command(command_type=C.COMMAND_TYPE_CANCEL_TIMER)
            command.cancel_timer_command_attributes.timer_id = name
        elif kind == "cancel activity":
            command = Command(command_type=C.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK)
            pending = sorted(self.state.activities.rows) or [3]
            command.request_cancel_activity_task_command_attributes.scheduled_event_id = data.draw(
                st.sampled_from(pending)
            )
        elif kind == "marker":
            command = Command(command_type=C.COMMAND_TYPE_RECORD_MARKER)
            command.record_marker_command_attributes.marker_name = name
        else:
            command = Command(command_type=C.COMMAND_TYPE_START_TIMER)
        return command

    @precondition(lambda self: self.state.open and self.state.info.task_state == TaskState.STARTED)
    @rule()
    def fail_task(self) -> None:
        cause = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE

        def fail(t: Transition) -> None:
            workflow_task.fail(t, cause, identity="worker")
            workflow_task.schedule(t)

        self._decide(fail)

    # -- activities

    def _waiting(self) -> list[int]:
        return [
            row.scheduled_event_id
            for row in self.state.activities
            if row.state == ActivityState.SCHEDULED and self.state.open
        ]

    @precondition(lambda self: bool(self._waiting()))
    @rule(data=st.data())
    def start_activity(self, data: st.DataObject) -> None:
        event_id = data.draw(st.sampled_from(self._waiting()))
        row = self._decide(lambda t: activities.start(t, event_id, request_id="poll", identity="worker"))
        self.tokens.append(Answer(event_id, row.stamp, "worker"))

    @precondition(lambda self: bool(self.tokens))
    @rule(data=st.data(), how=st.sampled_from(["complete", "fail", "fail for good", "cancel", "heartbeat"]))
    def answer_activity(self, data: st.DataObject, how: str) -> None:
        """Also with tokens that are used up or stale: those must be refused."""
        token = data.draw(st.sampled_from(self.tokens))
        info = ApplicationFailureInfo(type="E", non_retryable=how == "fail for good")
        failure = Failure(message="no", application_failure_info=info)
        steps = {
            "complete": lambda t: activities.complete(t, token, None),
            "fail": lambda t: activities.fail(t, token, failure, None),
            "fail for good": lambda t: activities.fail(t, token, failure, None),
            "cancel": lambda t: activities.cancel(t, token, None),
            "heartbeat": lambda t: activities.heartbeat(t, token, None),
        }
        self._decide(steps[how])

    # -- clients, and time

    @rule(key=st.integers(1, 4))
    def signal(self, key: int) -> None:
        self._decide(lambda t: requests.signal(t, requests.Signal("s", None, "client", f"signal-{key}")))

    @rule()
    def cancel(self) -> None:
        self._decide(lambda t: requests.cancel(t, requests.Cancel("client", "cancel")))

    @rule(seconds=st.sampled_from([1, 3, 10, 40]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * SECOND
        self._decide(wake)

    @rule()
    def restart(self) -> None:
        """What is not kept is rebuilt, and changes nothing that can be seen."""
        old = self.state
        new = State(start=old.start, info=copy.copy(old.info), attributes=old.attributes, saved=True)
        for name in TABLES:
            setattr(new, name, Table(dict(getattr(old, name).rows)))
        new.activity_ids = {row.activity_id: row.scheduled_event_id for row in new.activities}
        new.buffered = [HistoryEvent.FromString(event.SerializeToString()) for event in old.buffered]
        deadlines.rebuild(new)
        if new.open:
            assert set(outstanding(new)) == set(outstanding(old))
        self.state = new

    # -- what must always hold

    @invariant()
    def event_ids_are_dense(self) -> None:
        if hasattr(self, "state"):
            assert [event.event_id for event in self.history] == list(range(1, len(self.history) + 1))
            assert self.state.info.next_event_id == len(self.history) + 1

    @invariant()
    def at_most_one_workflow_task(self) -> None:
        """Written tasks alternate: scheduled, started, ended."""
        if not hasattr(self, "state"):
            return
        stage = 0
        for event in self.history:
            kind = event.event_type
            if kind == E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
                assert stage == 0
                stage = 1
            elif kind == E.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                assert stage == 1
                stage = 2
            elif kind in (E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, E.EVENT_TYPE_WORKFLOW_TASK_FAILED):
                assert stage == 2
                stage = 0
            elif kind == E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
                assert stage in (1, 2)
                stage = 0

    @invariant()
    def every_scheduled_thing_ends_once(self) -> None:
        if not hasattr(self, "state"):
            return
        scheduled, ended, timers = set(), Counter[int](), Counter[str]()
        for event in self.history:
            attributes: Any = getattr(event, event.WhichOneof("attributes") or "")
            kind = event.event_type
            if kind == E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
                scheduled.add(event.event_id)
            elif kind in (
                E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
                E.EVENT_TYPE_ACTIVITY_TASK_FAILED,
                E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
                E.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
            ):
                ended[attributes.scheduled_event_id] += 1
                if attributes.started_event_id:
                    started = self.history[attributes.started_event_id - 1]
                    assert started.event_type == E.EVENT_TYPE_ACTIVITY_TASK_STARTED
            elif kind == E.EVENT_TYPE_TIMER_STARTED:
                timers[attributes.timer_id] += 1
            elif kind in (E.EVENT_TYPE_TIMER_FIRED, E.EVENT_TYPE_TIMER_CANCELED):
                timers[attributes.timer_id] -= 1
        assert all(count == 1 for count in ended.values()), "an activity ended twice"
        assert set(ended) <= scheduled
        assert all(count in (0, 1) for count in timers.values())
        if self.state.open:
            buffered = {
                getattr(e, e.WhichOneof("attributes") or "").scheduled_event_id
                for e in self.state.buffered
                if e.event_type in ENDS and "activity" in (e.WhichOneof("attributes") or "")
            }
            assert scheduled - set(ended) - buffered == set(self.state.activities.rows), "an activity was lost"

    @invariant()
    def nothing_waits_in_vain(self) -> None:
        """An open run has a task for whatever its worker has not seen."""
        if not hasattr(self, "state") or not self.state.open:
            return
        info = self.state.info
        assert info.task_state == TaskState.STARTED or not self.state.buffered
        if info.task_state == TaskState.NONE and self.history:
            seen = self.history[-1].event_type
            assert seen not in (
                E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
                E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
                E.EVENT_TYPE_TIMER_FIRED,
            )

    @invariant()
    def a_closed_run_ends_with_its_close_event(self) -> None:
        if hasattr(self, "state") and not self.state.open:
            assert self.history[-1].event_type in (
                E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
                E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
            )


TestExecution = Execution.TestCase
TestExecution.settings = settings(
    max_examples=1000,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
