"""What a transport needs to know of an RPC, whatever the transport."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import DecodeError, Message

from outlive.engine.calls import Call
from outlive.errors import Internal, InvalidArgument, ServiceError, StorageFailed, Unavailable

log = logging.getLogger(__name__)

Answer = Message | bytes
Method = Callable[[Any, Call], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Rpc:
    """One unary RPC: its request's class, and the coroutine that answers it."""

    request: type[Message]
    method: Method


Handlers = Mapping[str, Rpc]  # by full method path: /package.Service/Method


async def answer(rpc: Rpc, data: bytes, call: Call) -> bytes:
    """Run one RPC on an encoded request. Raises ServiceError, and nothing else."""
    try:
        request = rpc.request.FromString(data)
    except DecodeError:
        raise InvalidArgument(f"the request is not a valid {rpc.request.DESCRIPTOR.full_name} message") from None
    response = await respond(rpc, request, call)
    return response if isinstance(response, bytes) else response.SerializeToString()


async def respond(rpc: Rpc, request: Message, call: Call) -> Answer:
    """Run one RPC. Raises ServiceError, and nothing else."""
    try:
        return await rpc.method(request, call)
    except ServiceError:
        raise
    except StorageFailed as error:
        raise Unavailable(f"the server is stopping: {error}") from None
    except Exception:
        incident = uuid.uuid4().hex[:12]
        log.exception("incident %s while answering %s", incident, rpc.request.DESCRIPTOR.name)
        raise Internal(f"internal error, incident {incident}: the server's log has more") from None
