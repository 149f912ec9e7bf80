"""What browsers are shown: streams as server-sent events, the book as files, and the page behind a signed link."""

from __future__ import annotations

import html
import json
from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Any
from urllib.parse import parse_qs

from outlive.ledger.approvals import LINKS_AT
from outlive.ledger.errors import BadRequest, Conflict, LedgerError
from outlive.ledger.export import csv_of, parquet_of
from outlive.ledger.http.message import Request, Response, number
from outlive.ledger.service import Service
from outlive.ledger.types import Approval, Decision, Filter
from outlive.limits import LEDGER_SSE_SILENCE, SECOND

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:3rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}pre{background:#f4f4f4;padding:1rem;overflow:auto;white-space:pre-wrap}"
    "button{font:inherit;padding:.6rem 1.2rem}textarea{font:inherit;width:100%}"
)
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


async def stream(service: Service, request: Request, name: str) -> Response:
    """`event: chunk` with offset, attempt and text; `event: end` when it is closed. The id is where to go on."""
    last = request.headers.get("last-event-id", "")
    offset = int(last) if last.isdecimal() and len(last) < 16 else number(request, "offset", 0)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return Response(content_type="text/event-stream", headers=headers, parts=_events(service, name, offset))


async def _events(service: Service, name: str, offset: int) -> AsyncIterator[bytes]:
    silence = LEDGER_SSE_SILENCE / SECOND
    yield b": connected\n\n"
    while True:
        found = await service.read(name, offset, wait=silence)
        for chunk in found.chunks:
            data = json.dumps({"offset": chunk.offset, "attempt": chunk.attempt, "data": chunk.data})
            yield f"id: {chunk.offset + 1}\nevent: chunk\ndata: {data}\n\n".encode()
        offset = found.next
        if found.closed:
            yield f'id: {offset}\nevent: end\ndata: {{"attempt": {found.attempt}}}\n\n'.encode()
            return
        if not found.chunks:
            yield b": still here\n\n"


async def attempts_csv(service: Service, request: Request) -> Response:
    """The book as CSV."""
    headers = {"Content-Disposition": 'attachment; filename="attempts.csv"'}
    return Response(
        content_type="text/csv; charset=utf-8", headers=headers, parts=csv_of(service.attempts, _filter(request))
    )


async def attempts_parquet(service: Service, request: Request) -> Response:
    """The book as Parquet."""
    headers = {"Content-Disposition": 'attachment; filename="attempts.parquet"'}
    body = await parquet_of(service.attempts, _filter(request))
    return Response(body=body, content_type="application/vnd.apache.parquet", headers=headers)


def _filter(request: Request) -> Filter:
    known = {field.name for field in fields(Filter)} - {"labels"}
    unknown = request.query.keys() - known
    if unknown:
        raise BadRequest(f"the book is filtered by {', '.join(sorted(known))}, not by {', '.join(sorted(unknown))}.")
    values: dict[str, Any] = dict(request.query)
    for name in ("since", "until"):
        if name in values:
            values[name] = number(request, name, 0)
    return Filter(**values)


async def decision(service: Service, request: Request) -> Response:
    """The page behind a signed link. Looking at it decides nothing: programs that look at links come before people."""
    try:
        approval, choice, by = await service.inbox.opened(request.path.removeprefix(LINKS_AT))
        if request.method == "POST":
            form = parse_qs(request.body.decode(errors="replace"))
            said = Decision(choice, by, reason=form.get("reason", [""])[0])
            approval = await service.decide(approval.id, said)
            return _page(approval, f"<p>Recorded: <strong>{_safe(choice)}</strong>, by {_safe(by)}.</p>")
        if approval.state != "open":
            decided = f" by {_safe(approval.decided_by)}" if approval.decided_by else ""
            return _page(approval, f"<p>This is {approval.state} already{decided}.</p>")
        return _page(
            approval,
            '<form method="post"><p><label>A reason, if you like<br><textarea name="reason" rows="3"></textarea>'
            f'</label></p><p><button type="submit">{_safe(choice)}</button></p>'
            f"<p>You decide as {_safe(by)}.</p></form>",
        )
    except Conflict as error:
        return _message(error, 409)
    except LedgerError as error:
        return _message(error, error.status)


def _page(approval: Approval, rest: str) -> Response:
    details = approval.details
    shown = details if isinstance(details, str) else json.dumps(details, indent=2, ensure_ascii=False)
    block = f"<pre>{_safe(shown)}</pre>" if details is not None else ""
    return _html(approval.title, f"<h1>{_safe(approval.title)}</h1>{block}{rest}", 200)


def _message(error: LedgerError, status: int) -> Response:
    return _html("No decision", f"<h1>No decision was taken</h1><p>{_safe(error.message)}</p>", status)


def _html(title: str, body: str, status: int) -> Response:
    text = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{_safe(title)}</title><style>{_STYLE}</style><main>{body}</main></html>"
    )
    return Response(status, text.encode(), "text/html; charset=utf-8", _HEADERS)


def _safe(text: str) -> str:
    return html.escape(text)
