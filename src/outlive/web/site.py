"""What every page is made with: the server's client, addresses, templates, and how forms are answered.

A page is a module in ``pages/`` with ``routes(site)``. docs/web.md shows how one is added.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response, StreamingResponse

from outlive.client import RpcError, WorkflowServiceClient
from outlive.ledger.errors import LedgerError
from outlive.web import bounds, forms, render
from outlive.web.contents import Contents
from outlive.web.forms import Done, FieldProblems, Form, FormRefused, Guard, Shown
from outlive.web.links import Links
from outlive.web.live import Live
from outlive.web.views import problem, runs
from outlive.web.views.problem import Asked, ProblemView

if TYPE_CHECKING:
    from outlive.ledger.interface import Ledger

Endpoint = Callable[[Request], Awaitable[Response]]
Handler = Callable[[Request, Form], Awaitable[Done | Shown]]
NOTICE = "outlive_notice"


class Site:
    """The pages of one server. ``ledger`` is None where no ledger is known; ``now`` is the time of day."""

    def __init__(
        self,
        client: WorkflowServiceClient,
        ledger: Ledger | None,
        links: Links,
        now: Callable[[], datetime],
        contents: Contents | None = None,
    ) -> None:
        self.client = client
        self.ledger = ledger
        self.links = links
        self.now = now
        self.guard = Guard()
        self.renderer = render.Renderer(links)
        self.renderer.has_ledger = ledger is not None
        self.contents = contents or Contents(ledger=ledger)
        self.live = Live(client, self.renderer, links, now, self.contents.whole)

    def namespace(self, request: Request) -> str:
        """The namespace that the address names; the client's own where it names none."""
        return str(request.path_params.get("namespace", self.client.namespace))

    def page(self, request: Request, template: str, view: Any, status: int = 200, **values: Any) -> Response:
        """The view model as the caller wants it: a page, or JSON."""
        if render.wants_json(request):
            return render.json_response(view, status)
        notice = unquote(request.cookies.get(NOTICE, ""))
        values = {"namespace": self.namespace(request), "notice": notice, **values}
        answer = HTMLResponse(self.renderer.html(template, view=view, **values), status_code=status)
        if notice:
            answer.delete_cookie(NOTICE, path=self.links.base or "/")
        return answer

    def stream(self, content: AsyncIterator[str]) -> Response:
        """Parts of a page as they change (``text/event-stream``)."""
        return StreamingResponse(content, media_type="text/event-stream", headers={"X-Accel-Buffering": "no"})

    def action(self, handler: Handler) -> Endpoint:
        """The endpoint of a form: checks where it comes from, and answers as forms.py says.

        The handler gives Done or Shown, or raises FieldProblems, RpcError or LedgerError.
        """

        async def endpoint(request: Request) -> Response:
            try:
                form = await forms.read(request)
                self.guard.check(request, form)
                outcome = await handler(request, form)
            except FormRefused as error:
                return self._refused(request, problem.form_refused(str(error)), {"": str(error)})
            except FieldProblems as error:
                return self._refused(request, problem.bad_form(error.problems), error.problems)
            except RpcError as error:
                view = self.rpc_problem(request, error)
                return self._refused(request, view, {"": f"{view.title}: {view.why}"})
            except LedgerError as error:
                return self._refused(request, problem.of_ledger(error), {"": error.message})
            return self._answered(request, outcome)

        return endpoint

    def _answered(self, request: Request, outcome: Done | Shown) -> Response:
        script = forms.SCRIPT_HEADER in request.headers
        if isinstance(outcome, Shown):
            if script:
                return JSONResponse({"html": self.renderer.html(outcome.template, view=outcome.view)})
            return self.page(request, "answer.html", outcome.view, part=outcome.template)
        if script:
            return JSONResponse({"location": outcome.href, "words": outcome.words})
        answer = RedirectResponse(outcome.href, 303)
        words = quote(outcome.words[: bounds.NOTICE_MAX])
        answer.set_cookie(NOTICE, words, max_age=60, path=self.links.base or "/", httponly=True, samesite="lax")
        return answer

    def _refused(self, request: Request, view: ProblemView, problems: dict[str, str]) -> Response:
        if forms.SCRIPT_HEADER in request.headers:
            return JSONResponse({"problems": problems})  # with 200: browsers log any other status as an error
        return self.problem(request, view)

    def problem(self, request: Request, view: ProblemView) -> Response:
        """The page that says what went wrong."""
        return self.page(request, "problem.html", view, view.status)

    def rpc_problem(self, request: Request, error: RpcError) -> ProblemView:
        """What to say of an answer of the server other than OK."""
        params = request.path_params
        namespace = self.namespace(request)
        workflow_id = params.get("workflow_id", "")
        asked = Asked(
            address=self.client.address,
            namespace=namespace,
            workflow_id=workflow_id,
            run_id=str(params.get("run_id", "")),
            namespaces_href=self.links.namespaces(),
            search_href=self.links.search(namespace, f"WorkflowId = {runs.quoted(workflow_id)}"),
        )
        return problem.of_rpc(error, asked)
