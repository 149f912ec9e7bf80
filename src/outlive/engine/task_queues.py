"""Task queues as people see and set them: DescribeTaskQueue, ListTaskQueuePartitions, UpdateTaskQueueConfig.

A queue here has one partition, and what it holds is in memory; only its settings are kept in the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from temporalio.api.enums.v1 import BuildIdTaskReachability, DescribeTaskQueueMode, TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import (
    PollerInfo,
    RateLimitConfig,
    TaskQueueConfig,
    TaskQueuePartitionMetadata,
    TaskQueueStatus,
    TaskQueueTypeInfo,
    TaskQueueVersionInfo,
)
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListTaskQueuePartitionsRequest,
    ListTaskQueuePartitionsResponse,
    UpdateTaskQueueConfigRequest,
    UpdateTaskQueueConfigResponse,
)

from outlive.clock import Clock
from outlive.core.proto import timestamp
from outlive.core.queue_routing import Routes
from outlive.engine.calls import Call
from outlive.engine.matching import LevelStats, Matching, PollerSeen, QueueName, QueueSettings
from outlive.engine.namespaces import Namespace
from outlive.engine.queue_stats import stats_message, total
from outlive.errors import InvalidArgument
from outlive.limits import FAIRNESS_OVERRIDES_MAX
from outlive.store.port import EntityRow, Storage, Writer

T = TaskQueueType
KIND: Final = "task-queue"  # of the entities that hold settings
OWNER: Final = "outlive"  # of a queue's partition: one process has them all
_UNLIMITED: Final = 100_000.0  # told of a poller that asks for no limit
_SETTABLE: Final = (T.TASK_QUEUE_TYPE_WORKFLOW, T.TASK_QUEUE_TYPE_ACTIVITY)  # queues that are here


class TaskQueues:
    """What the queues hold, who polls them, and what is set of them."""

    def __init__(self, matching: Matching, storage: Storage, writer: Writer, clock: Clock, routes: Routes) -> None:
        self._matching = matching
        self._routes = routes
        self._storage = storage
        self._writer = writer
        self._clock = clock
        self._configs: dict[tuple[str, str], TaskQueueConfig] = {}  # by namespace id and entity id

    def begin(self) -> None:
        """Put the settings in force that the store holds."""
        for row in self._storage.entities(KIND):
            config = TaskQueueConfig.FromString(row.data)
            self._configs[row.namespace_id, row.entity_id] = config
            kind, _, name = row.entity_id.partition("/")
            self._put_in_force(row.namespace_id, int(kind), name, config)

    def forget_namespace(self, namespace_id: str) -> None:
        """Forget the settings of a namespace's queues."""
        for key in [each for each in self._configs if each[0] == namespace_id]:
            del self._configs[key]
            self._writer.delete_entity(KIND, *key)

    # -- describing

    async def describe_task_queue(
        self, namespace: Namespace, request: DescribeTaskQueueRequest, call: Call
    ) -> DescribeTaskQueueResponse:
        if request.api_mode == DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED:
            return self._by_version(namespace, request)
        kind = request.task_queue_type or T.TASK_QUEUE_TYPE_WORKFLOW
        name = _queue(namespace.id, request.task_queue.name, kind)
        rate, source = self._matching.effective_rate(name)
        response = DescribeTaskQueueResponse(
            pollers=[_poller(seen) for seen in self._pollers(self._matching.versions(name))],
            effective_rate_limit=DescribeTaskQueueResponse.EffectiveRateLimit(
                requests_per_second=rate, rate_limit_source=source
            ),
        )
        queue = request.task_queue
        if queue.kind != TaskQueueKind.TASK_QUEUE_KIND_STICKY or not queue.normal_name:
            routing = self._routes.routing(namespace.id, name.name, activities=name.activities)
            response.versioning_info.CopyFrom(routing.info())
        stats = self._stats(self._matching.versions(name) or [name])
        if request.include_task_queue_status:
            backlog = sum(level.backlog for level in stats.values())
            response.task_queue_status.CopyFrom(TaskQueueStatus(backlog_count_hint=backlog, rate_per_second=rate))
        if request.report_stats:
            response.stats.CopyFrom(stats_message(total(stats.values())))
            for number, level in stats.items():
                response.stats_by_priority_key[number].CopyFrom(stats_message(level))
        config = self._configs.get((namespace.id, _entity_id(kind, request.task_queue.name)))
        if request.report_config and config is not None:
            response.config.CopyFrom(config)
        return response

    def _by_version(self, namespace: Namespace, request: DescribeTaskQueueRequest) -> DescribeTaskQueueResponse:
        """The older, enhanced form: what is asked for of each version of the queue's workers."""
        response = DescribeTaskQueueResponse()
        versions = [*request.versions.build_ids, *([""] if request.versions.unversioned else [])]
        if not request.HasField("versions"):
            versions = [""]
        for version in versions:
            info = TaskQueueVersionInfo()
            if request.report_task_reachability:
                info.task_reachability = (
                    BuildIdTaskReachability.BUILD_ID_TASK_REACHABILITY_UNREACHABLE
                    if version
                    else BuildIdTaskReachability.BUILD_ID_TASK_REACHABILITY_REACHABLE
                )
            for kind in request.task_queue_types or _SETTABLE:
                name = _queue(namespace.id, request.task_queue.name, kind, version)
                told = TaskQueueTypeInfo()
                if request.report_pollers:
                    told.pollers.extend(_poller(seen) for seen in self._pollers([name]))
                if request.report_stats:
                    told.stats.CopyFrom(stats_message(total(self._stats([name]).values())))
                info.types_info[kind].CopyFrom(told)
            response.versions_info[version].CopyFrom(info)
        return response

    def _pollers(self, names: Iterable[QueueName]) -> list[PollerSeen]:
        """The workers of all these queues, the latest first, each once."""
        latest: dict[str, PollerSeen] = {}
        for seen in (seen for name in names for seen in self._matching.pollers(name)):
            known = latest.get(seen.poller.identity)
            if known is None or known.last_access < seen.last_access:
                latest[seen.poller.identity] = seen
        return sorted(latest.values(), key=lambda seen: -seen.last_access)

    def _stats(self, names: Iterable[QueueName]) -> dict[int, LevelStats]:
        """Of all these queues together, by priority level."""
        result: dict[int, LevelStats] = {}
        for name in names:
            for number, level in self._matching.stats(name).items():
                result[number] = total((result.get(number, LevelStats()), level))
        return dict(sorted(result.items()))

    async def list_task_queue_partitions(
        self, namespace: Namespace, request: ListTaskQueuePartitionsRequest, call: Call
    ) -> ListTaskQueuePartitionsResponse:
        partitions = [TaskQueuePartitionMetadata(key=request.task_queue.name, owner_host_name=OWNER)]
        return ListTaskQueuePartitionsResponse(
            activity_task_queue_partitions=partitions, workflow_task_queue_partitions=partitions
        )

    # -- setting

    async def update_task_queue_config(
        self, namespace: Namespace, request: UpdateTaskQueueConfigRequest, call: Call
    ) -> UpdateTaskQueueConfigResponse:
        entity_id = _entity_id(request.task_queue_type, request.task_queue)
        config = TaskQueueConfig()
        config.CopyFrom(self._configs.get((namespace.id, entity_id), TaskQueueConfig()))
        self._change(config, request)
        self._configs[namespace.id, entity_id] = config
        self._put_in_force(namespace.id, request.task_queue_type, request.task_queue, config)
        await self._writer.put_entity(EntityRow(KIND, namespace.id, entity_id, config.SerializeToString()))
        return UpdateTaskQueueConfigResponse(config=config)

    def _change(self, config: TaskQueueConfig, request: UpdateTaskQueueConfigRequest) -> None:
        """Raises InvalidArgument if too many weights would be overridden."""
        for limit, update in (
            (config.queue_rate_limit, "update_queue_rate_limit"),
            (config.fairness_keys_rate_limit_default, "update_fairness_key_rate_limit_default"),
        ):
            if request.HasField(update):  # type: ignore[arg-type]
                self._set_limit(limit, getattr(request, update), request.identity)
        for key in request.unset_fairness_weight_overrides:
            config.fairness_weight_overrides.pop(key, None)
        config.fairness_weight_overrides.update(request.set_fairness_weight_overrides)
        if len(config.fairness_weight_overrides) > FAIRNESS_OVERRIDES_MAX:
            raise InvalidArgument("fairness weight overrides update rejected: exceeding maximum key size")

    def _set_limit(
        self, limit: RateLimitConfig, update: UpdateTaskQueueConfigRequest.RateLimitUpdate, identity: str
    ) -> None:
        """An update without a limit takes the limit away, and keeps who did it and why."""
        limit.Clear()
        if update.HasField("rate_limit"):
            limit.rate_limit.CopyFrom(update.rate_limit)
        limit.metadata.reason = update.reason
        limit.metadata.update_identity = identity
        limit.metadata.update_time.CopyFrom(timestamp(self._clock.now()))

    def _put_in_force(self, namespace_id: str, kind: int, name: str, config: TaskQueueConfig) -> None:
        if kind in _SETTABLE:
            settings = QueueSettings(
                rate=_rate(config.queue_rate_limit),
                key_rate=_rate(config.fairness_keys_rate_limit_default),
                weights=dict(config.fairness_weight_overrides),
            )
            self._matching.configure(_queue(namespace_id, name, kind), settings)


def _queue(namespace_id: str, name: str, kind: int, version: str = "") -> QueueName:
    return QueueName(namespace_id, name, kind == T.TASK_QUEUE_TYPE_ACTIVITY, version)


def _entity_id(kind: int, name: str) -> str:
    return f"{kind}/{name}"


def _rate(limit: RateLimitConfig) -> float | None:
    return limit.rate_limit.requests_per_second if limit.HasField("rate_limit") else None


def _poller(seen: PollerSeen) -> PollerInfo:
    poller = seen.poller
    return PollerInfo(
        identity=poller.identity,
        last_access_time=timestamp(seen.last_access),
        rate_per_second=poller.rate if poller.rate is not None else _UNLIMITED,
        worker_version_capabilities=poller.capabilities,
        deployment_options=poller.deployment,
    )
