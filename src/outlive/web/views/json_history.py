"""A run's history as the JSON that SDKs replay, some events at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.json_format import MessageToJson
from temporalio.api.history.v1 import HistoryEvent

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import history
from outlive.web.views import run as run_view
from outlive.web.views.groups import RunLink
from outlive.web.views.run import RunHeader


@dataclass(frozen=True, slots=True)
class JsonEvent:
    """One event. ``text`` is its JSON, cut to a bound."""

    id: int
    type: str
    text: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class JsonView:
    """The page. ``previous`` and ``next`` are where the pages before and after it begin."""

    header: RunHeader
    events: list[JsonEvent]
    first: int
    previous: int | None
    next: int | None


async def load(client: WorkflowServiceClient, link: RunLink, first: int, now: Callable[[], datetime]) -> JsonView:
    """Ask the server for the events from ``first`` on. Raises RpcError."""
    head, found = await asyncio.gather(run_view.head(client, link, now()), _events(client, link, first))
    following = first + bounds.JSON_WINDOW
    return JsonView(
        header=head,
        events=[_shown(event) for event in found],
        first=first,
        previous=max(first - bounds.JSON_WINDOW, 1) if first > 1 else None,
        next=following if head.events >= following else None,
    )


async def _events(client: WorkflowServiceClient, link: RunLink, first: int) -> list[HistoryEvent]:
    until = first + bounds.JSON_WINDOW
    found: list[HistoryEvent] = []
    async for page in history.pages(client, link):
        found += [event for event in page if first <= event.event_id < until]
        if page and page[-1].event_id >= until:
            break
    return found


def _shown(event: HistoryEvent) -> JsonEvent:
    text = MessageToJson(event)
    cut = len(text) > bounds.JSON_EVENT
    return JsonEvent(event.event_id, history.type_name(event), text[: bounds.JSON_EVENT], cut)
