"""One run: its page, the stream that keeps it fresh, and its history and payloads as files."""

from __future__ import annotations

from google.protobuf.json_format import MessageToJson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from temporalio.api.common.v1 import Payload

from outlive.web.contents import fetch_into
from outlive.web.live import Listed
from outlive.web.raw import download, history_json, image
from outlive.web.site import Site
from outlive.web.views import fields, history, run
from outlive.web.views.fold import RunFold, attributes
from outlive.web.views.groups import RunLink

# A workflow id may hold slashes: a run's id, which is a UUID, ends it.
AT = "/namespaces/{namespace}/workflows/{workflow_id:path}"
RUN_AT = AT + "/{run_id:uuid}"


def routes(site: Site) -> list[Route]:
    """The run's addresses; that of the workflow id alone, which is the latest run's, comes last."""
    page = _Run(site)
    return [
        Route(RUN_AT, page.shown),
        Route(f"{RUN_AT}/live", page.live),
        Route(f"{RUN_AT}/history.json", page.history_json),
        Route(f"{RUN_AT}/events/{{event_id:int}}", page.event),
        Route(f"{RUN_AT}/events/{{event_id:int}}/payloads/{{number:int}}", page.payload),
        Route(f"{RUN_AT}/events/{{event_id:int}}/payloads/{{number:int}}/image", page.image),
        Route(AT, page.latest),
    ]


class _Run:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._client = site.client

    async def shown(self, request: Request) -> Response:
        """The run's page."""
        link = link_of(request)
        first = number_of(request, "from", 1)
        view = await run.load(self._client, link, first, self._site.links.run(link), self._site.now, self._fetch)
        return self._site.page(request, "run.html", view, tab="overview")

    async def live(self, request: Request) -> Response:
        """The stream of one run."""
        last = number_of(request, "last", 1)
        if request.headers.get("last-event-id", "").isdecimal():
            last = max(last, int(request.headers["last-event-id"]))
        listed = Listed(number_of(request, "first", 1), last, request.query_params.get("follow") == "1")
        return self._site.stream(self._site.live.run(link_of(request), listed))

    async def latest(self, request: Request) -> Response:
        """From a workflow id to its latest run."""
        link = link_of(request)
        described = await run.describe(self._client, link)
        run_id = described.workflow_execution_info.execution.run_id
        target = self._site.links.run(RunLink(link.namespace, link.workflow_id, run_id))
        return RedirectResponse(f"{target}?{request.url.query}" if request.url.query else target, 307)

    async def history_json(self, request: Request) -> Response:
        """The whole history of one run, to keep or to replay."""
        return await history_json(self._client, link_of(request))

    async def event(self, request: Request) -> Response:
        """One event, whole."""
        found = await history.find(self._client, link_of(request), request.path_params["event_id"])
        if found is None:
            raise HTTPException(404)
        return Response(MessageToJson(found) + "\n", media_type="application/json")

    async def payload(self, request: Request) -> Response:
        """One payload of an event, whole, as the bytes that it is."""
        return download(await self._payload(request))

    async def image(self, request: Request) -> Response:
        """The image that a payload is or holds."""
        found = image(await self._payload(request))
        if found is None:
            raise HTTPException(404)
        return found

    async def _payload(self, request: Request) -> Payload:
        found = await history.find(self._client, link_of(request), request.path_params["event_id"])
        a = attributes(found) if found is not None else None
        payload = fields.payload_at(a, request.path_params["number"]) if a is not None else None
        if payload is None:
            raise HTTPException(404)
        return await self._site.contents.whole(payload)

    async def _fetch(self, fold: RunFold) -> None:
        await fetch_into((fold.first, fold.closing), self._site.contents.whole)


def link_of(request: Request) -> RunLink:
    """The run that the address names."""
    params = request.path_params
    return RunLink(params["namespace"], params["workflow_id"], str(params.get("run_id", "")))


def number_of(request: Request, name: str, least: int) -> int:
    """A number of the address, ``least`` where there is none."""
    text = request.query_params.get(name, "")
    return max(int(text), least) if text.isdecimal() and len(text) < 10 else least
