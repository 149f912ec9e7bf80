"""The engine: its parts put together, started and stopped."""

from __future__ import annotations

import asyncio

from outlive.clock import Clock, SkippingClock
from outlive.core.effects import Effect
from outlive.core.waking import wake
from outlive.dynamic import keys
from outlive.dynamic.config import DynamicConfig
from outlive.dynamic.limits import deployment_limits
from outlive.engine.activity_operations import ActivityOperations
from outlive.engine.activity_tasks import ActivityTasks
from outlive.engine.batches.batches import Batches
from outlive.engine.batches.operations import Operations
from outlive.engine.callbacks import Callbacks, Post, no_post
from outlive.engine.changes import Changes
from outlive.engine.deployment_requests import DeploymentRequests
from outlive.engine.deployments import Deployments
from outlive.engine.descriptions import Descriptions
from outlive.engine.dispatch import Dispatch
from outlive.engine.effects import Effects
from outlive.engine.fast_forwards import FastForwards
from outlive.engine.histories import Histories
from outlive.engine.lifecycle import Lifecycle
from outlive.engine.matching import Matching, QueueName
from outlive.engine.multi_operations import MultiOperations
from outlive.engine.namespace_upkeep import NamespaceUpkeep
from outlive.engine.namespaces import Namespaces
from outlive.engine.queries import Queries
from outlive.engine.resets import Resets
from outlive.engine.runs import Run, Runs
from outlive.engine.schedules import ScheduleRequests, Schedules
from outlive.engine.schedules.held import Held
from outlive.engine.schedules.workflows import Workflows
from outlive.engine.starts import Starts
from outlive.engine.task_queues import TaskQueues
from outlive.engine.time_skipping import TimeSkipping
from outlive.engine.timers import Timers
from outlive.engine.updates import Updates
from outlive.engine.workers import Workers
from outlive.engine.workflow_tasks import WorkflowTasks
from outlive.store.port import Storage, Writer


class Engine:
    """Every part of the engine, by name. The parts' coroutines are the RPCs.

    Executions live by `clock`; calls and polls wait by `waits`, which nobody skips.
    """

    def __init__(
        self,
        storage: Storage,
        writer: Writer,
        clock: Clock,
        namespaces: Namespaces,
        waits: Clock | None = None,
        config: DynamicConfig | None = None,
        post: Post = no_post,
    ) -> None:
        waits = waits or clock
        self.config = config or DynamicConfig()
        self.namespaces = namespaces
        self.matching = Matching(waits, self._levels)
        self.deployments = Deployments(
            storage, writer, waits, namespaces, self.matching, deployment_limits(self.config)
        )
        self.deployment_requests = DeploymentRequests(self.deployments, self.matching)
        self.runs = Runs(storage, writer, clock, namespaces)
        self.runs.routes = self.deployments
        self.dispatch = Dispatch(self.runs, self.matching, waits, self.deployments)
        self.effects = Effects(self.runs, self.dispatch, clock, self.deployments)
        self.queries = Queries(self.runs, self.matching, waits, self.dispatch, self.deployments)
        self.updates = Updates(self.runs, waits)
        self.activity_tasks = ActivityTasks(self.runs, self.matching, waits, self.dispatch)
        self.workflow_tasks = WorkflowTasks(
            self.runs, self.matching, waits, self.queries, self.updates, self.activity_tasks, self.dispatch
        )
        self.matching.on_orphans = self.workflow_tasks.move_to_normal
        self.workers = Workers(self.matching, waits)
        self.starts = Starts(self.runs, clock, self.workflow_tasks, self.deployments)
        workflows = Workflows(namespaces, self.runs, self.starts)
        self.schedules = Schedules(Held(storage, writer, namespaces), workflows, clock, self.runs.new_id)
        self.schedule_requests = ScheduleRequests(self.schedules, storage)
        self.multi_operations = MultiOperations(self.runs, self.starts, self.updates)
        self.lifecycle = Lifecycle(self.runs)
        self.changes = Changes(self.runs, self.deployments)
        self.resets = Resets(self.runs, clock, self.changes)
        self.activity_operations = ActivityOperations(self.runs)
        operations = Operations(self.runs, self.lifecycle, self.resets, self.activity_operations, self.changes)
        self.batches = Batches(storage, writer, waits, namespaces, operations)
        self.histories = Histories(self.runs, storage, waits)
        self.fast_forwards = FastForwards(self.runs, waits)
        self.descriptions = Descriptions(self.runs, storage)
        self.task_queues = TaskQueues(self.matching, storage, writer, clock, self.deployments)
        self.config.follow(self._configured)
        owners = (self.schedules, self.batches, self.deployments, self.task_queues)
        self.namespace_upkeep = NamespaceUpkeep(namespaces, self.runs, storage, writer, waits, owners)
        self._timers = Timers(storage, clock, self.runs, self._due)
        self._storage = storage
        self.runs.on_effect = self._effect
        self.runs.on_wake_at = self._timers.changed
        self.effects.on_closed = self._closed
        self.callbacks = Callbacks(self.runs, self.config, post)
        self.effects.on_callback = self.callbacks.take
        self.time_skipping: TimeSkipping | None = None  # on a server whose clock can be skipped
        if isinstance(clock, SkippingClock):
            self.time_skipping = TimeSkipping(clock, self.runs, self.effects, self._timers)
            self.time_skipping.add(self.schedules)
            self.runs.on_wake_at = self._changed
            self.runs.forget_closed = False
            self.updates.on_answer = self.time_skipping.answering

    def _levels(self, queue: QueueName) -> int:
        """How many priority levels a queue has."""
        namespace, kind = self.namespaces.by_id(queue.namespace_id).name, "Activity" if queue.activities else "Workflow"
        return max(1, self.config.get(keys.PRIORITY_LEVELS, namespace, queue.name, kind))

    def begin(self) -> None:
        """Take up what the store holds: owed effects, and wake-ups."""
        recovery = self._storage.recovery()
        self.runs.begin(recovery.last_key)
        self.task_queues.begin()
        self.effects.recover(recovery.pending)
        self._timers.begin()
        self.schedules.begin()
        self.deployments.begin()
        self.batches.begin()
        self.namespace_upkeep.begin()

    def stop(self) -> None:
        """Let waiting polls go, and no more timers fire."""
        self._timers.stop()
        self.schedules.stop()
        if self.time_skipping is not None:
            self.time_skipping.stop()
        self.deployments.stop()
        self.batches.stop()
        self.namespace_upkeep.stop()
        self.callbacks.stop()
        self.matching.close()

    def _configured(self) -> None:
        """Values of the dynamic configuration may have changed."""
        self.namespaces.refresh()
        self.deployments.limits = deployment_limits(self.config)

    def _effect(self, run: Run, effect: Effect) -> None:
        self.effects.take(run, effect)

    def _changed(self, run: Run) -> None:
        """A decision was made, on a server whose clock can be skipped."""
        self._timers.changed(run)
        if self.time_skipping is not None:
            self.time_skipping.changed(run)

    def _closed(self, run: Run) -> None:
        """Tell who waits, once the step that closed the run has said what it did to them."""
        loop = asyncio.get_running_loop()
        loop.call_soon(self.queries.closed, run)
        loop.call_soon(self.updates.closed, run)
        loop.call_soon(self.schedules.run_closed, run)

    def _due(self, run: Run) -> None:
        if self.runs.decide(run, wake):
            self.runs.delete(run)
