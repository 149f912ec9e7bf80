"""The first page: for now the runs of the client's own namespace."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlive.web.site import Site


def routes(site: Site) -> list[Route]:
    """``/``."""

    async def home(request: Request) -> Response:
        target = site.links.search(site.namespace(request))
        return RedirectResponse(f"{target}?{request.url.query}" if request.url.query else target, 307)

    return [Route("/", home)]
