"""The registry of workers: what their heartbeats tell, and the end of their polls when they shut down.

Rules
- The registry is in memory: a worker tells of itself again within a minute. One that has told nothing for
  five is forgotten, and one that says it has shut down at once.
- Each namespace has a registry of its own, of bounded size: the longest unheard of go first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerInfo, WorkerListInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkersRequest,
    CountWorkersResponse,
    DescribeWorkerRequest,
    DescribeWorkerResponse,
    FetchWorkerConfigRequest,
    FetchWorkerConfigResponse,
    ListWorkersRequest,
    ListWorkersResponse,
    RecordWorkerHeartbeatRequest,
    RecordWorkerHeartbeatResponse,
    ShutdownWorkerRequest,
    ShutdownWorkerResponse,
    UpdateWorkerConfigRequest,
    UpdateWorkerConfigResponse,
)

from outlive.clock import Clock
from outlive.core.filter import parse_worker_filter
from outlive.engine.calls import Call
from outlive.engine.matching import Matching, QueueName
from outlive.engine.namespaces import Namespace
from outlive.errors import InvalidArgument, NotFound, Unimplemented
from outlive.limits import PAGE_SIZE_MAX, WORKER_FORGOTTEN, WORKERS_MAX

_PAGE = b"workers after "  # a page token begins with it


@dataclass(frozen=True, slots=True)
class _Entry:
    heartbeat: WorkerHeartbeat
    heard_at: int


class Workers:
    """The workers of each namespace, by instance key."""

    def __init__(self, matching: Matching, clock: Clock) -> None:
        self._matching = matching
        self._clock = clock
        self._of: dict[str, dict[str, _Entry]] = {}  # the longest unheard of first

    # -- heartbeats

    async def record_worker_heartbeat(
        self, namespace: Namespace, request: RecordWorkerHeartbeatRequest, call: Call
    ) -> RecordWorkerHeartbeatResponse:
        self._record(namespace.id, request.worker_heartbeat)
        return RecordWorkerHeartbeatResponse()

    def _record(self, namespace_id: str, heartbeats: Iterable[WorkerHeartbeat]) -> None:
        workers = self._current(namespace_id)
        now = self._clock.now()
        for heartbeat in heartbeats:
            workers.pop(heartbeat.worker_instance_key, None)
            if heartbeat.status == WorkerStatus.WORKER_STATUS_SHUTDOWN:
                continue
            kept = WorkerHeartbeat()
            kept.CopyFrom(heartbeat)  # not a part of its request, which would stay in memory with it
            workers[heartbeat.worker_instance_key] = _Entry(kept, now)
            if len(workers) > WORKERS_MAX:
                del workers[next(iter(workers))]

    def _current(self, namespace_id: str) -> dict[str, _Entry]:
        """The namespace's workers, without those that have not been heard of for long."""
        workers = self._of.setdefault(namespace_id, {})
        gone = self._clock.now() - WORKER_FORGOTTEN
        while workers and next(iter(workers.values())).heard_at < gone:
            del workers[next(iter(workers))]
        return workers

    # -- looking

    async def list_workers(self, namespace: Namespace, request: ListWorkersRequest, call: Call) -> ListWorkersResponse:
        """By instance key; a page goes on after the one that its token names."""
        after = _place(request.next_page_token)
        found = sorted(self._found(namespace.id, request.query), key=lambda h: h.worker_instance_key)
        if after is not None:
            found = [heartbeat for heartbeat in found if heartbeat.worker_instance_key > after]
        size = request.page_size if 0 < request.page_size <= PAGE_SIZE_MAX else PAGE_SIZE_MAX
        page = found[:size]
        return ListWorkersResponse(
            workers_info=[WorkerInfo(worker_heartbeat=heartbeat) for heartbeat in page],
            workers=[_listed(heartbeat) for heartbeat in page],
            next_page_token=_PAGE + page[-1].worker_instance_key.encode() if len(found) > size else b"",
        )

    async def count_workers(
        self, namespace: Namespace, request: CountWorkersRequest, call: Call
    ) -> CountWorkersResponse:
        return CountWorkersResponse(count=len(self._found(namespace.id, request.query)))

    def _found(self, namespace_id: str, query: str) -> list[WorkerHeartbeat]:
        met = parse_worker_filter(query)
        return [entry.heartbeat for entry in self._current(namespace_id).values() if met(entry.heartbeat)]

    async def describe_worker(
        self, namespace: Namespace, request: DescribeWorkerRequest, call: Call
    ) -> DescribeWorkerResponse:
        entry = self._current(namespace.id).get(request.worker_instance_key)
        if entry is None:
            raise NotFound(f"Worker {request.worker_instance_key} not found")
        return DescribeWorkerResponse(worker_info=WorkerInfo(worker_heartbeat=entry.heartbeat))

    # -- shutting down

    async def shutdown_worker(
        self, namespace: Namespace, request: ShutdownWorkerRequest, call: Call
    ) -> ShutdownWorkerResponse:
        """End the worker's polls at once, and give what waits in its sticky queue to the others."""
        if request.HasField("worker_heartbeat"):
            self._record(namespace.id, (request.worker_heartbeat,))
        if request.worker_instance_key:
            self._matching.shut_down(namespace.id, request.worker_instance_key)
        for kind in request.task_queue_types or _POLLED:
            name = QueueName(namespace.id, request.task_queue, kind == TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
            for version in self._matching.versions(name) if request.task_queue else ():
                self._matching.forget_poller(version, request.identity)
        if request.sticky_task_queue:
            orphans = self._matching.abandon(QueueName(namespace.id, request.sticky_task_queue))
            self._matching.on_orphans(orphans)
        return ShutdownWorkerResponse()

    # -- what only workers of later versions can do

    async def fetch_worker_config(
        self, namespace: Namespace, request: FetchWorkerConfigRequest, call: Call
    ) -> FetchWorkerConfigResponse:
        """As Temporal's development server answers: no worker takes such commands."""
        raise Unimplemented("FetchWorkerConfig command is not enabled.")

    async def update_worker_config(
        self, namespace: Namespace, request: UpdateWorkerConfigRequest, call: Call
    ) -> UpdateWorkerConfigResponse:
        """As Temporal's development server answers: no worker takes such commands."""
        raise Unimplemented("UpdateWorkerConfig command is not enabled.")


_POLLED = (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)


def _place(token: bytes) -> str | None:
    """The instance key after which a page begins. Raises InvalidArgument."""
    if not token:
        return None
    if not token.startswith(_PAGE):
        raise InvalidArgument("invalid next_page_token")
    return token.removeprefix(_PAGE).decode(errors="replace")


def _listed(heartbeat: WorkerHeartbeat) -> WorkerListInfo:
    result = WorkerListInfo(
        worker_instance_key=heartbeat.worker_instance_key,
        worker_identity=heartbeat.worker_identity,
        task_queue=heartbeat.task_queue,
        sdk_name=heartbeat.sdk_name,
        sdk_version=heartbeat.sdk_version,
        status=heartbeat.status,
        host_name=heartbeat.host_info.host_name,
        worker_grouping_key=heartbeat.host_info.worker_grouping_key,
        process_id=heartbeat.host_info.process_id,
        plugins=heartbeat.plugins,
        drivers=heartbeat.drivers,
    )
    if heartbeat.HasField("deployment_version"):
        result.deployment_version.CopyFrom(heartbeat.deployment_version)
    if heartbeat.HasField("start_time"):
        result.start_time.CopyFrom(heartbeat.start_time)
    return result
