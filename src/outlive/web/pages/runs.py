"""The list of runs, and the stream that keeps it fresh."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.web import bounds
from outlive.web.site import Site
from outlive.web.views import runs
from outlive.web.views.runs import RunsQuery
from outlive.web.views.status import RUN_STATUSES

AT = "/namespaces/{namespace}/workflows"


def routes(site: Site) -> list[Route]:
    """The list and its stream."""
    page = _Runs(site)
    return [Route(AT, page.listed), Route(f"{AT}.live", page.live)]


class _Runs:
    def __init__(self, site: Site) -> None:
        self._site = site

    async def listed(self, request: Request) -> Response:
        """The list of runs."""
        view = await runs.load(self._site.client, self._query(request), self._site.now)
        return self._site.page(request, "runs.html", view, 400 if view.problem else 200)

    async def live(self, request: Request) -> Response:
        """The stream of the list."""
        return self._site.stream(self._site.live.runs(self._query(request)))

    def _query(self, request: Request) -> RunsQuery:
        params = request.query_params
        chosen = next((status for status in RUN_STATUSES if status == params.get("status")), None)
        filter = params.get("query", "")[: bounds.QUERY_MAX]
        return RunsQuery(self._site.namespace(request), filter, chosen, params.get("page", ""))
