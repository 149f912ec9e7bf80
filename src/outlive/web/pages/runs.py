"""The list of runs, the stream that keeps it fresh, completion of its filter, saved views, and batches of actions."""

from __future__ import annotations

import dataclasses
import uuid

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from outlive.web import bounds
from outlive.web.forms import Done, FieldProblems, Form
from outlive.web.links import list_params
from outlive.web.site import Site
from outlive.web.views import attributes, bulk, complete, runs, saved
from outlive.web.views.runs import RunsQuery
from outlive.web.views.status import RUN_STATUSES

AT = "/namespaces/{namespace}/workflows"


def routes(site: Site) -> list[Route]:
    """The list and what belongs to it."""
    page = _Runs(site)
    return [
        Route(AT, page.listed, methods=["GET"]),
        Route(f"{AT}.live", page.live),
        Route(f"{AT}.complete", page.complete),
        Route(f"{AT}.views", site.action(page.save_view), methods=["POST"]),
        Route(f"{AT}.bulk", page.dry_run, methods=["GET"]),
        Route(f"{AT}.bulk", site.action(page.start_batch), methods=["POST"]),
    ]


class _Runs:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._client = site.client

    async def listed(self, request: Request) -> Response:
        """The list of runs."""
        view = await runs.page(self._client, self._query(request), self._site.now)
        params = list_params(dataclasses.replace(view.query, page=""))
        return self._site.page(request, "runs.html", view, 400 if view.problem else 200, params=params)

    async def live(self, request: Request) -> Response:
        """The stream of the list."""
        return self._site.stream(self._site.live.runs(self._query(request)))

    async def complete(self, request: Request) -> Response:
        """What may come next in a filter."""
        namespace = self._site.namespace(request)
        text = request.query_params.get("text", "")[: bounds.QUERY_MAX]
        at = request.query_params.get("at", "")
        cursor = min(int(at), len(text)) if at.isascii() and at.isdecimal() and len(at) < 6 else len(text)
        kinds = await attributes.kinds(self._client, namespace)
        seen = await attributes.seen(self._client, namespace)
        found = complete.suggest(text, cursor, kinds, seen, self._site.now())
        return JSONResponse(dataclasses.asdict(found))

    async def save_view(self, request: Request, form: Form) -> Done:
        """Keep, or forget, a view under a name."""
        namespace = self._site.namespace(request)
        name = form.needed("name", "a name for the view")
        if len(name) > saved.NAME_MAX:
            raise FieldProblems({"name": f"At most {saved.NAME_MAX} characters."})
        if form.flag("remove"):
            await saved.remove(self._client, namespace, name)
            return Done(self._site.links.search(namespace), f"The view “{name}” is gone.")
        params = {key: form.text(key) for key in ("query", "status", "columns", "sort")}
        await saved.save(self._client, namespace, name, params)
        given = {key: value for key, value in params.items() if value}
        return Done(self._site.links.view(namespace, given), f"The view “{name}” is saved.")

    async def dry_run(self, request: Request) -> Response:
        """What a batch would do."""
        operation = bulk.BY_KEY.get(request.query_params.get("do", ""), bulk.OPERATIONS[0])
        chosen = tuple(request.query_params.getlist("run"))[: bounds.BULK_CHOSEN]
        view = await bulk.load(self._client, self._query(request), chosen, operation, self._site.now)
        return self._site.page(request, "bulk.html", view)

    async def start_batch(self, request: Request, form: Form) -> Done:
        """Start it, if it still finds about as many runs as the person has seen."""
        namespace = self._site.namespace(request)
        operation = bulk.BY_KEY.get(form.text("do"))
        query = form.text("batch_query")
        if operation is None or not query:
            raise FieldProblems({"": "The form is not complete: open it again from the list of runs."})
        seen = form.number("seen", 0, 10**12)
        details = bulk.Details(
            reason=form.needed("reason", "why, for whoever looks at these runs later"),
            signal=form.needed("signal", "the signal's name") if operation.key == "signal" else "",
            input=form.text("input"),
            reset=form.text("reset", "last"),
            reapply=form.flag("reapply"),
        )
        found = await bulk.count(self._client, namespace, query)
        if not found:
            raise FieldProblems({"": "No run matches any more."})
        if found > seen * bounds.BULK_GROWTH + 1:
            raise FieldProblems({"": f"Now {found:,} runs match; it were {seen:,} when you looked. Look again first."})
        job_id = str(uuid.uuid4())
        await bulk.start(self._client, namespace, job_id, query, operation.key, details)
        words = f"{operation.verb}: a batch over {found:,} run{'s' if found != 1 else ''} has started."
        shown = any(place.key == "batches" for place in self._site.renderer.places)
        links = self._site.links
        return Done(links.within(namespace, "batches", job_id) if shown else links.search(namespace), words)

    def _query(self, request: Request) -> RunsQuery:
        params = request.query_params
        chosen = next((status for status in RUN_STATUSES if status == params.get("status")), None)
        filter = params.get("query", "")[: bounds.QUERY_MAX]
        keys = tuple(key for value in params.getlist("columns") for key in value.split(",") if key)
        return RunsQuery(
            self._site.namespace(request), filter, chosen, params.get("page", ""), keys, params.get("sort", "")
        )
