"""The list of namespaces."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.web.site import Site
from outlive.web.views import namespaces


def routes(site: Site) -> list[Route]:
    """``/namespaces``."""

    async def listed(request: Request) -> Response:
        return site.page(request, "namespaces.html", await namespaces.load(site.client))

    return [Route("/namespaces", listed)]
