"""The application: addresses to pages, and the headers that every answer carries."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Final

from google.protobuf.json_format import MessageToJson
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from outlive.client import RpcError, WorkflowServiceClient
from outlive.web import bounds, render
from outlive.web.links import Links
from outlive.web.live import Listed, Live
from outlive.web.raw import download, history_json
from outlive.web.views import fields, history, namespaces, problem, run, runs
from outlive.web.views.fold import attributes
from outlive.web.views.groups import RunLink
from outlive.web.views.problem import Asked
from outlive.web.views.runs import RunsQuery
from outlive.web.views.status import RUN_STATUSES

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


def create_app(client: WorkflowServiceClient, base_path: str = "", now: Callable[[], datetime] = utcnow) -> Starlette:
    """The pages of one server. ``base_path`` is the path that a proxy shows them below, whether it takes it
    off or not. ``app.state.live.stop()`` ends the streams before the server that runs the app ends."""
    base = "/" + base_path.strip("/") if base_path.strip("/") else ""
    links = Links(base, render.static_version())
    pages = Pages(client, links, now)
    app = Starlette(
        routes=pages.routes(),
        middleware=[Middleware(_Headers), Middleware(_BasePath, base=base)],
        exception_handlers={
            RpcError: pages.rpc_error,
            HTTPException: pages.http_error,
            Exception: pages.fault,
        },
    )
    app.state.live = pages.live
    return app


class Pages:
    """Every page as a method of (request) -> response."""

    def __init__(self, client: WorkflowServiceClient, links: Links, now: Callable[[], datetime]) -> None:
        self._client = client
        self._links = links
        self._now = now
        self._renderer = render.Renderer(links)
        self.live = Live(client, self._renderer, links, now)

    def routes(self) -> list[Route | Mount]:
        """Addresses. A workflow id may hold slashes: a run's id, which is a UUID, ends it."""
        runs_at = "/namespaces/{namespace}/workflows"
        run_at = runs_at + "/{workflow_id:path}/{run_id:uuid}"
        return [
            Route("/", self.runs),
            Route("/healthz", self.health),
            Route("/namespaces", self.namespaces),
            Route(runs_at, self.runs),
            Route(runs_at + ".live", self.runs_live),
            Route(run_at, self.run),
            Route(run_at + "/live", self.run_live),
            Route(run_at + "/history.json", self.history_json),
            Route(run_at + "/events/{event_id:int}", self.event),
            Route(run_at + "/events/{event_id:int}/payloads/{number:int}", self.payload),
            Route(runs_at + "/{workflow_id:path}", self.latest_run),
            Mount(f"/static/{self._links.version}", StaticFiles(directory=render.STATIC)),
        ]

    async def health(self, request: Request) -> Response:
        """Whether the pages are there. It asks nothing of the server behind them."""
        return JSONResponse({"status": "ok"})

    async def runs(self, request: Request) -> Response:
        """The list of runs."""
        view = await runs.load(self._client, self._query(request), self._now)
        status = 400 if view.problem else 200
        return render.answer(request, self._renderer, "runs.html", view, status)

    async def runs_live(self, request: Request) -> Response:
        """The stream of the list."""
        return _stream(self.live.runs(self._query(request)))

    async def namespaces(self, request: Request) -> Response:
        """The list of namespaces."""
        view = await namespaces.load(self._client)
        return render.answer(request, self._renderer, "namespaces.html", view)

    async def run(self, request: Request) -> Response:
        """One run."""
        link = _link(request)
        first = _number(request, "from", 1)
        view = await run.load(self._client, link, first, self._links.run(link), self._now)
        return render.answer(request, self._renderer, "run.html", view)

    async def run_live(self, request: Request) -> Response:
        """The stream of one run."""
        last = _number(request, "last", 1)
        if request.headers.get("last-event-id", "").isdecimal():
            last = max(last, int(request.headers["last-event-id"]))
        listed = Listed(_number(request, "first", 1), last, request.query_params.get("follow") == "1")
        return _stream(self.live.run(_link(request), listed))

    async def latest_run(self, request: Request) -> Response:
        """From a workflow id to its latest run."""
        link = _link(request)
        described = await run.describe(self._client, link)
        run_id = described.workflow_execution_info.execution.run_id
        target = self._links.run(RunLink(link.namespace, link.workflow_id, run_id))
        return RedirectResponse(f"{target}?{request.url.query}" if request.url.query else target, 307)

    async def history_json(self, request: Request) -> Response:
        """The whole history of one run, to keep or to replay."""
        return await history_json(self._client, _link(request))

    async def event(self, request: Request) -> Response:
        """One event, whole."""
        found = await history.find(self._client, _link(request), request.path_params["event_id"])
        if found is None:
            raise HTTPException(404)
        return Response(MessageToJson(found) + "\n", media_type="application/json")

    async def payload(self, request: Request) -> Response:
        """One payload of an event, whole, as the bytes that it is."""
        found = await history.find(self._client, _link(request), request.path_params["event_id"])
        a = attributes(found) if found is not None else None
        payload = fields.payload_at(a, request.path_params["number"]) if a is not None else None
        if payload is None:
            raise HTTPException(404)
        return download(payload)

    async def rpc_error(self, request: Request, error: Exception) -> Response:
        """The page for an answer of the server other than OK."""
        assert isinstance(error, RpcError)
        params = request.path_params
        namespace = params.get("namespace", self._client.namespace)
        workflow_id = params.get("workflow_id", "")
        asked = Asked(
            address=self._client.address,
            namespace=namespace,
            workflow_id=workflow_id,
            run_id=str(params.get("run_id", "")),
            namespaces_href=self._links.namespaces(),
            search_href=self._links.search(namespace, f"WorkflowId = {runs.quoted(workflow_id)}"),
        )
        return self._problem(request, problem.of_rpc(error, asked))

    async def http_error(self, request: Request, error: Exception) -> Response:
        """The page for an address, or a method, that means nothing here."""
        assert isinstance(error, HTTPException)
        view = problem.no_such_page(request.url.path, self._links.home(), error.status_code)
        return self._problem(request, view)

    async def fault(self, request: Request, error: Exception) -> Response:
        """The page for a fault of ours. What was raised goes on to the web server, which logs it."""
        return self._problem(request, problem.fault(type(error).__name__))

    def _problem(self, request: Request, view: problem.ProblemView) -> Response:
        return render.answer(request, self._renderer, "problem.html", view, view.status)

    def _query(self, request: Request) -> RunsQuery:
        params = request.query_params
        chosen = next((status for status in RUN_STATUSES if status == params.get("status")), None)
        namespace = request.path_params.get("namespace", self._client.namespace)
        return RunsQuery(namespace, params.get("query", "")[: bounds.QUERY_MAX], chosen, params.get("page", ""))


def _link(request: Request) -> RunLink:
    params = request.path_params
    return RunLink(params["namespace"], params["workflow_id"], str(params.get("run_id", "")))


def _number(request: Request, name: str, least: int) -> int:
    text = request.query_params.get(name, "")
    return max(int(text), least) if text.isdecimal() and len(text) < 10 else least


def _stream(content: AsyncIterator[str]) -> Response:
    return StreamingResponse(content, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})


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
