"""Everything that the server tells of a run beside its history: settings, memo, attributes, versions, callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from google.protobuf.message import Message

from outlive.client import WorkflowServiceClient
from outlive.web import bounds
from outlive.web.views import fields, payloads
from outlive.web.views import run as run_view
from outlive.web.views.fields import Fields
from outlive.web.views.groups import RunLink
from outlive.web.views.payloads import PayloadView
from outlive.web.views.run import RunHeader


@dataclass(frozen=True, slots=True)
class Part:
    """One message of the answer, taken apart."""

    title: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class DetailsView:
    """The page. ``summary`` and ``details`` are the starter's words about the run, in Markdown."""

    header: RunHeader
    summary: str
    details: str
    memo: list[PayloadView]
    attributes: list[PayloadView]
    parts: list[Part]


async def load(client: WorkflowServiceClient, link: RunLink, now: Callable[[], datetime]) -> DetailsView:
    """Ask the server. Raises RpcError."""
    described, head = await asyncio.gather(run_view.describe(client, link), run_view.head(client, link, now()))
    info = described.workflow_execution_info
    metadata = described.execution_config.user_metadata
    memo = [payloads.shaped(p, bounds.PREVIEW_RUN, name) for name, p in sorted(info.memo.fields.items())]
    attributes = [
        payloads.view(p, bounds.PREVIEW_EVENT, name)
        for name, p in sorted(info.search_attributes.indexed_fields.items())
    ]
    bare = type(info)()
    bare.CopyFrom(info)
    bare.ClearField("memo")
    bare.ClearField("search_attributes")
    shown: list[tuple[str, Message]] = [
        ("Run", bare),
        ("Settings", described.execution_config),
        ("More about it", described.workflow_extended_info),
        *(("Pending child", one) for one in described.pending_children[: bounds.FIELDS_MAX]),
        *(("Pending Nexus operation", one) for one in described.pending_nexus_operations),
        *(("Callback", one) for one in described.callbacks),
    ]
    parts = [Part(title, fields.view(message)) for title, message in shown if message.ByteSize()]
    return DetailsView(
        head, payloads.text_of(metadata.summary), payloads.text_of(metadata.details), memo, attributes, parts
    )
