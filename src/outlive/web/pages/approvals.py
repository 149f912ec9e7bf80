"""Questions to people: the inbox, one question, and answering it."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from outlive.ledger.interface import Ledger
from outlive.ledger.types import Decision
from outlive.web.forms import Done, FieldProblems, Form
from outlive.web.site import Site
from outlive.web.views import approvals

AT = "/namespaces/{namespace}/approvals"


def routes(site: Site) -> list[Route]:
    """Nothing where there is no ledger: the questions are kept there."""
    if site.ledger is None:
        return []
    page = _Approvals(site, site.ledger)
    return [
        Route(AT, page.listed),
        Route(f"{AT}.live", page.live),
        Route(f"{AT}/{{id:path}}/decide", site.action(page.decide), methods=["POST"]),
        Route(f"{AT}/{{id:path}}", page.shown),
    ]


class _Approvals:
    def __init__(self, site: Site, ledger: Ledger) -> None:
        self._site = site
        self._ledger = ledger

    async def listed(self, request: Request) -> Response:
        """The inbox."""
        view = await approvals.load(self._ledger, self._site.namespace(request))
        return self._site.page(request, "approvals.html", view)

    async def live(self, request: Request) -> Response:
        """The inbox as it changes."""
        namespace = self._site.namespace(request)
        load = lambda: approvals.load(self._ledger, namespace)  # noqa: E731
        return self._site.stream(self._site.live.watch("approvals", ("inbox",), load))

    async def shown(self, request: Request) -> Response:
        """One question."""
        view = await approvals.one(self._ledger, self._site.namespace(request), request.path_params["id"])
        return self._site.page(request, "approval.html", view)

    async def decide(self, request: Request, form: Form) -> Done:
        """Take the decision."""
        namespace = self._site.namespace(request)
        found = await self._ledger.approval(request.path_params["id"])
        if found.namespace != namespace:
            raise HTTPException(404)
        choice = form.needed("choice", "a button that says what you decide")
        by = form.needed("by", "your name, for whoever looks at it later")
        rejects = len(found.options) > 1 and choice == found.options[-1]
        reason = form.text("reason")
        if rejects and not reason:
            raise FieldProblems({"reason": "Needed: why it is rejected."})
        changed = None if rejects else approvals.edits(found, form)
        await self._ledger.decide(found.id, Decision(choice, by, reason, changed))
        return Done(self._site.links.within(namespace, "approvals"), f"“{found.title}”: {choice}.")
