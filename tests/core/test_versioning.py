"""What a run has to do with worker versions: every rule at the top of `versioning.py`, on the pure core."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import SearchAttributes
from temporalio.api.enums.v1 import CommandType, ContinueAsNewVersioningBehavior, EventType, VersioningBehavior
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    StartChildWorkflowExecutionInitiatedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)
from temporalio.api.workflow.v1 import VersioningOverride
from temporalio.api.workflowservice.v1 import RespondWorkflowTaskCompletedRequest

from outlive.core import activities, completion, runs, starting, versioning, workflow_task
from outlive.core.decision import decide
from outlive.core.effects import DispatchActivity, DispatchWorkflowTask, Effect, NewRun
from outlive.core.queue_routing import QueueRouting, Target
from outlive.core.state import State, TaskState
from outlive.core.transition import Context, Transition
from outlive.core.version_names import VERSIONED, VersionName, of_worker, parsed, required, routed
from outlive.errors import InvalidArgument
from outlive.limits import SECOND, ExecutionLimits

NOW = 1_700_000_000 * SECOND
PINNED, AUTO_UPGRADE = versioning.PINNED, versioning.AUTO_UPGRADE
NONE = versioning.UNSPECIFIED
B1, B2, B3 = (VersionName("d", build) for build in ("b1", "b2", "b3"))
ON_CAN = ContinueAsNewVersioningBehavior
TO_UPGRADE = ON_CAN.CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_AUTO_UPGRADE
TO_RAMPING = ON_CAN.CONTINUE_AS_NEW_VERSIONING_BEHAVIOR_USE_RAMPING_VERSION


class World:
    """The routing of queue "q", which workers of b1 and b2 poll; b1 also has the queue "other"."""

    def __init__(self) -> None:
        self.revision = 0
        self.of_queue = QueueRouting()
        self.with_queue = {("q", B1), ("q", B2), ("other", B1)}

    def set(self, current: VersionName | None, ramping: VersionName | None = None, ramp: float = 0) -> None:
        self.revision += 1
        self.of_queue = QueueRouting(current, self.revision, 1, ramping, ramp, self.revision, 1)

    def routing(self, namespace_id: str, queue: str, *, activities: bool = False) -> QueueRouting:
        return self.of_queue if queue == "q" else QueueRouting(B3, 9)

    def has(self, namespace_id: str, queue: str, version: VersionName, *, activities: bool = False) -> bool:
        return (queue, version) in self.with_queue


class Life:
    """One execution, played by hand."""

    def __init__(self, world: World, event: WorkflowExecutionStartedEventAttributes | None = None) -> None:
        names = itertools.count(1)
        self.world = world
        self.context = Context(
            new_id=lambda: f"id-{next(names)}",
            new_key=lambda: next(names),
            limits=ExecutionLimits(),
            retention=0,
            attribute_types={},
            namespace_id_of=lambda name: name,
            routes=world,
        )
        self.history: list[HistoryEvent] = []
        self.effects: list[Effect] = []
        t = runs.open_run(self.context, NOW, runs.Origin("ns", "ns", "run", "request"), event or first_event())
        t.finish()
        self.state: State = t.state
        self._take(t)

    def _take(self, t: Transition) -> None:
        self.history += self.state.unsaved
        self.state.unsaved.clear()
        self.effects = list(t.effects)

    def do(self, step: Any) -> Any:
        t = Transition(self.state, NOW, self.context, lambda event_id: self.history[event_id - 1])
        result = decide(t, step)
        self._take(t)
        return result

    def poll(self, version: VersionName | None) -> None:
        target = Target(version, versioning.task_version(self.state, self.world).revision)
        self.do(lambda t: workflow_task.start(t, request_id="p", identity="w", version=target))

    def complete(
        self, version: VersionName | None, behavior: VersioningBehavior.ValueType, *commands: Command, **fields: Any
    ) -> completion.Outcome:
        request = RespondWorkflowTaskCompletedRequest(identity="w", commands=commands, **fields)
        if version is not None:
            request.versioning_behavior = behavior
            options = request.deployment_options
            options.deployment_name, options.build_id = version
            options.worker_versioning_mode = VERSIONED
        outcome: completion.Outcome = self.do(lambda t: completion.complete(t, request, new_request_id="n"))
        return outcome

    def task(self, version: VersionName | None, behavior: VersioningBehavior.ValueType, *commands: Command) -> None:
        self.poll(version)
        self.complete(version, behavior, *commands)

    def wake(self) -> None:
        self.do(workflow_task.schedule)

    @property
    def goes_to(self) -> VersionName | None:
        return versioning.task_version(self.state, self.world).version

    @property
    def on(self) -> VersionName | None:
        return versioning.version(versioning.info_of(self.state))

    @property
    def behavior(self) -> int:
        return versioning.behavior(versioning.info_of(self.state))

    @property
    def moving(self) -> bool:
        return versioning.moving(self.state)

    def attribute(self, name: str) -> Any:
        fields = SearchAttributes.FromString(self.state.attributes.search_attributes or b"").indexed_fields
        return json.loads(fields[name].data) if name in fields else None

    def successor(self) -> WorkflowExecutionStartedEventAttributes:
        """The first event of the run that follows."""
        new = next(effect for effect in self.effects if isinstance(effect, NewRun))
        event = new.state.unsaved[0].workflow_execution_started_event_attributes
        event.ClearField("first_workflow_task_backoff")
        return event


def first_event(**fields: Any) -> WorkflowExecutionStartedEventAttributes:
    event = WorkflowExecutionStartedEventAttributes(
        workflow_id="wf", original_execution_run_id="run", first_execution_run_id="run", attempt=1, **fields
    )
    event.workflow_type.name, event.task_queue.name = "T", "q"
    event.workflow_task_timeout.seconds = 10
    return event


def activity(queue: str = "q") -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id, attributes.activity_type.name, attributes.task_queue.name = "a", "A", queue
    attributes.start_to_close_timeout.seconds = 10
    return command


def continue_as_new(queue: str = "q", initial: ContinueAsNewVersioningBehavior.ValueType | None = None) -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION)
    attributes = command.continue_as_new_workflow_execution_command_attributes
    attributes.workflow_type.name, attributes.task_queue.name = "T", queue
    if initial is not None:
        attributes.initial_versioning_behavior = initial
    return command


def pinned_to(version: VersionName) -> VersioningOverride:
    result = VersioningOverride()
    result.pinned.behavior = VersioningOverride.PINNED_OVERRIDE_BEHAVIOR_PINNED
    result.pinned.version.CopyFrom(version.message())
    return result


def once_to(version: VersionName) -> VersioningOverride:
    result = VersioningOverride()
    result.one_time.target_deployment_version.CopyFrom(version.message())
    return result


@pytest.fixture
def world() -> World:
    world = World()
    world.set(B1)
    return world


# -- moving ----------------------------------------------------------------------------------------------------


def test_a_world_without_versions_leaves_no_trace() -> None:
    life = Life(World())
    life.task(None, NONE)
    assert life.state.info.versioning is None
    assert (life.goes_to, life.on, life.attribute("BuildIds")) == (None, None, ["unversioned"])


def test_the_first_task_moves_the_run_to_the_current_version(world: World) -> None:
    life = Life(world)
    assert (life.goes_to, life.on) == (B1, None)
    life.poll(B1)
    assert (life.moving, life.on, life.behavior) == (True, B1, AUTO_UPGRADE)
    life.complete(B1, PINNED)
    assert (life.moving, life.on, life.behavior) == (False, B1, PINNED)
    assert life.attribute("BuildIds") == ["pinned:d:b1"]
    assert life.attribute("TemporalWorkerDeployment") == "d"
    assert life.attribute("TemporalWorkerDeploymentVersion") == "d:b1"
    assert life.attribute("TemporalWorkflowVersioningBehavior") == "Pinned"
    assert life.attribute("TemporalUsedWorkerDeploymentVersions") == ["d:b1"]


def test_a_pinned_run_stays_and_is_told_of_another_version(world: World) -> None:
    life = Life(world)
    life.task(B1, PINNED)
    world.set(B2)
    life.wake()
    assert life.goes_to == B1
    life.poll(B1)
    assert life.history[-1].workflow_task_started_event_attributes.target_worker_deployment_version_changed
    assert not life.moving
    life.complete(B1, PINNED)
    world.set(B1)
    life.wake()
    life.poll(B1)
    assert not life.history[-1].workflow_task_started_event_attributes.target_worker_deployment_version_changed


def test_an_auto_upgrade_run_moves_with_its_next_task(world: World) -> None:
    life = Life(world)
    life.task(B1, AUTO_UPGRADE)
    assert life.attribute("BuildIds") is None
    world.set(B2)
    life.wake()
    assert (life.goes_to, life.on) == (B2, B1)
    life.poll(B2)
    assert (life.moving, life.on) == (True, B2)
    assert versioning.shown(life.state).deployment_version.build_id == "b1"  # type: ignore[union-attr]
    life.complete(B2, AUTO_UPGRADE)
    info = versioning.shown(life.state)
    assert info is not None
    assert (life.moving, info.deployment_version.build_id, info.revision_number, info.version) == (
        False,
        "b2",
        2,
        "d.b2",
    )
    assert life.attribute("TemporalUsedWorkerDeploymentVersions") == ["d:b1", "d:b2"]


def test_a_run_moves_back_to_unversioned_workers(world: World) -> None:
    life = Life(world)
    life.task(B1, AUTO_UPGRADE)
    world.set(None)
    life.wake()
    assert life.goes_to is None
    life.poll(None)
    assert (life.moving, life.on) == (True, None)
    life.complete(None, NONE)
    assert (life.moving, life.on, life.behavior) == (False, None, NONE)
    assert life.attribute("BuildIds") == ["unversioned"]
    assert life.attribute("TemporalWorkerDeployment") is None


def test_a_worker_of_a_version_that_reports_no_behaviour(world: World) -> None:
    life = Life(world)
    life.task(B1, NONE)
    assert (life.on, life.behavior, life.state.info.deployment_name) == (None, NONE, "d")
    assert life.attribute("TemporalUsedWorkerDeploymentVersions") == ["d:b1"]


def test_a_behaviour_without_a_version_is_refused(world: World) -> None:
    life = Life(world)
    life.poll(None)
    request = RespondWorkflowTaskCompletedRequest(versioning_behavior=PINNED)
    with pytest.raises(InvalidArgument, match="versioning behavior cannot be specified"):
        life.do(lambda t: completion.complete(t, request, new_request_id="n"))


def test_a_task_that_ran_before_the_transition_leads_to_another_one(world: World) -> None:
    """An activity moves the run while a worker of the old version has a task."""
    life = Life(world)
    life.task(B1, AUTO_UPGRADE, activity())
    life.wake()
    life.poll(B1)
    world.set(B2)
    life.do(lambda t: activities.move_first(t, Target(B2, 2)))
    assert (life.moving, life.on) == (True, B2)
    outcome = life.complete(B1, AUTO_UPGRADE, return_new_workflow_task=True, sticky_attributes=_sticky())
    assert (outcome.new_task, life.moving, life.state.info.sticky_queue) == (False, True, "")
    assert life.state.info.task_state == TaskState.SCHEDULED
    assert any(isinstance(effect, DispatchWorkflowTask) for effect in life.effects)
    life.task(B2, AUTO_UPGRADE)
    assert (life.moving, life.on) == (False, B2)


def _sticky() -> Any:
    from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue

    result = StickyExecutionAttributes(worker_task_queue=TaskQueue(name="sticky"))
    result.schedule_to_start_timeout.seconds = 10
    return result


def test_stickiness_ends_where_the_run_must_move(world: World) -> None:
    life = Life(world)
    life.poll(B1)
    life.complete(B1, AUTO_UPGRADE, sticky_attributes=_sticky())
    assert versioning.sticks(life.state, world)
    world.set(B2)
    assert not versioning.sticks(life.state, world)
    life.wake()
    life.poll(B2)
    assert life.state.info.sticky_queue == ""


# -- activities ------------------------------------------------------------------------------------------------


def test_activities_follow_a_pinned_run_where_its_version_has_the_queue(world: World) -> None:
    life = Life(world)
    life.task(B1, PINNED)
    world.set(B2)
    where = [versioning.activity_version(life.state, queue, world).version for queue in ("q", "other", "unknown")]
    assert where == [B1, B1, B3]


def test_waiting_activities_are_offered_again_when_the_run_has_moved(world: World) -> None:
    life = Life(world)
    life.task(B1, AUTO_UPGRADE, activity())
    stamp = next(iter(life.state.activities)).stamp
    world.set(B2)
    life.wake()
    life.task(B2, AUTO_UPGRADE)
    offered = [effect for effect in life.effects if isinstance(effect, DispatchActivity)]
    assert [effect.stamp for effect in offered] == [stamp + 1]
    life.wake()
    life.task(B2, AUTO_UPGRADE)
    assert not [effect for effect in life.effects if isinstance(effect, DispatchActivity)]


def test_an_activity_on_the_new_version_moves_the_run_first(world: World) -> None:
    life = Life(world)
    life.task(B1, AUTO_UPGRADE, activity())
    world.set(B2)
    life.do(lambda t: activities.move_first(t, Target(B2, 2)))
    assert life.moving
    assert life.history[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
    assert next(iter(life.state.activities)).started_time == 0


# -- overrides -------------------------------------------------------------------------------------------------


def test_a_pinned_override_from_the_start(world: World) -> None:
    life = Life(world, first_event(versioning_override=pinned_to(B2)))
    assert (life.goes_to, life.on, life.state.info.deployment_name) == (B2, B2, "d")
    assert life.attribute("BuildIds") == ["pinned:d:b2"]
    assert life.attribute("TemporalUsedWorkerDeploymentVersions") is None
    life.poll(B2)
    assert not life.moving
    assert not life.history[-1].workflow_task_started_event_attributes.target_worker_deployment_version_changed
    life.complete(B2, AUTO_UPGRADE)
    assert (life.on, life.behavior) == (B2, PINNED)
    assert life.attribute("TemporalWorkflowVersioningBehavior") == "Pinned"


def test_a_one_time_override_is_done_once_its_version_has_completed_a_task(world: World) -> None:
    life = Life(world, first_event(versioning_override=once_to(B2)))
    assert life.goes_to == B2
    life.task(B2, AUTO_UPGRADE)
    info = versioning.shown(life.state)
    assert info is not None
    assert not info.HasField("versioning_override")
    assert (life.goes_to, life.on) == (B1, B2)


def test_an_override_ends_a_transition_and_is_taken_away_again(world: World) -> None:
    life = Life(world)
    life.task(B1, AUTO_UPGRADE)
    world.set(B2)
    life.wake()
    life.poll(B2)
    assert versioning.override(life.state, pinned_to(B1))
    assert (life.moving, life.on, life.behavior) == (False, B1, PINNED)
    assert not versioning.override(life.state, pinned_to(B1))
    assert versioning.override(life.state, None)
    assert (life.on, life.behavior) == (B1, AUTO_UPGRADE)


def test_older_spellings_of_an_override_say_the_same() -> None:
    old = VersioningOverride(behavior=PINNED, pinned_version="d.b2")
    assert versioning.modern(old) == pinned_to(B2)
    older = VersioningOverride(behavior=PINNED)
    older.deployment.series_name, older.deployment.build_id = "d", "b2"
    assert versioning.modern(older) == pinned_to(B2)
    assert versioning.modern(VersioningOverride(behavior=AUTO_UPGRADE)) == VersioningOverride(auto_upgrade=True)


# -- inheriting ------------------------------------------------------------------------------------------------


def test_a_pinned_run_continues_pinned_and_remembers_what_it_declined(world: World) -> None:
    life = Life(world)
    life.task(B1, PINNED)
    world.set(B2)
    life.wake()
    life.task(B1, PINNED, continue_as_new())
    event = life.successor()
    assert event.inherited_pinned_version.build_id == "b1"
    assert event.declined_target_version_upgrade.deployment_version.build_id == "b2"
    assert event.declined_target_version_upgrade.revision_number == 2
    event.continued_execution_run_id = "run"
    following = Life(world, event)
    assert (following.goes_to, following.behavior) == (B1, PINNED)
    following.poll(B1)
    told = following.history[-1].workflow_task_started_event_attributes
    assert not told.target_worker_deployment_version_changed  # it has been declined
    following.complete(B1, PINNED)
    world.set(B3)
    following.wake()
    following.poll(B1)
    told = following.history[-1].workflow_task_started_event_attributes
    assert told.target_worker_deployment_version_changed  # a newer revision


@pytest.mark.parametrize("initial", [TO_UPGRADE, TO_RAMPING])
def test_a_pinned_run_continues_as_it_asks_to(world: World, initial: ContinueAsNewVersioningBehavior.ValueType) -> None:
    life = Life(world)
    life.task(B1, PINNED, continue_as_new(initial=initial))
    event = life.successor()
    assert not event.HasField("inherited_pinned_version")
    assert event.inherited_auto_upgrade_info.source_deployment_version.build_id == "b1"
    assert event.inherited_auto_upgrade_info.source_deployment_revision_number == 1
    world.set(B1, ramping=B2, ramp=0)
    following = Life(world, event)
    assert following.behavior == AUTO_UPGRADE
    assert following.goes_to == (B2 if initial == TO_RAMPING else B1)
    following.task(following.goes_to, AUTO_UPGRADE)
    following.wake()
    assert following.goes_to == B1  # only the first task asks for the ramping version


def test_an_auto_upgrade_run_continues_from_its_version(world: World) -> None:
    life = Life(world)
    life.task(B1, AUTO_UPGRADE, continue_as_new())
    event = life.successor()
    assert event.inherited_auto_upgrade_info.source_deployment_version.build_id == "b1"
    assert Life(world, event).on == B1


def test_nothing_is_inherited_where_the_version_lacks_the_queue(world: World) -> None:
    for behavior in (PINNED, AUTO_UPGRADE):
        life = Life(world)
        life.task(B1, behavior, continue_as_new("unknown"))
        event = life.successor()
        assert not event.HasField("inherited_pinned_version")
        assert not event.HasField("inherited_auto_upgrade_info")
    life = Life(world)
    life.task(B1, PINNED, continue_as_new("other"))
    assert life.successor().inherited_pinned_version.build_id == "b1"


def test_a_pinned_override_goes_on(world: World) -> None:
    life = Life(world, first_event(versioning_override=pinned_to(B2)))
    life.task(B2, AUTO_UPGRADE, continue_as_new())
    assert life.successor().versioning_override == pinned_to(B2)
    assert life.successor().inherited_pinned_version.build_id == "b2"


def _fail() -> Command:
    command = Command(command_type=CommandType.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION)
    failure = Failure(message="no")
    failure.application_failure_info.SetInParent()
    command.fail_workflow_execution_command_attributes.failure.CopyFrom(failure)
    return command


def _retried(
    world: World, behavior: VersioningBehavior.ValueType, **fields: Any
) -> WorkflowExecutionStartedEventAttributes:
    event = first_event(**fields)
    event.retry_policy.backoff_coefficient = 1
    event.retry_policy.initial_interval.seconds = 1
    life = Life(world, event)
    life.task(life.goes_to, behavior, _fail())
    return life.successor()


def test_what_a_retry_inherits(world: World) -> None:
    assert not _retried(world, PINNED).HasField("inherited_pinned_version")
    inherited = _retried(world, PINNED, inherited_pinned_version=B1.message())
    assert inherited.inherited_pinned_version.build_id == "b1"
    upgrade = _retried(world, AUTO_UPGRADE)
    assert upgrade.inherited_auto_upgrade_info.source_deployment_version.build_id == "b1"
    assert _retried(world, PINNED, versioning_override=pinned_to(B2)).versioning_override == pinned_to(B2)


def test_cron_inherits_the_override_alone(world: World) -> None:
    complete = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
    complete.complete_workflow_execution_command_attributes.SetInParent()
    for behavior in (PINNED, AUTO_UPGRADE):
        life = Life(world, first_event(cron_schedule="* * * * *"))
        life.task(B1, behavior, complete)
        event = life.successor()
        assert not event.HasField("inherited_pinned_version")
        assert not event.HasField("inherited_auto_upgrade_info")
    life = Life(world, first_event(cron_schedule="* * * * *", versioning_override=pinned_to(B2)))
    life.task(B2, PINNED, complete)
    assert life.successor().versioning_override == pinned_to(B2)


def _child(
    life: Life, queue: str = "q", namespace: str = "ns", **fields: Any
) -> WorkflowExecutionStartedEventAttributes:
    initiated = StartChildWorkflowExecutionInitiatedEventAttributes(namespace_id=namespace, workflow_id="c", **fields)
    initiated.task_queue.name = queue
    return starting.by_parent(life.state, 5, initiated, "child-run", NOW, life.world)


def test_what_a_child_inherits(world: World) -> None:
    life = Life(world)
    life.task(B1, PINNED)
    assert _child(life).inherited_pinned_version.build_id == "b1"
    assert _child(life, queue="other").inherited_pinned_version.build_id == "b1"
    assert not _child(life, queue="unknown").HasField("inherited_pinned_version")
    assert not _child(life, namespace="another").HasField("inherited_pinned_version")
    own = _child(life, versioning_override=pinned_to(B2))
    assert own.versioning_override == pinned_to(B2)
    assert not own.HasField("inherited_pinned_version")
    upgrade = Life(world)
    upgrade.task(B1, AUTO_UPGRADE)
    assert _child(upgrade).inherited_auto_upgrade_info.source_deployment_version.build_id == "b1"
    overridden = Life(world, first_event(versioning_override=pinned_to(B2)))
    assert _child(overridden).versioning_override == pinned_to(B2)


# -- names -----------------------------------------------------------------------------------------------------


def test_names_are_read_in_either_spelling() -> None:
    assert parsed("d.b.1") == VersionName("d", "b.1") == parsed("d:b.1")
    assert parsed("__unversioned__") is None
    for text, problem in (
        ("db", "expected delimiter"),
        (".b", "deployment name is empty"),
        ("d.", "build id is empty"),
    ):
        with pytest.raises(ValueError, match=problem):
            parsed(text)
    with pytest.raises(InvalidArgument, match='invalid version string "d"'):
        required("d", B1.message())
    assert routed("d", "", "b1") == B1
    assert routed("d", "d.b2", "b1") == B2
    assert routed("d", "", "") is None
    with pytest.raises(InvalidArgument, match="does not match deployment name"):
        routed("d", "e.b1", "")


def test_only_a_versioned_worker_has_a_version() -> None:
    options = RespondWorkflowTaskCompletedRequest().deployment_options
    options.deployment_name, options.build_id = "d", "b1"
    assert of_worker(options) is None
    options.worker_versioning_mode = VERSIONED
    assert of_worker(options) == B1
