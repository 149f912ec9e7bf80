"""What model calls came to."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.web.site import Site
from outlive.web.views import costs

DAYS = (1, 7, 30, 90)


def routes(site: Site) -> list[Route]:
    """Nothing where there is no ledger: the book is kept there."""
    ledger = site.ledger
    if ledger is None:
        return []

    async def shown(request: Request) -> Response:
        by = request.query_params.get("by", "")
        days = request.query_params.get("days", "")
        chosen = int(days) if days.isascii() and days.isdecimal() and len(days) < 4 else 30
        view = await costs.load(
            ledger,
            site.namespace(request),
            by if by in costs.GROUPS else "model",
            chosen if chosen in DAYS else 30,
            site.now,
        )
        return site.page(request, "costs.html", view, groups=costs.GROUPS, spans=DAYS)

    return [Route("/namespaces/{namespace}/costs", shown)]
