"""Batches: the list, one of them as it goes on, and stopping it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.workflowservice.v1 import StopBatchOperationRequest

from outlive.web.forms import Done, Form
from outlive.web.site import Site
from outlive.web.views import batches
from outlive.web.views.bulk import IDENTITY

AT = "/namespaces/{namespace}/batches"


def routes(site: Site) -> list[Route]:
    """The list, one batch, its stream, and stopping it."""

    async def listed(request: Request) -> Response:
        view = await batches.load(site.client, site.namespace(request))
        return site.page(request, "batches.html", view)

    async def shown(request: Request) -> Response:
        view = await batches.one(site.client, site.namespace(request), request.path_params["job_id"])
        return site.page(request, "batch.html", view)

    async def live(request: Request) -> Response:
        namespace, job_id = site.namespace(request), request.path_params["job_id"]
        return site.stream(site.live.watch("batch", ("batch",), lambda: batches.one(site.client, namespace, job_id)))

    async def stop(request: Request, form: Form) -> Done:
        namespace, job_id = site.namespace(request), request.path_params["job_id"]
        reason = form.needed("reason", "why, for whoever looks at it later")
        stopping = StopBatchOperationRequest(namespace=namespace, job_id=job_id, reason=reason, identity=IDENTITY)
        await site.client.stop_batch_operation(stopping)
        return Done(site.links.within(namespace, "batches", job_id), "The batch is stopped: the rest is left alone.")

    return [
        Route(AT, listed),
        Route(f"{AT}/{{job_id}}", shown, methods=["GET"]),
        Route(f"{AT}/{{job_id}}/live", live),
        Route(f"{AT}/{{job_id}}/stop", site.action(stop), methods=["POST"]),
    ]
