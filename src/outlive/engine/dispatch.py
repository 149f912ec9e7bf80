"""Which queue an offer goes to: the sticky one, or that of the worker version it is for.

Rules (all of them live in this file)
- A task goes to the sticky queue while its worker polls and the run may stay on that worker's version.
- Else it goes to the queue of the version that the run's versioning and the routing of its queue name.
- Whoever takes an offer asks `fits` first: one that has come to the wrong version is offered to the right
  one and does not stand. So routing may change at any time, and no offer is lost.
- When the routing of a queue changes, what waits in it is looked at again, a few offers at a time.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import replace

from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest

from outlive.clock import Clock
from outlive.core import activities, versioning
from outlive.core.deployments.state import Queue
from outlive.core.effects import DispatchActivity, DispatchWorkflowTask
from outlive.core.queue_routing import Target
from outlive.core.version_names import VersionName, of_worker
from outlive.engine.deployments import Deployments
from outlive.engine.matching import Matching, Offer, QueueName, rank_of
from outlive.engine.runs import Run, Runs
from outlive.limits import REROUTED_AT_ONCE


def version_key(version: VersionName | None) -> str:
    """A version as names of queues have it."""
    return "" if version is None else str(version)


class Dispatch:
    """Offers tasks, activities and queries to their queues."""

    def __init__(self, runs: Runs, matching: Matching, clock: Clock, deployments: Deployments) -> None:
        self._runs = runs
        self._matching = matching
        self._clock = clock
        self._routes = deployments
        self._rerouted: deque[tuple[QueueName, Offer]] = deque()
        self._scheduled = False
        deployments.on_routing = self._reroute

    # -- offering

    def offer_task(self, run: Run, effect: DispatchWorkflowTask) -> None:
        """Offer a workflow task."""
        name = QueueName(run.state.start.namespace_id, effect.queue)
        if not (effect.sticky and self._sticks(run, name)):
            name = self.normal_queue(run)
        since = min(run.state.info.task_scheduled_time, self._clock.now())
        rank = rank_of(run.state.priority)
        self._matching.offer(name, Offer(run.key, effect.scheduled_event_id, effect.attempt, None, since, rank))

    def offer_activity(self, run: Run, effect: DispatchActivity) -> None:
        """Offer an activity's attempt."""
        row, since = run.state.activities.get(effect.scheduled_event_id), self._clock.now()
        if row is not None:
            since = min(row.attempt_scheduled_time, since)
        rank = rank_of(activities.merged_priority(run.state, effect.priority))
        offer = Offer(run.key, effect.scheduled_event_id, effect.stamp, None, since, rank)
        self._matching.offer(self._activity_queue(run, effect.queue), offer)

    def _sticks(self, run: Run, name: QueueName) -> bool:
        return self._matching.polled_lately(name) and versioning.sticks(run.state, self._routes)

    def sticky_queue(self, run: Run) -> QueueName | None:
        """Where a query finds the worker that has the run cached; None if it must not, or has gone."""
        queue = run.state.info.sticky_queue
        if not queue:
            return None
        name = QueueName(run.state.start.namespace_id, queue)
        return name if self._sticks(run, name) else None

    def normal_queue(self, run: Run) -> QueueName:
        """Where the run's workflow tasks and queries go if not to its sticky worker."""
        start = run.state.start
        return QueueName(start.namespace_id, start.task_queue, version=version_key(self.task_target(run).version))

    def task_target(self, run: Run) -> Target:
        """The version for the run's next workflow task."""
        return versioning.task_version(run.state, self._routes)

    def activity_target(self, run: Run, queue: str) -> Target:
        """The version for an activity of the run on that queue."""
        return versioning.activity_version(run.state, queue, self._routes)

    def _activity_queue(self, run: Run, queue: str) -> QueueName:
        version = self.activity_target(run, queue).version
        return QueueName(run.state.start.namespace_id, queue, activities=True, version=version_key(version))

    # -- polls

    async def polled_queue(
        self, namespace_id: str, request: PollWorkflowTaskQueueRequest | PollActivityTaskQueueRequest
    ) -> QueueName:
        """The queue that a poll takes from. A version that is new to it is registered first."""
        activities = isinstance(request, PollActivityTaskQueueRequest)
        name = QueueName(namespace_id, request.task_queue.name, activities)
        if request.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
            return name  # one worker's own: it has one version
        version = of_worker(request.deployment_options)
        if version is None:
            return name
        await self._routes.register(namespace_id, name.name, version, activities=activities)
        return replace(name, version=version_key(version))

    # -- taking

    def task_fits(self, run: Run, offer: Offer, taken_from: QueueName, *, sticky: bool) -> bool:
        """Whether the task, or query, may be given to a worker of that queue; if not, it is offered elsewhere."""
        if sticky:
            fits = versioning.sticks(run.state, self._routes)
        else:
            fits = self.normal_queue(run) == taken_from
        if not fits:
            self._matching.offer(self.normal_queue(run), offer)
        return fits

    def activity_fits(self, run: Run, offer: Offer, taken_from: QueueName) -> bool:
        """Whether the activity may start on a worker of that queue now.

        While the run moves between versions it may not: it is offered again when the run has moved. If the
        queue is of a version that the run itself would go to by now, the run moves first.
        """
        state = run.state
        row = state.activities.rows[offer.event_id]
        if versioning.moving(state):
            return False
        name = self._activity_queue(run, row.task_queue)
        if name != taken_from:
            self._matching.offer(name, offer)
            return False
        info, target = versioning.info_of(state), self.task_target(run)
        moves = versioning.behavior(info) != versioning.PINNED and versioning.version(info) != target.version
        if moves and version_key(target.version) == name.version:
            self._runs.decide(run, lambda t: activities.move_first(t, target))
            return False
        return True

    # -- when the routing has changed

    def _reroute(self, namespace_id: str, queue: Queue) -> None:
        versions = self._routes.versions_of(namespace_id, queue.name, activities=queue.activities)
        for version in (None, *versions):
            name = QueueName(namespace_id, queue.name, queue.activities, version_key(version))
            self._rerouted.extend((name, offer) for offer in self._matching.take_back(name))
        if self._rerouted and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        for _ in range(min(REROUTED_AT_ONCE, len(self._rerouted))):
            name, offer = self._rerouted.popleft()
            run = self._runs.get(offer.key)
            if run is None:
                continue
            if not name.activities:
                self._matching.offer(self.normal_queue(run), offer)
            elif activities.startable(run.state, offer.event_id, offer.stamp):
                queue = run.state.activities.rows[offer.event_id].task_queue
                self._matching.offer(self._activity_queue(run, queue), offer)
        self._scheduled = bool(self._rerouted)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._go_on)
