"""Workers, as their heartbeats tell of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerSlotsInfo
from temporalio.api.workflowservice.v1 import ListWorkersRequest

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import times


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """One worker. Slots are ``used of all``; shares of CPU and memory are of 1."""

    identity: str
    task_queue: str
    status: str
    host: str
    sdk: str
    build: str
    started: datetime | None
    heartbeat: datetime | None
    workflow_slots: str
    activity_slots: str
    cpu: float
    memory: float


@dataclass(frozen=True, slots=True)
class WorkersView:
    """The list, by queue. ``more``: there are others."""

    namespace: str
    rows: list[WorkerRow]
    more: bool


async def load(client: WorkflowServiceClient, namespace: str) -> WorkersView:
    """Ask the server. Raises RpcError."""
    answer = await client.list_workers(ListWorkersRequest(namespace=namespace, page_size=bounds.WORKERS_PAGE))
    rows = [row(one.worker_heartbeat) for one in answer.workers_info]
    return WorkersView(
        namespace, sorted(rows, key=lambda one: (one.task_queue, one.identity)), bool(answer.next_page_token)
    )


def row(beat: WorkerHeartbeat) -> WorkerRow:
    """The worker as the list shows it."""
    status = WorkerStatus.Name(beat.status) if beat.status in WorkerStatus.values() else ""
    return WorkerRow(
        identity=beat.worker_identity,
        task_queue=beat.task_queue,
        status=status.removeprefix("WORKER_STATUS_").replace("_", " ").lower(),
        host=f"{beat.host_info.host_name} ({beat.host_info.process_id})" if beat.host_info.host_name else "",
        sdk=f"{beat.sdk_name} {beat.sdk_version}".strip(),
        build=beat.deployment_version.build_id,
        started=times.moment(beat.start_time),
        heartbeat=times.moment(beat.heartbeat_time),
        workflow_slots=_slots(beat.workflow_task_slots_info),
        activity_slots=_slots(beat.activity_task_slots_info),
        cpu=beat.host_info.current_host_cpu_usage,
        memory=beat.host_info.current_host_mem_usage,
    )


def _slots(info: WorkerSlotsInfo) -> str:
    whole = info.current_used_slots + info.current_available_slots
    return f"{info.current_used_slots} of {whole}" if whole else str(info.current_used_slots)
