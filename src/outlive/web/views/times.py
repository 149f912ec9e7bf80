"""Moments and spans, from the API's messages to what a person reads. All times are UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp


def moment(value: Timestamp) -> datetime | None:
    """The moment in UTC; None for one that is unset (zero, or the year 1 that Go writes for it)."""
    if value.seconds <= 0:
        return None
    return datetime.fromtimestamp(value.seconds, UTC).replace(microsecond=value.nanos // 1000)


def seconds(value: Duration) -> float:
    """The span in seconds; 0.0 for an unset one."""
    return value.seconds + value.nanos / 1e9


def utc(value: datetime) -> str:
    """``2026-11-23 09:28:55``: the server's time, without its zone, which pages name once."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def iso(value: datetime) -> str:
    """``2026-11-23T09:28:55.123Z``."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def span(value: float) -> str:
    """A span of seconds in its two largest units: ``340 ms``, ``4.2 s``, ``3 min 05 s``, ``2 h 10 min``."""
    value = max(value, 0.0)
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 59.95:
        return f"{value:.1f}".removesuffix(".0") + " s"
    whole = round(value)
    if whole < 3600:
        return _pair(whole, 60, "min", 1, "s")
    if whole < 86400:
        return _pair(whole, 3600, "h", 60, "min")
    return _pair(whole, 86400, "d", 3600, "h")


def _pair(value: int, big: int, big_unit: str, small: int, small_unit: str) -> str:
    first, second = value // big, value % big // small
    return f"{first} {big_unit} {second:02d} {small_unit}" if second else f"{first} {big_unit}"


def between(start: datetime | None, end: datetime | None) -> float | None:
    """Seconds from ``start`` to ``end``, never negative; None where either is missing."""
    if start is None or end is None:
        return None
    return max((end - start).total_seconds(), 0.0)


def parsed(text: str) -> datetime | None:
    """A moment that a person typed, in ISO 8601; without a zone it is UTC. None for anything else."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)
