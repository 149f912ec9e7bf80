"""Batch APIs: OpenAI's Files and Batches, Anthropic's Message Batches. A batch is done so long after it came."""

from __future__ import annotations

import email.parser
import email.policy
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from outlive.testing.providers.answering import Desk, body_of, key_of
from outlive.testing.providers.asks import Json, Problem
from outlive.testing.providers.protocol import WireProtocol

DAY = 86_400


@dataclass(slots=True)
class Batch:
    """A batch of either provider. `items` are (custom id, endpoint, body)."""

    id: str
    key: str
    items: list[tuple[str, str, Mapping[str, Json]]]
    created: float
    ready: float
    head: dict[str, Json] = field(default_factory=dict)
    results: list[tuple[str, int, Json, str]] | None = None  # custom id, status, body, request id
    cancelled: bool = False

    @property
    def failed(self) -> int:
        return sum(1 for _, status, _, _ in self.results or () if status != 200)


class Batches:
    """Batches and files of one provider process. `seconds` (of the provider's clock) until a batch is done."""

    def __init__(self, desk: Desk, protocols: Mapping[str, WireProtocol], seconds: float) -> None:
        self._desk = desk
        self._protocols = protocols
        self.seconds = seconds
        self.batches: dict[str, Batch] = {}
        self.files: dict[str, tuple[dict[str, Json], bytes]] = {}

    def _new(self, ident: str, key: str, items: list[tuple[str, str, Mapping[str, Json]]]) -> Batch:
        now = time.time()
        batch = Batch(ident, key, items, now, now + self.seconds / self._desk.scale)
        self.batches[ident] = batch
        return batch

    def _found(self, ident: str) -> Batch:
        batch = self.batches.get(ident)
        if batch is None:
            raise Problem("not_found", f"No batch found with id '{ident}'.")
        if batch.results is None and not batch.cancelled and time.time() >= batch.ready:
            batch.results = []
            for custom, endpoint, body in batch.items:
                protocol = self._protocols[endpoint]
                batch.results.append((custom, *self._desk.in_batch(protocol, body, batch.key, batch.id)))
        return batch

    # -- OpenAI's files

    def add_file(self, data: bytes, name: str, purpose: str) -> dict[str, Json]:
        """Keep a file."""
        ident = f"file-{self._desk.new_id()}"
        shown = {
            "id": ident, "object": "file", "bytes": len(data), "created_at": int(time.time()), "filename": name,
            "purpose": purpose, "status": "processed", "expires_at": None, "status_details": None,
        }  # fmt: skip
        self.files[ident] = shown, data
        return shown

    async def upload(self, request: Request) -> Response:
        """`POST /v1/files`"""
        head = f"Content-Type: {request.headers.get('content-type', '')}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + await request.body())
        purpose, name, data = "", "", None
        for part in form.iter_parts():
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            if part.get_param("name", header="content-disposition") == "file":
                name, data = part.get_filename() or "file", content
            elif part.get_param("name", header="content-disposition") == "purpose":
                purpose = content.decode()
        if data is None:
            raise Problem("bad_request", "'file' is a required property")
        return JSONResponse(self.add_file(data, name, purpose))

    async def file(self, request: Request) -> Response:
        """`GET /v1/files/{id}` and `/content`"""
        found = self.files.get(request.path_params["id"])
        if found is None:
            raise Problem("not_found", f"No such File object: {request.path_params['id']}")
        if request.url.path.endswith("/content"):
            return Response(found[1], media_type="application/octet-stream")
        return JSONResponse(found[0])

    # -- OpenAI's batches

    async def create(self, request: Request) -> Response:
        """`POST /v1/batches`"""
        body = await body_of(request)
        found = self.files.get(body.get("input_file_id", ""))
        if found is None:
            raise Problem("bad_request", "No such File object.")
        try:
            lines = [json.loads(line) for line in found[1].splitlines() if line.strip()]
            items = [(line["custom_id"], line["url"], line["body"]) for line in lines]
        except (ValueError, KeyError, TypeError):
            raise Problem("bad_request", "the input file has a line that is no request.") from None
        if unknown := {endpoint for _, endpoint, _ in items} - self._protocols.keys():
            raise Problem("bad_request", f"unknown endpoint {', '.join(sorted(unknown))}.")
        batch = self._new(f"batch_{self._desk.new_id()}", key_of(request), items)
        batch.head = {
            "endpoint": body.get("endpoint"), "input_file_id": body["input_file_id"],
            "completion_window": body.get("completion_window", "24h"), "metadata": body.get("metadata") or None,
        }  # fmt: skip
        return JSONResponse(self._shown(batch))

    async def one(self, request: Request) -> Response:
        """`GET /v1/batches/{id}` and `POST .../cancel`"""
        batch = self._found(request.path_params["id"])
        if request.method == "POST":
            batch.cancelled = batch.results is None
        return JSONResponse(self._shown(batch))

    async def listed(self, request: Request) -> Response:
        """`GET /v1/batches`, newest first."""
        ids = [ident for ident in reversed(self.batches) if ident.startswith("batch_")]
        page, more = _page(ids, request.query_params.get("after"), request.query_params.get("limit"))
        data = [self._shown(self._found(ident)) for ident in page]
        first, last = (page[0], page[-1]) if page else (None, None)
        return JSONResponse({"object": "list", "data": data, "first_id": first, "last_id": last, "has_more": more})

    def _shown(self, batch: Batch) -> Json:
        done = batch.results is not None
        if done and "output_file_id" not in batch.head:
            self._write_files(batch)
        total, failed = len(batch.items), batch.failed
        return {
            "id": batch.id,
            "object": "batch",
            "errors": None,
            "status": "cancelled" if batch.cancelled else "completed" if done else "in_progress",
            "created_at": int(batch.created),
            "in_progress_at": int(batch.created),
            "expires_at": int(batch.created) + DAY,
            "completed_at": int(batch.ready) if done else None,
            "request_counts": {"total": total, "completed": total - failed if done else 0, "failed": failed},
            **{"output_file_id": None, "error_file_id": None, **batch.head},
        }

    def _write_files(self, batch: Batch) -> None:
        lines: dict[bool, list[str]] = {True: [], False: []}
        for custom, status, body, request_id in batch.results or ():
            response = {"status_code": status, "request_id": request_id, "body": body}
            line = {"id": f"batch_{request_id}", "custom_id": custom, "response": response, "error": None}
            lines[status == 200].append(json.dumps(line))
        for good, name in ((True, "output_file_id"), (False, "error_file_id")):
            data = "".join(line + "\n" for line in lines[good]).encode()
            batch.head[name] = self.add_file(data, f"{batch.id}.jsonl", "batch_output")["id"] if data else None

    # -- Anthropic's message batches

    async def create_messages(self, request: Request) -> Response:
        """`POST /v1/messages/batches`"""
        body = await body_of(request)
        try:
            items = [(item["custom_id"], "/v1/messages", item["params"]) for item in body["requests"]]
        except (KeyError, TypeError):
            raise Problem("bad_request", "requests: a list of {custom_id, params} is needed.") from None
        batch = self._new(f"msgbatch_{self._desk.new_id()}", key_of(request), items)
        return JSONResponse(self._shown_messages(batch, request))

    async def one_messages(self, request: Request) -> Response:
        """`GET /v1/messages/batches/{id}`, `POST .../cancel`, `GET .../results`"""
        batch = self._found(request.path_params["id"])
        if request.method == "POST":
            batch.cancelled = batch.results is None
        if not request.url.path.endswith("/results"):
            return JSONResponse(self._shown_messages(batch, request))
        if batch.results is None:
            raise Problem("bad_request", "the batch has not ended.")
        return Response("".join(_result_line(*result) for result in batch.results), media_type="application/x-jsonl")

    async def listed_messages(self, request: Request) -> Response:
        """`GET /v1/messages/batches`, newest first."""
        ids = [ident for ident in reversed(self.batches) if ident.startswith("msgbatch_")]
        page, more = _page(ids, request.query_params.get("after_id"), request.query_params.get("limit"))
        data = [self._shown_messages(self._found(ident), request) for ident in page]
        first, last = (page[0], page[-1]) if page else (None, None)
        return JSONResponse({"data": data, "first_id": first, "last_id": last, "has_more": more})

    def _shown_messages(self, batch: Batch, request: Request) -> Json:
        done, total = batch.results is not None or batch.cancelled, len(batch.items)
        counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
        if batch.results is not None:
            counts |= {"errored": batch.failed, "succeeded": total - batch.failed}
        else:
            counts["canceled" if batch.cancelled else "processing"] = total
        url = f"{request.url.scheme}://{request.url.netloc}/v1/messages/batches/{batch.id}/results"
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if done else "in_progress",
            "request_counts": counts,
            "created_at": _stamp(batch.created),
            "ended_at": _stamp(batch.ready) if done else None,
            "expires_at": _stamp(batch.created + DAY),
            "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": url if batch.results is not None else None,
        }


def _result_line(custom: str, status: int, body: Json, request_id: str) -> str:
    result = {"type": "succeeded", "message": body} if status == 200 else {"type": "errored", "error": body}
    return json.dumps({"custom_id": custom, "result": result}) + "\n"


def _page(ids: list[str], after: str | None, limit: str | None) -> tuple[list[str], bool]:
    start = ids.index(after) + 1 if after in ids else 0
    size = int(limit) if limit and limit.isdecimal() else 20
    return ids[start : start + size], len(ids) > start + size


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
