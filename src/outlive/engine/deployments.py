"""Worker deployments: held in memory, written through, registered by polls, drained by time.

Rules (all of them live in this file)
- All deployments are in memory. What changes is in the next commit; an answer waits for it.
- A poll by a version registers it with its queue, before it waits for a task.
- A draining version is looked at from time to time: it is drained once no open run is pinned to it.
- Whoever must know of changed routing hears of each queue that it may concern.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

from temporalio.api.enums.v1 import ResourceExhaustedCause, TaskQueueType
from temporalio.api.workflow.v1 import VersioningOverride

from outlive.clock import Clock
from outlive.core.deployments import changes, codec
from outlive.core.deployments.changes import Facts
from outlive.core.deployments.state import DRAINED, Deployment, Queue, Version
from outlive.core.filter import parse_filter
from outlive.core.queue_routing import UNROUTED, QueueRouting, queue_routing
from outlive.core.version_names import VersionName
from outlive.core.versioning import modern, override_version
from outlive.engine.matching import Matching, QueueName
from outlive.engine.namespaces import Namespaces
from outlive.errors import FailedPrecondition, ResourceExhausted
from outlive.limits import SECOND, DeploymentLimits
from outlive.store.port import EntityRow, Storage, Writer

log = logging.getLogger(__name__)
KIND = "deployment"  # of the entities
LIMITS = ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_WORKER_DEPLOYMENT_LIMITS
_SLEEP_MAX = 60 * SECOND  # look at the clock at least so often, in case it was set
OnRouting = Callable[[str, Queue], None]  # namespace id, queue


def queue_of(name: str, *, activities: bool) -> Queue:
    """A task queue as deployments name it."""
    kind = TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY if activities else TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    return Queue(name, kind)


class Deployments:
    """The worker deployments of all namespaces. `on_routing` hears of every queue whose routing may have changed."""

    def __init__(
        self,
        storage: Storage,
        writer: Writer,
        clock: Clock,
        namespaces: Namespaces,
        matching: Matching,
        limits: DeploymentLimits | None = None,
    ) -> None:
        self._storage = storage
        self._writer = writer
        self._clock = clock
        self._namespaces = namespaces
        self._matching = matching
        self.limits = limits or DeploymentLimits()
        self.on_routing: OnRouting = lambda namespace_id, queue: None
        self._by_name: dict[str, dict[str, Deployment]] = {}  # namespace id -> name -> deployment
        self._with_queue: dict[tuple[str, Queue], set[str]] = {}  # -> names of deployments
        self._routing: dict[tuple[str, Queue], QueueRouting] = {}  # of those, as far as asked for
        self._handle: asyncio.TimerHandle | None = None
        self._looking: asyncio.Task[None] | None = None
        for row in storage.entities(KIND):
            self._hold(row.namespace_id, codec.decode(row.data))

    def begin(self) -> None:
        """Go on looking at what drains."""
        self.rearm()

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._looking is not None:
            self._looking.cancel()

    # -- holding

    def of(self, namespace_id: str) -> Mapping[str, Deployment]:
        """The deployments of the namespace, by name."""
        return self._by_name.get(namespace_id, {})

    def _hold(self, namespace_id: str, deployment: Deployment) -> None:
        self._by_name.setdefault(namespace_id, {})[deployment.name] = deployment
        for version in deployment.versions.values():
            for queue in version.queues:
                self._with_queue.setdefault((namespace_id, queue), set()).add(deployment.name)

    def _concerned(self, namespace_id: str, name: str) -> set[Queue]:
        """The queues of the deployment's versions."""
        deployment = self.of(namespace_id).get(name)
        return {queue for version in deployment.versions.values() for queue in version.queues} if deployment else set()

    def put(self, namespace_id: str, deployment: Deployment) -> asyncio.Future[None]:
        """Take the deployment over as it is now; done when that is durable."""
        before = self._concerned(namespace_id, deployment.name)
        old = self.of(namespace_id).get(deployment.name)
        self._hold(namespace_id, deployment)
        after = self._concerned(namespace_id, deployment.name)
        for queue in before - after:
            self._with_queue[(namespace_id, queue)].discard(deployment.name)
        if old is None or old.routing != deployment.routing or before != after:
            self._changed(namespace_id, before | after)
        self.rearm()
        return self._writer.put_entity(EntityRow(KIND, namespace_id, deployment.name, codec.encode(deployment)))

    def forget_namespace(self, namespace_id: str) -> None:
        """Forget all deployments of a namespace."""
        for name in list(self.of(namespace_id)):
            self.remove(namespace_id, name)

    def remove(self, namespace_id: str, name: str) -> asyncio.Future[None]:
        """Forget the deployment."""
        queues = self._concerned(namespace_id, name)
        self._by_name.get(namespace_id, {}).pop(name, None)
        for queue in queues:
            self._with_queue[(namespace_id, queue)].discard(name)
        self._changed(namespace_id, queues)
        return self._writer.delete_entity(KIND, namespace_id, name)

    def _changed(self, namespace_id: str, queues: set[Queue]) -> None:
        for queue in queues:
            self._routing.pop((namespace_id, queue), None)
        for queue in queues:
            self.on_routing(namespace_id, queue)

    # -- where work goes (core.queue_routing.Routes)

    def routing(self, namespace_id: str, queue: str, *, activities: bool = False) -> QueueRouting:
        """The routing of a queue, as all its deployments together say."""
        if not self._with_queue:
            return UNROUTED
        key = (namespace_id, queue_of(queue, activities=activities))
        known = self._routing.get(key)
        if known is None:
            names = self._with_queue.get(key)
            if not names:
                return UNROUTED
            known = queue_routing((self._by_name[namespace_id][name] for name in sorted(names)), key[1])
            self._routing[key] = known
        return known

    def has(self, namespace_id: str, queue: str, version: VersionName, *, activities: bool = False) -> bool:
        """Whether workers of the version have polled the queue."""
        found = self.version(namespace_id, version)
        return found is not None and queue_of(queue, activities=activities) in found.queues

    def version(self, namespace_id: str, name: VersionName) -> Version | None:
        deployment = self.of(namespace_id).get(name.deployment)
        return deployment.versions.get(name.build_id) if deployment is not None else None

    def versions_of(self, namespace_id: str, queue: str, *, activities: bool = False) -> Iterator[VersionName]:
        """The versions whose workers have polled the queue."""
        key = queue_of(queue, activities=activities)
        for name in sorted(self._with_queue.get((namespace_id, key), ())):
            for version in self._by_name[namespace_id][name].versions.values():
                if key in version.queues:
                    yield VersionName(name, version.build_id)

    # -- what changes are given

    def facts(self, namespace_id: str, name: str) -> Facts:
        """What a change of the deployment is given."""
        return Facts(
            now=self._clock.now(),
            limits=self.limits,
            polled=lambda version: self._polled(namespace_id, VersionName(name, version.build_id), version),
            in_use=lambda queue: self._in_use(namespace_id, name, queue),
        )

    def _polled(self, namespace_id: str, name: VersionName, version: Version) -> bool:
        return any(
            self._matching.pollers(QueueName(namespace_id, queue.name, queue.activities, str(name)))
            for queue in version.queues
        )

    def _in_use(self, namespace_id: str, name: str, queue: Queue) -> bool:
        """Whether a queue of the deployment's current version has work, and is not another deployment's by now."""
        current = self.routing(namespace_id, queue.name, activities=queue.activities).current
        if current is None or current.deployment != name:
            return False
        return self._matching.busy(QueueName(namespace_id, queue.name, queue.activities, str(current)))

    # -- polls

    async def register(self, namespace_id: str, queue: str, name: VersionName, *, activities: bool) -> None:
        """A worker of the version polls the queue: they are known together from now on."""
        if not self.has(namespace_id, queue, name, activities=activities):
            await self._register(namespace_id, name, queue_of(queue, activities=activities))

    def _register(self, namespace_id: str, name: VersionName, queue: Queue) -> asyncio.Future[None]:
        most = self.limits.versions_in_queue_max
        if sum(1 for _ in self.versions_of(namespace_id, queue.name, activities=queue.activities)) > most:
            raise ResourceExhausted(
                f"exceeding maximum number of Deployment Versions in this task queue (limit = {most})", LIMITS
            )
        deployment = self.of(namespace_id).get(name.deployment) or self.fresh(namespace_id, name.deployment)
        facts = self.facts(namespace_id, name.deployment)
        return self.put(namespace_id, changes.register(deployment, name.build_id, queue, facts))

    def fresh(self, namespace_id: str, name: str) -> Deployment:
        """A new deployment; ResourceExhausted if the namespace has as many as it may."""
        most = self.limits.deployments_max
        if len(self.of(namespace_id)) >= most:
            raise ResourceExhausted(f"reached maximum deployments in namespace ({most})", LIMITS)
        now = self._clock.now()
        return Deployment(name, created=now, token=now)

    # -- runs that are pinned to a version

    def require_version(self, namespace_id: str, override: VersioningOverride, queue: str) -> None:
        """Raises FailedPrecondition for an override with a version whose workers do not have the queue.

        A version that took no new work until now drains from now on.
        """
        name = override_version(modern(override))
        if name is None:
            return
        if not self.has(namespace_id, queue, name):
            raise FailedPrecondition(
                f"Pinned version '{name}' is not present in task queue '{queue}' of type 'Workflow'"
            )
        deployment = self.of(namespace_id)[name.deployment]
        after = changes.reactivated(deployment, name.build_id, self._clock.now())
        if after is not deployment:
            self.put(namespace_id, after)

    def drained(self, namespace_id: str, name: VersionName) -> bool:
        """Whether the version has no open run any more."""
        version = self.version(namespace_id, name)
        return version is not None and version.status == DRAINED

    # -- drainage

    def next_wake(self) -> int:
        """When a draining version is to be looked at next (nanoseconds); 0 if none drains."""
        return min((due for _, _, due in self._due()), default=0)

    def _due(self) -> Iterator[tuple[str, VersionName, int]]:
        for namespace_id, deployments in self._by_name.items():
            for deployment in deployments.values():
                for version in deployment.versions.values():
                    due = changes.check_due(version, self.limits)
                    if due:
                        yield namespace_id, VersionName(deployment.name, version.build_id), due

    def rearm(self) -> None:
        """Look at the clock again, and wait for what is due next."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
        due = self.next_wake()
        if due and (self._looking is None or self._looking.done()):
            delay = min(max(0, due - self._clock.now()), _SLEEP_MAX)
            self._handle = asyncio.get_running_loop().call_later(delay / SECOND, self._look)

    def _look(self) -> None:
        self._looking = asyncio.get_running_loop().create_task(self.look())
        self._looking.add_done_callback(self._looked)

    def _looked(self, done: asyncio.Task[None]) -> None:
        if done.cancelled():
            return
        error = done.exception()
        if error is None:
            self.rearm()
        else:
            log.error("could not look at draining versions; trying again in a minute", exc_info=error)
            self._handle = asyncio.get_running_loop().call_later(_SLEEP_MAX / SECOND, self._look)

    async def look(self) -> None:
        """Look at the draining versions that are due."""
        now = self._clock.now()
        for namespace_id, name, due in list(self._due()):
            if due <= now:
                await self._look_at(namespace_id, name)

    async def _look_at(self, namespace_id: str, name: VersionName) -> None:
        query = (
            f"TemporalWorkerDeploymentVersion = '{_quoted(str(name))}' AND "
            "TemporalWorkflowVersioningBehavior = 'Pinned' AND ExecutionStatus = 'Running'"
        )
        types = self._namespaces.by_id(namespace_id).attribute_types
        count = await self._storage.read_visibility("count", parse_filter(query, types), namespace_id)
        deployment = self.of(namespace_id).get(name.deployment)
        if deployment is not None:
            after = changes.checked(deployment, name.build_id, count.total, self._clock.now())
            if after is not deployment:
                await self.put(namespace_id, after)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace("'", "\\'")
