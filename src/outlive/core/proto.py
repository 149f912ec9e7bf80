"""Times, durations and payloads between the API's messages and the core's integers (nanoseconds)."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure

from outlive.limits import TIMEOUT_MAX

ZERO_TIME = -62_135_596_800 * 1_000_000_000  # 0001-01-01: how the protocol's own server writes an unset time
SECOND = 1_000_000_000


def timestamp(ns: int) -> Timestamp:
    """The moment as a message."""
    return Timestamp(seconds=ns // SECOND, nanos=ns % SECOND)


def duration(ns: int) -> Duration:
    """The span as a message. Negative spans keep the sign in both fields, as protobuf wants."""
    seconds, nanos = divmod(abs(ns), SECOND)
    return Duration(seconds=seconds, nanos=nanos) if ns >= 0 else Duration(seconds=-seconds, nanos=-nanos)


def ns_of(value: Duration) -> int:
    """The span in nanoseconds; 0 for an unset one.

    None is longer than TIMEOUT_MAX, whatever a client writes, so that a time and two spans still add up to
    what 64 bits hold: the file keeps no larger integer.
    """
    return max(-TIMEOUT_MAX, min(value.seconds * SECOND + value.nanos, TIMEOUT_MAX))


def time_of(value: Timestamp) -> int:
    """The moment in nanoseconds since the epoch; 0 for an unset one."""
    return value.seconds * SECOND + value.nanos


def json_payload(text: str) -> Payload:
    """A payload holding a JSON string, as the default data converter writes it."""
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(text).encode())


def copy_fields(source: Any, target: Any, names: Iterable[str]) -> None:
    """Copy those of the named message fields that the source has set."""
    for name in names:
        if source.HasField(name):
            getattr(target, name).CopyFrom(getattr(source, name))


def truncated(failure: Failure, size_max: int) -> Failure:
    """The failure if it is small enough, else a server failure with the beginning of it as its cause."""
    if failure.ByteSize() <= size_max:
        return failure
    result = Failure(message="Failure exceeds size limit.", source=failure.source)
    result.server_failure_info.SetInParent()
    cause = result.cause
    cause.message = failure.message.encode()[: size_max // 2].decode(errors="ignore")
    cause.source = failure.source
    if failure.HasField("application_failure_info"):
        cause.application_failure_info.type = failure.application_failure_info.type
        cause.application_failure_info.non_retryable = failure.application_failure_info.non_retryable
    return result
