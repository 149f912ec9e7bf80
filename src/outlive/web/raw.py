"""Whole things to keep: a history as JSON, a payload as its bytes. They are never run, whatever they hold."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from itertools import chain
from typing import Final

from google.protobuf.json_format import MessageToJson
from starlette.responses import Response, StreamingResponse
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent

from outlive.client import WorkflowServiceClient
from outlive.web.views import history, payloads, shapes
from outlive.web.views.groups import RunLink

_INERT: Final = {"Content-Security-Policy": "default-src 'none'; sandbox"}


def download(payload: Payload) -> Response:
    """The payload's bytes: JSON and text to look at, anything else to save."""
    kind = payloads.kind_of(payloads.encoding_of(payload))
    if kind == "json":
        return Response(payload.data, media_type="application/json", headers=_INERT)
    if kind == "text":
        return Response(payload.data, media_type="text/plain; charset=utf-8", headers=_INERT)
    disposition = {"Content-Disposition": 'attachment; filename="payload.bin"'}
    return Response(payload.data, media_type="application/octet-stream", headers=_INERT | disposition)


def image(payload: Payload) -> Response | None:
    """The image that the payload is or holds, as one of four kinds that cannot be made to run; None for others."""
    data: bytes | None = payload.data
    if payloads.kind_of(payloads.encoding_of(payload)) == "json":
        try:
            data = shapes.image_bytes(json.loads(payload.data))
        except (ValueError, RecursionError):
            return None
    kind = shapes.image_type(data) if data else None
    return Response(data, media_type=kind, headers=_INERT) if kind else None


async def history_json(client: WorkflowServiceClient, link: RunLink) -> Response:
    """The history in protobuf's JSON, page by page: ``{"events": [...]}``, as ``temporal workflow show``
    writes it and SDKs replay it."""
    pages = history.pages(client, link)
    first = await anext(pages)
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", link.workflow_id)[:80]
    disposition = f'attachment; filename="{name}-history.json"'
    return StreamingResponse(
        _events(first, pages),
        media_type="application/json",
        headers=_INERT | {"Content-Disposition": disposition},
    )


async def _events(first: list[HistoryEvent], rest: AsyncIterator[list[HistoryEvent]]) -> AsyncIterator[str]:
    yield '{"events": ['
    comma = ""
    for event in first:
        yield comma + MessageToJson(event)
        comma = ",\n"
    async for page in rest:
        yield "".join(chain.from_iterable((comma, MessageToJson(event)) for event in page))
    yield "]}\n"
