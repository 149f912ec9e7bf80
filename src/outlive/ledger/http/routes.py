"""What the ledger answers at which address.

    POST /v1/{operation}            every operation of the interface, its parameters and its result as JSON
    GET  /v1/streams/{name}         a stream as server-sent events, from ?offset= or Last-Event-ID on
    GET  /v1/attempts.csv           the book, filtered by the query; .parquet with the extra `parquet`
    GET, POST /v1/decisions/{token} the page behind a signed link, and the decision
    GET  /healthz                   whether the ledger is there

With a secret every request but /healthz and signed links carries `Authorization: Bearer SECRET`.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from outlive.base_errors import StorageFailed
from outlive.ledger.approvals import LINKS_AT
from outlive.ledger.errors import BadRequest, LedgerError, NotFound, Unauthorized
from outlive.ledger.http import pages
from outlive.ledger.http.message import Request, Response
from outlive.ledger.operations import NAMES, VERSION, operation
from outlive.ledger.service import Service
from outlive.ledger.wire import to_json

_STREAMS_AT = f"/{VERSION}/streams/"
log = logging.getLogger(__name__)
Page = Callable[[Request], Awaitable[Response]]


class Routes:
    """The addresses of one ledger."""

    def __init__(self, service: Service, secret: str = "") -> None:
        self._service = service
        self._secret = secret
        self._operations = {f"/{VERSION}/{name}": (name, getattr(service, name)) for name in NAMES}
        self._pages: dict[str, Page] = {
            "/healthz": self._health,
            f"/{VERSION}/attempts.csv": partial(pages.attempts_csv, service),
            f"/{VERSION}/attempts.parquet": partial(pages.attempts_parquet, service),
        }

    async def answer(self, request: Request) -> Response:
        """The response to any request; never raises."""
        try:
            self._let_in(request)
            found = self._operations.get(request.path)
            if found is not None:
                return await self._operate(request, *found)
            return await self._page(request)
        except LedgerError as error:
            return refusal(error)
        except StorageFailed as error:
            return refusal(LedgerError(str(error)), 503)
        except Exception:
            log.exception("a request could not be answered")
            return refusal(LedgerError("internal error: the ledger's log has more."))

    def _let_in(self, request: Request) -> None:
        if request.path == "/healthz" or request.path.startswith(LINKS_AT):
            return
        if not self._secret:
            if _from_another_site(request):
                raise Unauthorized("this ledger has no secret, and answers no web page of another site.")
            return
        given = request.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self._secret}".encode()):
            raise Unauthorized("this ledger has a secret: give it with --secret, or in OUTLIVE_LEDGER_SECRET.")

    async def _operate(self, request: Request, name: str, method: Callable[..., Awaitable[Any]]) -> Response:
        if request.method != "POST":
            raise BadRequest(f"{request.path} is asked with POST.")
        try:
            body = json.loads(request.body) if request.body else {}
        except ValueError:
            raise BadRequest("the body is not JSON.") from None
        described = operation(name)
        result = await method(**described.unpack(body))
        return json_response({"result": described.pack_result(result)})

    async def _page(self, request: Request) -> Response:
        if request.path.startswith(LINKS_AT):
            return await pages.decision(self._service, request)
        if request.path.startswith(_STREAMS_AT) and request.method == "GET":
            return await pages.stream(self._service, request, request.path.removeprefix(_STREAMS_AT))
        page = self._pages.get(request.path)
        if page is None:
            raise NotFound(f"the ledger has nothing at {request.path}.")
        return await page(request)

    async def _health(self, request: Request) -> Response:
        return json_response({"status": "ok", "version": VERSION})


def _from_another_site(request: Request) -> bool:
    """Whether a browser sends this for a page that is not the ledger's own.

    Such a page cannot read the answer, but it could raise a budget all the same. A name that is not this machine's
    may have been made to mean it.
    """
    origin = request.headers.get("origin")
    if origin is None:
        return False
    host = request.headers.get("host", "")
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return True
    return origin.partition("://")[2] != host or name not in ("localhost", "127.0.0.1", "::1")


def json_response(data: Any, status: int = 200) -> Response:
    return Response(status, to_json(data).encode())


def refusal(error: LedgerError, status: int | None = None) -> Response:
    """An error as it travels."""
    body = {"error": {"kind": error.kind, "message": error.message, "details": error.details}}
    return json_response(body, status or error.status)
