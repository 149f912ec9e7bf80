"""The application: the pages put together, and the headers that every answer carries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlive.client import RpcError, WorkflowServiceClient
from outlive.ledger.errors import LedgerError
from outlive.web import nav, render
from outlive.web.forms import Sessions
from outlive.web.links import Links
from outlive.web.pages import PAGES
from outlive.web.site import Site
from outlive.web.views import problem

if TYPE_CHECKING:
    from outlive.ledger.interface import Ledger

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
_FOR_GOOD: Final = "public, max-age=31536000, immutable"


def utcnow() -> datetime:
    """The time that pages measure open runs by."""
    return datetime.now(UTC)


def create_app(
    client: WorkflowServiceClient,
    base_path: str = "",
    now: Callable[[], datetime] = utcnow,
    ledger: Ledger | None = None,
    hosts: Sequence[str] | None = None,
) -> Starlette:
    """The pages of one server. ``base_path`` is the path that a proxy shows them below, whether it takes it
    off or not. ``hosts`` are the names that are answered to; None: any.
    ``app.state.live.stop()`` ends the streams before the server that runs the app ends."""
    base = "/" + base_path.strip("/") if base_path.strip("/") else ""
    links = Links(base, render.static_version())
    site = Site(client, ledger, links, now)
    routes: list[Route | Mount] = [route for page in PAGES for route in page.routes(site)]
    site.renderer.places = nav.shown(route.path for route in routes)
    routes.append(Mount(f"/static/{links.version}", StaticFiles(directory=render.STATIC)))
    app = Starlette(
        routes=routes,
        middleware=[
            Middleware(_Headers),
            Middleware(_Hosts, hosts=hosts),
            Middleware(_BasePath, base=base),
            Middleware(Sessions, guard=site.guard, path=base),
        ],
        exception_handlers=_Errors(site).handlers(),
    )
    app.state.live = site.live
    return app


class _Errors:
    """Errors as pages."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def handlers(self) -> dict[type[Exception], Callable[[Request, Exception], Response]]:
        return {
            RpcError: self._rpc,
            LedgerError: self._ledger,
            HTTPException: self._http,
            Exception: self._fault,
        }

    def _rpc(self, request: Request, error: Exception) -> Response:
        """The page for an answer of the server other than OK."""
        assert isinstance(error, RpcError)
        return self._site.problem(request, self._site.rpc_problem(request, error))

    def _ledger(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, LedgerError)
        return self._site.problem(request, problem.of_ledger(error))

    def _http(self, request: Request, error: Exception) -> Response:
        """The page for an address, or a method, that means nothing here."""
        assert isinstance(error, HTTPException)
        view = problem.no_such_page(request.url.path, self._site.links.home(), error.status_code)
        return self._site.problem(request, view)

    def _fault(self, request: Request, error: Exception) -> Response:
        """The page for a fault of ours. What was raised goes on to the web server, which logs it."""
        return self._site.problem(request, problem.fault(type(error).__name__))


class _Headers:
    """Adds the security headers, which forbid what these pages never need, where there are none yet."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        cached = "/static/" in scope.get("path", "")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if cached and message["status"] == 200:
                    headers["Cache-Control"] = _FOR_GOOD
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, send_with_headers)


class _Hosts:
    """Answers to known names alone, where there is a list of them."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str] | None) -> None:
        self._app = app
        self._hosts = None if hosts is None else {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._hosts is not None and scope["type"] == "http":
            host = urlsplit(f"//{Headers(scope=scope).get('host', '')}").hostname or ""
            if host not in self._hosts and not host.endswith(".localhost"):
                words = (
                    f"These pages do not answer to the name {host[:100]!r}. Start them with --ui-host {host[:100]}.\n"
                )
                await PlainTextResponse(words, status_code=421)(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _BasePath:
    """Takes the base path off an address, where a proxy has not done so."""

    def __init__(self, app: ASGIApp, base: str) -> None:
        self._app = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        if self._base and (path == self._base or path.startswith(self._base + "/")):
            scope = {**scope, "path": path[len(self._base) :] or "/"}
        await self._app(scope, receive, send)
