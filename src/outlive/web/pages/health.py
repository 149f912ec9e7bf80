"""Whether the pages are there."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlive.web.site import Site


def routes(site: Site) -> list[Route]:
    """``/healthz``."""
    return [Route("/healthz", health)]


async def health(request: Request) -> Response:
    """It asks nothing of the server behind them."""
    return JSONResponse({"status": "ok"})
