"""Workers, and what these pages are connected to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.web.site import Site
from outlive.web.views import settings, workers


def routes(site: Site) -> list[Route]:
    """The list of workers, and the page of health."""

    async def listed(request: Request) -> Response:
        view = await workers.load(site.client, site.namespace(request))
        return site.page(request, "workers.html", view)

    async def health(request: Request) -> Response:
        return site.page(request, "settings.html", await settings.load(site.client, site.ledger))

    return [Route("/namespaces/{namespace}/workers", listed), Route("/settings", health)]
