"""Histories made by hand, for the folds: each event a tenth of a second after the one before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import HistoryEvent

START = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
STEP = timedelta(milliseconds=100)


def payload(value: Any) -> Payload:
    """The value as the default converter writes it."""
    return Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(value).encode())


def payloads(*values: Any) -> Payloads:
    return Payloads(payloads=[payload(value) for value in values])


def application_failure(message: str, kind: str = "") -> Failure:
    return Failure(message=message, application_failure_info=ApplicationFailureInfo(type=kind))


class History:
    """Adds events with dense ids; ``at`` gives each one's time."""

    def __init__(self) -> None:
        self.events: list[HistoryEvent] = []

    def add(self, kind: str, summary: str = "", **attributes: Any) -> int:
        """Add an event by its type's name in lower case; its id."""
        number = len(self.events) + 1
        event = HistoryEvent(event_id=number, event_type=EventType.Value(f"EVENT_TYPE_{kind.upper()}"))
        event.event_time.FromDatetime(self.at(number))
        field = getattr(event, f"{kind}_event_attributes")
        field.SetInParent()
        field.MergeFrom(type(field)(**attributes))
        if summary:
            event.user_metadata.summary.CopyFrom(payload(summary))
        self.events.append(event)
        return number

    @staticmethod
    def at(event_id: int) -> datetime:
        return START + (event_id - 1) * STEP
