"""`grpc.health.v1.Health` Check: whether the server answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

from outlive.api.handlers import Answer, Handlers, Rpc
from outlive.engine.calls import Call
from outlive.errors import Code, ServiceError


class _UnknownService(ServiceError):
    """NOT_FOUND, without the detail that belongs to the other services."""

    code = Code.NOT_FOUND


def health_handlers(services: Sequence[str]) -> Handlers:
    """Check for the server as a whole ("") and for each of its services."""
    known = {"", *services}

    async def check(request: Any, call: Call) -> Answer:
        if request.service not in known:
            raise _UnknownService("unknown service")
        return bytes(HealthCheckResponse(status=HealthCheckResponse.SERVING).SerializeToString())

    return {"/grpc.health.v1.Health/Check": Rpc(HealthCheckRequest, check)}
