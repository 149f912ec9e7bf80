"""The first page of a namespace; ``/`` is that of the client's own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from outlive.web.site import Site
from outlive.web.views import home
from outlive.web.views.home import HomeView


def routes(site: Site) -> list[Route]:
    """``/`` and ``/namespaces/NAME``. A list filter given to ``/`` is one of the list of runs."""

    async def first(request: Request) -> Response:
        namespace = site.namespace(request)
        if "query" in request.query_params:
            return RedirectResponse(f"{site.links.search(namespace)}?{request.url.query}", 307)
        return await shown(request)

    async def shown(request: Request) -> Response:
        view = await home.load(site.client, site.ledger, site.namespace(request), site.now)
        return site.page(request, "home.html", view)

    async def live(request: Request) -> Response:
        namespace = site.namespace(request)

        async def load() -> HomeView:
            return await home.load(site.client, site.ledger, namespace, site.now)

        return site.stream(site.live.watch("home", ("inbox",), load, home.without_clock))

    return [
        Route("/", first),
        Route("/namespaces/{namespace}", shown),
        Route("/namespaces/{namespace}/home.live", live),
    ]
