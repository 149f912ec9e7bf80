"""Schedules: the list, one of them, and pausing, starting, deleting it."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.api.schedule.v1 import BackfillRequest, SchedulePatch, TriggerImmediatelyRequest
from temporalio.api.workflowservice.v1 import DeleteScheduleRequest, PatchScheduleRequest

from outlive.web.acts import new_id
from outlive.web.forms import Done, FieldProblems, Form
from outlive.web.site import Site
from outlive.web.views import schedules, times
from outlive.web.views.bulk import IDENTITY

AT = "/namespaces/{namespace}/schedules"


def routes(site: Site) -> list[Route]:
    """The list, one schedule, and its forms."""
    page = _Schedules(site)
    return [
        Route(AT, page.listed),
        Route(f"{AT}.live", page.live),
        Route(f"{AT}/{{id:path}}/change", site.action(page.change), methods=["POST"]),
        Route(f"{AT}/{{id:path}}", page.shown),
    ]


class _Schedules:
    def __init__(self, site: Site) -> None:
        self._site = site
        self._client = site.client

    async def listed(self, request: Request) -> Response:
        """The list."""
        view = await schedules.load(self._client, self._site.namespace(request))
        return self._site.page(request, "schedules.html", view)

    async def live(self, request: Request) -> Response:
        """The list as it changes."""
        namespace = self._site.namespace(request)
        load = lambda: schedules.load(self._client, namespace)  # noqa: E731
        return self._site.stream(self._site.live.watch("schedules", ("rows",), load))

    async def shown(self, request: Request) -> Response:
        """One schedule."""
        view = await schedules.one(self._client, self._site.namespace(request), request.path_params["id"])
        return self._site.page(request, "schedule.html", view)

    async def change(self, request: Request, form: Form) -> Done:
        """Pause it, let it go on, start it now, make up for a time, or delete it, as the form's ``do`` says."""
        namespace, id = self._site.namespace(request), request.path_params["id"]
        do = form.text("do")
        links = self._site.links
        if do == "delete":
            await self._client.delete_schedule(
                DeleteScheduleRequest(namespace=namespace, schedule_id=id, identity=IDENTITY)
            )
            return Done(links.within(namespace, "schedules"), f"Schedule “{id}” is deleted. Its runs stay.")
        patch, words = _patch(do, form)
        await self._client.patch_schedule(
            PatchScheduleRequest(
                namespace=namespace, schedule_id=id, patch=patch, identity=IDENTITY, request_id=new_id()
            )
        )
        return Done(links.within(namespace, "schedules", id), words)


def _patch(do: str, form: Form) -> tuple[SchedulePatch, str]:
    match do:
        case "pause":
            return SchedulePatch(pause=form.needed("note", "why, for whoever looks at it later")), "It is paused."
        case "unpause":
            return SchedulePatch(unpause=form.text("note") or "from the web pages"), "It goes on."
        case "trigger":
            return SchedulePatch(trigger_immediately=TriggerImmediatelyRequest()), "It is started once."
        case "backfill":
            request = BackfillRequest()
            for name, field in (("from", request.start_time), ("to", request.end_time)):
                moment = times.parsed(form.needed(name, "a moment, such as 2026-11-23T06:00Z"))
                if moment is None:
                    raise FieldProblems({name: "No moment. Expected: 2026-11-23T06:00Z, or without Z in UTC."})
                field.FromDatetime(moment)
            return SchedulePatch(backfill_request=[request]), "What it would have started then is started now."
        case _:
            raise FieldProblems({"": "The form is not complete: reload the page."})
