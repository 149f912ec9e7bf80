"""Errors as gRPC carries them: a status code, words, and a `google.rpc.Status` with the detail."""

from __future__ import annotations

from google.rpc.status_pb2 import Status

from outlive.errors import ServiceError

DETAILS_KEY = "grpc-status-details-bin"


def status_bytes(error: ServiceError) -> bytes | None:
    """The error with its detail as `google.rpc.Status`, encoded; None where the protocol has no detail."""
    if error.detail is None:
        return None
    status = Status(code=int(error.code), message=error.message)
    status.details.add().Pack(error.detail)
    return bytes(status.SerializeToString())
