"""Task queues and who polls them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.web.site import Site
from outlive.web.views import task_queues

AT = "/namespaces/{namespace}/task-queues"


def routes(site: Site) -> list[Route]:
    """The list, and one queue."""

    async def listed(request: Request) -> Response:
        view = await task_queues.load(site.client, site.namespace(request), site.now)
        return site.page(request, "task_queues.html", view)

    async def shown(request: Request) -> Response:
        view = await task_queues.one(site.client, site.namespace(request), request.path_params["name"], site.now)
        return site.page(request, "task_queue.html", view)

    return [Route(AT, listed), Route(f"{AT}/{{name:path}}", shown)]
