"""What workers tell of themselves."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from temporalio.api.worker.v1 import WorkerHeartbeat

from outlive.api.validation.common import Scope
from outlive.errors import InvalidArgument
from outlive.limits import WORKER_HEARTBEAT_MAX


def heartbeat(request: Any, scope: Scope) -> None:
    """RecordWorkerHeartbeat."""
    _check(request.worker_heartbeat)


def shutdown(request: Any, scope: Scope) -> None:
    """ShutdownWorker."""
    _check((request.worker_heartbeat,))


def _check(heartbeats: Iterable[WorkerHeartbeat]) -> None:
    for each in heartbeats:
        if each.ByteSize() > WORKER_HEARTBEAT_MAX:
            raise InvalidArgument(
                f"WorkerHeartbeat exceeds maximum allowed size ({each.ByteSize()}/{WORKER_HEARTBEAT_MAX})"
            )
